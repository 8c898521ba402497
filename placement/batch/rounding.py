"""Rounding: from bid prices to a whole assignment, one workload after the other.

Whoever loses most by being left out goes first, and takes the best place by cost and bid that still has room. Bids keep
those who could stand anywhere away from rooms that others need. What finds no room is left out here and fought for
by `search`.

Linear in workloads, some 10 us each with 100 candidates.
"""

import numpy as np
from numpy.typing import NDArray

from placement.batch.near import reduced
from placement.batch.problem import Problem
from placement.columns import Numbers


def assign(problem: Problem, prices: NDArray[np.float64]) -> Numbers:
    """Where each workload stands (`Assignment.at`), within every room."""
    worth = np.where(problem.whole, reduced(problem, prices), np.inf)
    best, leave = np.full(problem.kinds, np.inf), problem.leave.astype(np.float64)
    some = np.flatnonzero(np.diff(problem.start))
    if len(some):
        best[some] = np.minimum.reduceat(worth, problem.start[some])
    kind = np.repeat(np.arange(problem.kinds), problem.many)
    lost = np.where(np.isfinite(best), leave - best, -np.inf)
    at = np.full(len(kind), problem.places, dtype=np.int64)
    left = problem.room.copy()
    for workload in np.argsort(-lost[kind], kind="stable"):
        k = kind[workload]
        arcs = slice(problem.start[k], problem.start[k + 1])
        places = problem.place[arcs]
        fits = (left[places] >= problem.demand[k]).all(axis=1)
        offered = np.where(fits, worth[arcs], np.inf)
        if len(offered) and np.isfinite(offered[choice := offered.argmin()]):
            at[workload] = places[choice]
            left[places[choice]] -= problem.demand[k]
    return at
