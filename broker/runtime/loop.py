"""The single writer: decide, write, apply, speak.

Callers put a command, a read or a plan into one bounded queue. The loop takes what waits (at most `RUN`), and for
each in turn: decides, and applies each event to the state as it comes. Then all events of the run go to the log under
one sync. Only then does anyone hear an answer, and only then do effects start. Reads stand in the same queue, so they
too speak of nothing that is not durable.

A request that breaks before its first event is answered so, and an alarm is raised: the state is as it was. One that
breaks after it, or an append that fails, ends the process. If the append fails, the state in memory is ahead of the
disk: the process ends, nobody having heard anything. What was promised is in the log. A disk that is seen to be full is
therefore no longer written to (`has`): one that fills between two looks costs a restart, and only one.

Limits: 10,000 waiting (then `Unavailable`, come back in 100 ms); 1,000 in a run, 20 ms of deciding, or `RUN_BYTES` of
events, since all of a run are one append.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from broker.core.commands import ApplyDeclarations, Command, RegisterModel, SubmitWorkload
from broker.core.decide import decide
from broker.core.decide.placing import Disagreement, Watch, unwatched
from broker.core.effects import Effect, RaiseAlarm
from broker.core.react import react, standing
from broker.core.state import State
from broker.core.story import about, line
from broker.log.interface import Log
from broker.log.record import Record
from broker.log.sqlite import RESERVE_BYTES
from broker.runtime.clock import Clock
from broker.runtime.history import to_record
from tidegate.model.errors import Broken, TidegateError, Unavailable
from tidegate.model.event import Recorded

WAITING = 10_000
RUN = 1_000
RUN_S = 0.02
"""No command joins a run that has been deciding for this long: heartbeats and other calls want their turn."""
RUN_BYTES = 8 * 2**20
"""Nor one whose events are so large, or are `RUN_EVENTS`: what one append takes is bounded."""
RUN_EVENTS = 5_000
RETRY_AFTER_MS = 100
RETRY_FULL_MS = 10_000

logger = logging.getLogger(__name__)

_ADDS = (SubmitWorkload, ApplyDeclarations, RegisterModel)

Read = Callable[[State, int], Any]
"""A question to the state; the second argument is now, ms since the epoch."""


@dataclass(slots=True)
class _Waiting:
    asked: Command | Read
    watch: Watch
    answer: "asyncio.Future[Any]"


@dataclass(slots=True)
class _Outcome:
    waiting: _Waiting
    reply: Any = None
    error: TidegateError | None = None


class Loop:
    """One state, one log, one writer. `run` is the only task that touches the state."""

    def __init__(
        self,
        state: State,
        log: Log,
        clock: Clock,
        start: Callable[[list[Effect]], None],
        spoken: Callable[[int], None],
        *,
        waiting: int = WAITING,
    ) -> None:
        """`start` takes the effects of a run; `spoken` hears the new head offset after each durable run."""
        self.state = state
        self._log = log
        self._clock = clock
        self._start = start
        self._spoken = spoken
        self._queue: asyncio.Queue[_Waiting | None] = asyncio.Queue(waiting)
        self._closed = False
        self.bare = False
        """No room at all: whatever must be written is refused, rather than decided and then not to be written."""
        self.full = False
        """No room on the disk: what would only add to it is refused, what ends work is not."""

    async def ask(self, command: Command, watch: Watch = unwatched) -> Any:
        """The reply to a command, after it is durable. `at` is set here. Raises what the decision raised."""
        if self.bare:
            raise Unavailable("the log's disk is full", retry_after_ms=RETRY_FULL_MS)
        if self.full and isinstance(command, _ADDS):
            raise Unavailable("the log's disk is nearly full", retry_after_ms=RETRY_FULL_MS)
        return await self._put(command, watch)

    def has(self, room: int) -> None:
        """How much of `Log.room` there is. Below the reserve, what is left would hold little more than a checkpoint."""
        self.full, self.bare = room <= 0, room <= -RESERVE_BYTES

    async def read(self, question: Read) -> Any:
        """The answer to a question, of durable state alone."""
        return await self._put(question, unwatched)

    async def _put(self, asked: Command | Read, watch: Watch) -> Any:
        if self._closed:
            raise Unavailable("the broker is stopping", retry_after_ms=1_000)
        waiting = _Waiting(asked, watch, asyncio.get_running_loop().create_future())
        try:
            self._queue.put_nowait(waiting)
        except asyncio.QueueFull:
            raise Unavailable("too much is waiting", retry_after_ms=RETRY_AFTER_MS) from None
        return await waiting.answer

    async def run(self) -> None:
        """Turn until `stop`. An error that leaves here ends the process."""
        going_on = True
        while going_on and (first := await self._queue.get()) is not None:
            going_on = await self._turn(first)

    def stop(self) -> None:
        """Answer what waits, then end `run`."""
        if not self._closed:
            self._closed = True
            if self._queue.full():
                raise Broken("no room to stop; end the process")
            self._queue.put_nowait(None)

    async def _turn(self, first: _Waiting) -> bool:
        """A run of commands, start to finish; False where it was the last."""
        at, since = self._clock.now(), self._clock.elapsed()
        pending: list[Recorded] = []
        records: list[Record] = []
        effects: dict[Effect, None] = {}
        outcomes = [self._one(first, at, pending, effects)]
        size, going_on = _encoded(pending, records), True
        while len(outcomes) < RUN and self._clock.elapsed() - since < RUN_S and not self._queue.empty():
            if size > RUN_BYTES or len(records) > RUN_EVENTS:
                break
            following = self._queue.get_nowait()
            if following is None:
                going_on = False
                break
            outcomes.append(self._one(following, at, pending, effects))
            size += _encoded(pending, records)
        if pending:
            await self._log.append(records)
            for outcome in outcomes:
                outcome.waiting.watch("write", {"events": len(pending), "commands": len(outcomes)})
            self._spoken(self.state.offset)
        self._start(list(effects))  # nobody has heard anything before this line
        for outcome in outcomes:
            _speak(outcome)
        await asyncio.sleep(0)  # a run of reads alone has not let anyone else turn
        return going_on

    def _one(self, waiting: _Waiting, at: int, pending: list[Recorded], effects: dict[Effect, None]) -> _Outcome:
        """Decide one command and take in its events, one by one. A refusal comes before the first of them."""
        if waiting.answer.cancelled():
            return _Outcome(waiting)  # the caller has gone and nothing has been done for it yet
        events = 0
        try:
            if callable(waiting.asked):
                return _Outcome(waiting, waiting.asked(self.state, at))
            waiting.watch("wait", {"commands": self._queue.qsize()})
            deciding = decide(self.state, replace(waiting.asked, at=at), waiting.watch)
            while True:
                try:
                    event = next(deciding)
                except StopIteration as end:
                    for alarm in getattr(end.value, "alarms", ()):
                        effects[RaiseAlarm(type(waiting.asked).__name__, alarm)] = None
                    return _Outcome(waiting, end.value)
                events += 1
                recorded = Recorded(self.state.offset + 1, event)
                before = standing(self.state, about(event))
                self.state.apply(recorded)
                pending.append(recorded)
                effects.update(dict.fromkeys(react(self.state, event, before)))
        except Disagreement as error:
            if events:
                raise
            effects[RaiseAlarm(type(waiting.asked).__name__, str(error))] = None
            return _Outcome(waiting, error=error)
        except TidegateError as error:
            if events:
                story = "; ".join(line(recorded) for recorded in pending[-events:])
                raise Broken(f"{type(waiting.asked).__name__} broke: {error}; {story}") from error
            return _Outcome(waiting, error=error)
        except Exception as error:  # the top of the loop: one request must not end all others
            if events:
                raise
            name = type(waiting.asked).__name__
            logger.exception("a request broke before its first event request=%s", name)
            effects[RaiseAlarm(name, repr(error))] = None
            return _Outcome(waiting, error=Broken(f"{name} broke: {error!r}"))


def _encoded(pending: list[Recorded], records: list[Record]) -> int:
    """What is pending and not among the records yet, as records; how many bytes that is."""
    made = [to_record(recorded.event) for recorded in pending[len(records) :]]
    records += made
    return sum(len(record.payload) for record in made)


def _speak(outcome: _Outcome) -> None:
    if outcome.waiting.answer.done():
        return
    if outcome.error is not None:
        outcome.waiting.answer.set_exception(outcome.error)
    else:
        outcome.waiting.answer.set_result(outcome.reply)
