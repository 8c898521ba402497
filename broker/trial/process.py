"""A trial as the broker sees it: a copy taken inside a turn, a process that judges it, and word of how far it is.

The loop stands still for the copy alone. The log's rows are read here, since only the broker's log knows how, and
handed on as they are; the process folds and judges them. Whoever stops listening ends it.

Limits: one at work at a time, others are Unavailable; `MEMORY_BYTES` and `CPU_S` for the process.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

from broker.core.decide.impact import Trial
from broker.core.part import Part, part, written
from broker.core.state import State
from broker.log.interface import Log
from broker.runtime.history import rows_after
from broker.runtime.loop import Loop
from broker.trial import frames
from tidegate.model.errors import Refused, Unavailable
from tidegate.model.impact import Impact
from tidegate.model.policy import Policy
from tidegate.wire.codec import encode

MEMORY_BYTES = 4 * 2**30
CPU_S = 3_600
POLICIES = 1_000
RETRY_AFTER_MS = 5_000
TAIL = 2_000
"""Characters of its last words that are logged."""

logger = logging.getLogger(__name__)


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
        self._bounds = (str(memory_bytes), str(cpu_s))
        self._at_work = False

    async def run(
        self, policies: tuple[Policy, ...], without: tuple[str, ...], window: Window
    ) -> AsyncIterator[Progress | Impact]:
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
            async for answer in self._judged([*question, state], last):
                yield answer if isinstance(answer, Impact) else Progress(min(answer, steps), steps)
        finally:
            self._at_work = False

    async def _judged(self, question: list[bytes], last: int) -> AsyncIterator[int | Impact]:
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-m", "broker.trial.worker", *self._bounds)
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
        assert process.stdin and process.stdout and process.stderr
        feeding = asyncio.create_task(self._feed(process.stdin, question, last))
        listening = asyncio.create_task(process.stderr.read())
        try:
            while (answer := await _next(process.stdout)) is not None:
                yield answer
                if isinstance(answer, Impact):
                    return
            await process.wait()
            words = (await listening)[-TAIL:].decode(errors="replace")
            logger.warning("a trial ended code=%s words=%s", process.returncode, words)
            raise Unavailable("the trial fell over", field="exit code", found=process.returncode)
        finally:
            feeding.cancel()
            if process.returncode is None:
                process.kill()
            await asyncio.shield(process.wait())
            await asyncio.gather(feeding, listening, return_exceptions=True)

    async def _feed(self, pipe: asyncio.StreamWriter, question: list[bytes], last: int) -> None:
        """The question, then the rows up to `last`, as fast as they are read."""
        try:
            for one in question:
                pipe.write(frames.framed(one))
                await pipe.drain()
            if last:
                async for row in rows_after(self._log, 0, last):
                    pipe.write(frames.framed(frames.row_bytes(row)))
                    await pipe.drain()
            pipe.close()
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has ended; its exit code says why


async def _next(stream: asyncio.StreamReader) -> int | Impact | None:
    """The next answer, None where the stream ends without a whole one."""
    try:
        head = await stream.readexactly(frames.LENGTH.size)
        return frames.answer_of(await stream.readexactly(frames.length_of(head)))
    except asyncio.IncompleteReadError:
        return None
