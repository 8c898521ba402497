"""The solver in a history: the worker's own work, done in the loop after a while, or not at all.

The real one is a process with a deadline by the wall clock (`broker.solver.process`); here the while and the failures
are drawn, and no deadline cuts the work short, so the same question has the same answer.
"""

from functools import partial
from random import Random

from broker.core import freeze
from broker.core.decide.joint import jointly
from broker.core.decide.proposing import proposed
from broker.solver.frames import answer, asked
from broker.solver.pricing import is_question, priced
from broker.solver.process import DEADLINE_S
from broker.solver.solve import solved
from tests.simulation.loop import Process, elapse
from tidegate.model.errors import Refused, Unavailable

LIMIT_S = 600.0
"""Never reached: the questions are small."""


class SimulatedSolver:
    """One broker process' solver."""

    def __init__(self, random: Random, process: Process) -> None:
        self._random, self._process = random, process

    async def ask(self, request: bytes, deadline_s: float = DEADLINE_S) -> bytes:
        """The answer; Unavailable where the worker fell over."""
        self._process.check()
        await elapse(self._random.random() ** 4 * 2)
        self._process.check()
        if self._random.random() < 0.1:
            raise Unavailable("the solver fell over", retry_after_ms=1_000)
        if is_question(request):
            return priced(request)
        wish, at, _, frozen = asked(request)
        state, solve = freeze.thaw(frozen), partial(solved, limit_s=LIMIT_S)
        try:
            if wish.together:
                return answer(jointly(state, wish.together, at, solve))
            return answer(proposed(state, wish, at, solve, lambda: False))
        except Refused as error:
            return answer(error)

    async def close(self) -> None:
        return None
