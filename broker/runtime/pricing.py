"""Bid prices, kept up beside the loop: asked of the solver now and then, taken in as a command when they come.

`look` never waits for a solver, and looks at the state every `LOOK_S` at most (6 ms at 1,000 sites). One question is
under way at most, and none begins within `EVERY_S` of the one before, however that ended. A solver that fails, is
killed, is busy or slow costs nothing but the news: the old prices stay.
"""

import asyncio
import contextlib
import logging

from broker.core.commands import SetBidPrices
from broker.core.decide.pricing import Question, wanted
from broker.runtime.clock import Clock
from broker.runtime.loop import Loop
from broker.solver.pricing import question, worths_in
from broker.solver.process import Solver
from tidegate.model.errors import TidegateError, Unavailable

LOOK_S = 5.0
EVERY_S = 60.0
DEADLINE_S = 15.0
"""Waiting for a plan that is being made included."""

logger = logging.getLogger(__name__)


class Pricing:
    """Asks the loop what is wanted, and the solver for it."""

    def __init__(self, loop: Loop, solver: Solver, clock: Clock) -> None:
        self._loop = loop
        self._solver = solver
        self._clock = clock
        self._not_before = float("-inf")
        self.under_way: asyncio.Task[None] | None = None
        """The newest question, ended or not."""

    async def look(self) -> None:
        """Begin a question, if one is due; returns without its answer."""
        if self._clock.elapsed() < self._not_before or (self.under_way and not self.under_way.done()):
            return
        with contextlib.suppress(Unavailable):  # the loop has no time for this now
            asked = await self._loop.read(lambda state, at: wanted(state))
            self._not_before = self._clock.elapsed() + (EVERY_S if asked else LOOK_S)
            if asked:
                self.under_way = asyncio.create_task(self._ask(asked))

    async def _ask(self, asked: Question) -> None:
        began = self._clock.elapsed()
        try:
            worths = worths_in(await self._solver.ask(question(asked.mix, asked.units), DEADLINE_S))
            await self._loop.ask(SetBidPrices(0, asked.edition, worths, asked.units))
        except (TidegateError, OSError) as error:
            logger.warning("bid prices stay as they were edition=%d because=%s", asked.edition, error)
        else:
            took_ms = int((self._clock.elapsed() - began) * 1_000)
            logger.info("bid prices edition=%d classes=%d ms=%d", asked.edition, len(worths), took_ms)
