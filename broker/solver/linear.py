"""The relaxation solved by HiGHS: exact bid prices and the best bound there is, by looking at few arcs at a time.

The whole linear program of 1,000 workloads and 100 places takes a simplex seconds, nearly all of it over arcs that no
one would take. So it begins with the arcs that are near at the ascent's prices, solves, looks at all others at the new
prices, adds those that would pay, and goes on from where it stood (the basis is kept). It is done when none would pay,
which is a proof; or after `ROUNDS` or `limit_s`, and then the bound is that of the best prices met, a proof as well.

One thread and a fixed seed: where the time limit does not strike, the same problem has the same prices.
"""

from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from broker.solver.highs import Highs
from placement.batch.ascent import bound
from placement.batch.near import reduced
from placement.batch.problem import Problem

Reals = NDArray[np.float64]

FIRST, MORE = 6, 4
"""Arcs of each kind to begin with, and to add in a round."""
ROUNDS = 20
CLOSE = 1e-4
"""A bound that is this near to the relaxation's value is as good as it."""
MOST_ARCS = 5_000_000
"""Above this nothing is solved: the ascent's prices have to do."""


def prices_of(problem: Problem, begin: Reals, limit_s: float) -> Reals:
    """Prices, shape (places, amounts), at least as good as those to begin with."""
    if not len(problem.place) or len(problem.place) > MOST_ARCS:
        return begin
    master = _Master(problem, limit_s)
    best, best_bound = begin, bound(problem, begin)
    waiting = _best(problem, reduced(problem, begin), np.zeros(len(problem.place), dtype=np.bool_), FIRST)
    for _ in range(ROUNDS):
        master.add(waiting)
        solved = master.solve()
        if solved is None:
            break
        value, prices, worth_of_kind = solved
        found = bound(problem, prices)
        if found > best_bound:
            best, best_bound = prices, found
        if value - best_bound <= CLOSE * value:
            break
        worth = reduced(problem, prices)
        pays = worth < worth_of_kind[problem.arc_kind] - 1e-9 * np.abs(worth)
        waiting = _best(problem, worth, ~pays | master.has, MORE)
        if not len(waiting):
            break
    return best


def _best(problem: Problem, worth: Reals, without: NDArray[np.bool_], most: int) -> NDArray[np.int64]:
    """The best arcs of each kind, leaving some out."""
    kind = problem.arc_kind
    order = np.lexsort((problem.place, worth, kind))
    order = order[~without[order]]
    held = np.bincount(kind[order], minlength=problem.kinds)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(held) - held, held)
    return order[rank < most]


class _Master:
    """The program over the arcs that it has so far. Money and rooms are scaled, so that numbers stay near 1."""

    def __init__(self, problem: Problem, limit_s: float) -> None:
        self._problem = problem
        self._money = max(1.0, float(np.median(problem.leave)) / 1_000) if len(problem.leave) else 1.0
        self._room = np.maximum(problem.room, 1).astype(np.float64)
        self.has = np.zeros(len(problem.place), dtype=np.bool_)
        self._solver: Any = Highs()
        self._solver.setOptionValue("time_limit", limit_s)
        self._solver.passModel(self._empty())

    def _empty(self) -> highspy.HighsLp:
        """Every kind whole, somewhere or left out; no place over its room."""
        problem = self._problem
        kinds, cells = problem.kinds, problem.room.size
        program = highspy.HighsLp()
        program.num_col_, program.num_row_ = kinds, kinds + cells
        program.col_cost_ = problem.leave / self._money
        program.col_lower_, program.col_upper_ = np.zeros(kinds), np.full(kinds, np.inf)
        program.row_lower_ = np.concatenate([problem.many, np.full(cells, -np.inf)]).astype(np.float64)
        program.row_upper_ = np.concatenate([problem.many, (problem.room / self._room).ravel()]).astype(np.float64)
        program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        program.a_matrix_.start_ = np.arange(kinds + 1)
        program.a_matrix_.index_ = np.arange(kinds)
        program.a_matrix_.value_ = np.ones(kinds)
        return program

    def add(self, arcs: NDArray[np.int64]) -> None:
        """Let these arcs be taken."""
        problem, count = self._problem, len(arcs)
        amounts = problem.room.shape[1]
        kind, place = problem.arc_kind[arcs], problem.place[arcs]
        rows = problem.kinds + place[:, None] * amounts + np.arange(amounts)
        index = np.concatenate([kind[:, None], rows], axis=1).ravel().astype(np.int32)
        use = problem.demand[kind] / self._room[place]
        value = np.concatenate([np.ones((count, 1)), use], axis=1).ravel()
        start = (np.arange(count) * (amounts + 1)).astype(np.int32)
        cost = problem.cost[arcs] / self._money
        self._solver.addCols(count, cost, np.zeros(count), np.full(count, np.inf), len(index), start, index, value)
        self.has[arcs] = True

    def solve(self) -> tuple[float, Reals, Reals] | None:
        """The value, the prices, and what one of each kind is worth; None where the time is up."""
        self._solver.run()
        if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        duals = np.array(self._solver.getSolution().row_dual) * self._money
        value = float(self._solver.getInfo().objective_function_value) * self._money
        kinds = self._problem.kinds
        return value, np.maximum(-duals[kinds:], 0.0).reshape(self._problem.room.shape), duals[:kinds]
