"""From a request's bytes to an answer's: the state is read, and the plan is made of it by the core itself."""

from functools import partial

from broker.core import freeze
from broker.core.decide.joint import jointly
from broker.core.decide.proposing import proposed
from broker.solver.frames import answer, asked
from broker.solver.solve import solved
from tidegate.model.errors import Refused


def work(data: bytes) -> bytes:
    """The answer to one request. What the core refuses is an answer too."""
    wish, at, limit_s, frozen = asked(data)
    state, solve = freeze.thaw(frozen), partial(solved, limit_s=limit_s)
    try:
        return answer(jointly(state, wish.together, at, solve) if wish.together else proposed(state, wish, at, solve))
    except Refused as error:
        return answer(error)
