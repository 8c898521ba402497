"""What a solver answers: an assignment, what it cannot be better than, and what each place's room is worth.

`answered` needs no solver but this package: it is what a broker falls back on, and what the solvers at the rim end
with, since they bring better prices and the rounding is the same.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placement.batch.ascent import ascend, bound
from placement.batch.problem import Assignment, Problem
from placement.batch.rounding import settle
from placement.fleet.columns import Numbers

ASCENT = "ascent"


@dataclass(frozen=True, slots=True)
class Answer:
    """A feasible assignment, its distance from the bound provable by anybody who has the prices."""

    assignment: Assignment
    bound: int
    """Micros: no assignment costs less."""
    bids: Numbers
    """Shape (places, amounts): micros for the whole room, 0 or more."""
    solver: str

    @property
    def over_bound_ppm(self) -> int:
        """How far the assignment is above the bound, in millionths; 0 where the bound is 0."""
        return (self.assignment.cost - self.bound) * 1_000_000 // self.bound if self.bound > 0 else 0


def answered(problem: Problem, prices: NDArray[np.float64] | None = None, solver: str = ASCENT) -> Answer:
    """The answer at given prices, or at those of the ascent."""
    if prices is None:
        prices = ascend(problem)
    return Answer(settle(problem, prices), bound(problem, prices), np.rint(prices).astype(np.int64), solver)
