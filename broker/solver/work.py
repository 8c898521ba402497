"""From a request's bytes to an answer's: the state is read, and the plan is made of it by the core itself."""

from functools import partial

from broker.core import freeze
from broker.core.decide.joint import jointly
from broker.core.decide.proposing import proposed
from broker.runtime.clock import SystemClock
from broker.solver.frames import answer, asked
from broker.solver.pricing import is_question, priced
from broker.solver.solve import solved
from tidegate.model.errors import Refused

LINEAR = 0.4
"""Of the seconds, what the linear program may take; the rest is for reading, rounding and deciding."""


def work(data: bytes) -> bytes:
    """The answer to one request. What the core refuses is an answer too."""
    if is_question(data):
        return priced(data)
    clock = SystemClock()
    began = clock.elapsed()
    wish, at, limit_s, frozen = asked(data)
    state, solve = freeze.thaw(frozen), partial(solved, limit_s=limit_s * LINEAR)

    def enough() -> bool:
        return clock.elapsed() - began > limit_s

    try:
        if wish.together:
            return answer(jointly(state, wish.together, at, solve, enough))
        return answer(proposed(state, wish, at, solve, enough))
    except Refused as error:
        return answer(error)
