"""Rounding: from bid prices to a whole assignment, one workload after the other, and from there on by search.

Each takes the best place by cost and bid that still has room. Bids keep those who could stand anywhere away from rooms
that others need; they are raised a little (`RAISED`), since what is whole needs some slack that what is cut in pieces
does not. Who goes first is who has most to lose where a later choice, or being left out, is all that remains. Which
later choice to count against differs from batch to batch, so several are tried and the cheapest is searched from.

Rounding takes some 10 us for each workload with 100 candidates, searching 0.2 ms, annealing (nearly all of it) 0.7 ms.
"""

import numpy as np
from numpy.typing import NDArray

from placement.batch.annealing import anneal
from placement.batch.near import near, reduced, within
from placement.batch.problem import Assignment, Problem
from placement.batch.search import improve, paid
from placement.fleet.columns import Numbers

ORDERS = (1, 2, 3, 5)
"""Against which choices beyond the best a workload's loss is counted."""
RAISED = 1.05
SEARCHED = 20_000
"""With more workloads than this an assignment is rounded and repaired, and not searched to the end."""


def settle(problem: Problem, prices: NDArray[np.float64]) -> Assignment:
    """The best whole assignment that rounding, search and annealing find from these prices."""
    bids = prices * RAISED
    close = near(problem, bids)
    rounded = [assign(problem, bids, order) for order in ORDERS]
    begin = min(rounded, key=lambda at: int(paid(problem, close, at).sum()))
    if int(problem.many.sum()) > SEARCHED:
        return improve(problem, close, begin, passes=4)
    found = improve(problem, close, begin)
    found = anneal(problem, close, found, paid(problem, close, found.at))
    return improve(problem, close, found.at)


def assign(problem: Problem, prices: NDArray[np.float64], order: int = ORDERS[0]) -> Numbers:
    """Where each workload stands (`Assignment.at`), within every room."""
    worth = reduced(problem, prices)
    kind = np.repeat(np.arange(problem.kinds), problem.many)
    at = np.full(len(kind), problem.places, dtype=np.int64)
    left = problem.room.copy()
    for workload in np.argsort(-_losses(problem, worth, order)[kind], kind="stable"):
        k = kind[workload]
        arcs = slice(problem.start[k], problem.start[k + 1])
        places = problem.place[arcs]
        fits = within(problem.demand[k], left[places])
        if fits.any():
            choice = np.where(fits, worth[arcs], np.inf).argmin()
            at[workload] = places[choice]
            left[places[choice]] -= problem.demand[k]
    return at


def _losses(problem: Problem, worth: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """Shape (kinds,): by how much a later choice, or being left out, is worse than the best."""
    leave = problem.leave.astype(np.float64)
    if not len(worth):
        return leave
    ranked = worth[np.lexsort((worth, problem.arc_kind))]
    arcs = np.diff(problem.start)
    last = len(ranked) - 1
    best = np.where(arcs > 0, ranked[np.minimum(problem.start[:-1], last)], leave)
    later = np.where(arcs > order, ranked[np.minimum(problem.start[:-1] + order, last)], leave)
    return np.asarray(np.minimum(later, leave) - best)
