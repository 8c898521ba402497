"""One batch, solved with all there is: the ascent's prices, then an exact flow or the linear program's prices."""

from broker.solver.flow import flowed
from broker.solver.linear import prices_of
from placement.batch.answer import Answer, answered
from placement.batch.ascent import ascend
from placement.batch.problem import Problem

HIGHS = "highs"
LIMIT_S = 20.0
"""For the linear program; whoever asks has a deadline of their own."""


def solved(problem: Problem, limit_s: float = LIMIT_S) -> Answer:
    """The best answer that the solvers find."""
    begin = ascend(problem)
    exact = flowed(problem, begin)
    if exact is not None:
        return exact
    return answered(problem, prices_of(problem, begin, limit_s), HIGHS)
