"""Near arcs: of each kind's many candidates the few that are worth a closer look at given bid prices."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placement.batch.problem import Problem
from placement.fleet.columns import Mask, Numbers

NEAR = 24
"""Arcs of each kind that are looked at closely: the best by cost and bid."""


@dataclass(frozen=True, slots=True)
class Near:
    """Rows of equal length, shapes (kinds, width). The last column of each row stands for being left out.

    A kind with fewer arcs is filled up with being left out: place `places`, at `leave`.
    """

    place: Numbers
    cost: Numbers


def reduced(problem: Problem, prices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shape (arcs,): cost and bid of every arc, at prices (places, amounts) for whole rooms."""
    each = prices / np.maximum(problem.room, 1)
    kind = problem.arc_kind
    total = problem.cost.astype(np.float64)
    for amount in range(problem.room.shape[1]):
        total += problem.demand[kind, amount] * each[problem.place, amount]
    return total


def near(problem: Problem, prices: NDArray[np.float64], *, width: int = NEAR) -> Near:
    """The best `width` arcs of each kind, the better first."""
    kind, worth = problem.arc_kind, reduced(problem, prices)
    order = np.lexsort((problem.place, worth, kind))
    held = np.bincount(kind[order], minlength=problem.kinds)
    width = min(width, int(held.max(initial=0)))
    rank = np.arange(len(order)) - np.repeat(np.cumsum(held) - held, held)
    kept = rank < width
    place = np.full((problem.kinds, width + 1), problem.places, dtype=np.int64)
    cost = np.repeat(problem.leave[:, None], width + 1, axis=1)
    rows, arcs = kind[order[kept]], order[kept]
    place[rows, rank[kept]] = problem.place[arcs]
    cost[rows, rank[kept]] = problem.cost[arcs]
    return Near(place, cost)


def within(wanted: Numbers, have: Numbers) -> Mask:
    """Whether every amount (last axis) is within what there is; over so short an axis five times faster than `all`."""
    answer: Mask = wanted[..., 0] <= have[..., 0]
    for amount in range(1, wanted.shape[-1]):
        answer = answer & (wanted[..., amount] <= have[..., amount])
    return answer
