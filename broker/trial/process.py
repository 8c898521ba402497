"""A trial as the broker sees it: a copy taken inside a turn, a process that judges it, and word of how far it is.

The loop stands still for the copy alone. The log's rows are read here, since only the broker's log knows how, and
handed on as they are; the process folds and judges them. Whoever stops listening ends it.

Limits: one at work at a time, others are Unavailable; `MEMORY_BYTES` and `CPU_S` for the process.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from broker.core.decide.impact import Trial
from broker.core.part import Part, part, written
from broker.core.state import State
from broker.log.interface import Log
from broker.runtime.history import rows_after
from broker.runtime.loop import Loop
from broker.trial import frames
from broker.workers.frames import joined
from broker.workers.process import Bounds, Worker, started
from tidegate.model.errors import Refused, Unavailable
from tidegate.model.impact import Impact
from tidegate.model.policy import Policy
from tidegate.wire.codec import encode

MEMORY_BYTES = 4 * 2**30
CPU_S = 3_600
POLICIES = 1_000
RETRY_AFTER_MS = 5_000
ROWS = 512
"""So many rows go through the pipe at once."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which recorded decisions are judged; all 0: none."""

    since_ms: int = 0
    from_offset: int = 0
    to_offset: int = 0

    @property
    def wanted(self) -> bool:
        """Whether any is."""
        return bool(self.since_ms or self.from_offset or self.to_offset)


@dataclass(frozen=True, slots=True)
class Progress:
    """So many steps of so many."""

    done: int
    of: int


class Trials:
    """Puts laws on trial, one at a time."""

    def __init__(self, loop: Loop, log: Log, *, memory_bytes: int = MEMORY_BYTES, cpu_s: int = CPU_S) -> None:
        self._loop = loop
        self._log = log
        self._bounds = Bounds(memory_bytes, cpu_s)
        self._at_work = False

    async def run(
        self, policies: tuple[Policy, ...], without: tuple[str, ...], window: Window
    ) -> AsyncGenerator[Progress | Impact]:
        """Progress now and then, the impact last. Refused where the policies make no sense; Unavailable otherwise."""
        if len(policies) > POLICIES:
            raise Refused("are too many", field="policies", found=len(policies), wanted=f"at most {POLICIES}")
        for name in ("since_ms", "from_offset", "to_offset"):
            if getattr(window, name) < 0:
                raise Refused("is negative", field=name, found=getattr(window, name), wanted="0 or more")
        trial = Trial(policies, without)

        def copy(state: State, at: int) -> tuple[Part, int]:
            trial.check(state.law)
            return part(state), at

        kept, at = await self._loop.read(copy)
        last = min(window.to_offset or kept.state.offset, kept.state.offset) if window.wanted else 0
        head = frames.Head(
            at=at,
            policies=len(policies),
            without=without,
            since=at - window.since_ms if window.since_ms else 0,
            from_offset=window.from_offset,
            to_offset=last,
            rows=window.wanted,
        )
        steps = len(kept.state.workloads) + last
        question = [frames.head_bytes(head), *map(encode, policies)]
        if self._at_work:
            raise Unavailable("another law is on trial", retry_after_ms=RETRY_AFTER_MS)
        self._at_work = True
        try:
            state = await asyncio.to_thread(lambda: b"".join(written(kept)))
            async with aclosing(self._judged([*question, state], last)) as answers:
                async for answer in answers:
                    yield answer if isinstance(answer, Impact) else Progress(min(answer, steps), steps)
        finally:
            self._at_work = False

    async def _judged(self, question: list[bytes], last: int) -> AsyncGenerator[int | Impact]:
        async with started("broker.trial.worker", self._bounds) as worker:
            feeding = asyncio.create_task(self._feed(worker, question, last))
            try:
                while (frame := await worker.hear()) is not None:
                    answer = frames.answer_of(frame)
                    yield answer
                    if isinstance(answer, Impact):
                        return
                await worker.ended("the trial")
                raise Unavailable("the trial ended without an answer", retry_after_ms=RETRY_AFTER_MS)
            finally:
                feeding.cancel()
                await asyncio.gather(feeding, return_exceptions=True)

    async def _feed(self, worker: Worker, question: list[bytes], last: int) -> None:
        """The question, then the rows up to `last`, some at a time, as fast as they are read."""
        await worker.say(joined(question))
        if last:
            some: list[bytes] = []
            async for row in rows_after(self._log, 0, last):
                some.append(frames.row_bytes(row))
                if len(some) == ROWS:
                    await worker.say(joined(some))
                    some.clear()
            await worker.say(joined(some))
        await worker.finish()
