"""A worker as the broker sees it: a process that is started for one question, is fed and heard, and ends with it.

    async with started("broker.solver.worker", Bounds(4 * 2**30, 60)) as worker:
        await worker.say(question)
        await worker.finish()
        while (frame := await worker.hear()) is not None: ...
        await worker.ended("the solver")

A process, because its work takes seconds and the loop must not stand still; one for each question, because it then owns
nothing: no state to go stale, no memory that stays, nothing to clean up after a crash.

It is started by `subprocess`, which leaves the copy of this process without running any of it (vfork, then exec), and
never by the event loop: uvloop forks, and runs in the copy what Python and its extensions have registered for that,
among threads of gRPC that are not there any more. For the same reason it is talked to from threads of its own; besides,
one that ends early breaks the loop's own pipes. A worker that a signal kills before its first word is started `AGAIN`
times more: nothing had been asked of it. After that word it is not, since the question may be what kills it.

Whatever way the block is left, the process is dead and its threads have ended afterwards. Limits: three threads each;
`TAIL` characters of its last words are kept.
"""

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from broker.workers.frames import frame_from
from tidegate.model.errors import Unavailable

AGAIN = 1
RETRY_AFTER_MS = 1_000
TAIL = 2_000

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a worker may take."""

    memory_bytes: int
    cpu_s: int


class Worker:
    """One process, from its start to its end."""

    def __init__(self, module: str, bounds: Bounds) -> None:
        pipe = subprocess.PIPE
        command = (sys.executable, "-m", module, str(bounds.memory_bytes), str(bounds.cpu_s))
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
        self.ready = False
        """Whether its first word was heard."""
        self._threads = ThreadPoolExecutor(3, thread_name_prefix="worker")
        self._words = self._threads.submit(self._listen)

    async def greeted(self) -> bool:
        """Wait for its first word; False where it ended without one."""
        self.ready = await self.hear() is not None
        return self.ready

    async def say(self, data: bytes) -> None:
        """Hand it some bytes. One that does not read any more is heard of by `ended`."""
        await self._beside(lambda: self._write(data))

    async def finish(self) -> None:
        """Nothing more will be said."""
        await self._beside(self._close_input)

    async def hear(self) -> bytes | None:
        """Its next frame; None where it has ended, or is ending, without another whole one."""

        def read() -> bytes | None:
            assert self.process.stdout is not None
            try:
                return frame_from(self.process.stdout)
            except Unavailable:
                return None

        return await self._beside(read)

    async def ended(self, what: str) -> None:
        """Wait for its end. Raises Unavailable, with its exit code, where it did not end well."""
        code = await self._beside(self.process.wait)
        if code != 0:
            words = await asyncio.wrap_future(self._words)
            logger.warning("%s ended code=%d words=%s", what, code, words.decode(errors="replace"))
            raise Unavailable(f"{what} fell over", field="exit code", found=code, retry_after_ms=RETRY_AFTER_MS)

    async def end(self) -> None:
        """Kill it if it is still there, and wait for its threads."""
        if self.process.poll() is None:
            self.process.kill()
        await asyncio.to_thread(self._put_away)

    def _put_away(self) -> None:
        self.process.wait()
        self._threads.shutdown()  # with the process its pipes have ended, and so has whoever waits at one
        self._close_input()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    async def _beside(self, call: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended; its exit code says why
            self.process.stdin.write(data)
            self.process.stdin.flush()

    def _close_input(self) -> None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()

    def _listen(self) -> bytes:
        """Its last words. Read to the end, so that it never waits for a reader."""
        assert self.process.stderr is not None
        words = b""
        while piece := self.process.stderr.read1(65_536):  # type: ignore[attr-defined]
            words = (words + piece)[-TAIL:]
        return words


@asynccontextmanager
async def started(
    module: str, bounds: Bounds, *, began: Callable[[Worker], None] = lambda worker: None
) -> AsyncIterator[Worker]:
    """A worker that has said its first word, or ended without one by its own doing. `began` hears of each at once."""
    for attempt in range(1 + AGAIN):
        worker = Worker(module, bounds)
        began(worker)
        try:
            if not await worker.greeted() and attempt < AGAIN and await _killed(worker):
                logger.warning("a worker was killed as it started and is started again code=%d", worker.process.poll())
                continue
            yield worker
            return
        finally:
            await asyncio.shield(worker.end())


async def _killed(worker: Worker) -> bool:
    return await asyncio.to_thread(worker.process.wait) < 0
