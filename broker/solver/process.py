"""The solver as the broker sees it: a question, and an answer from a process that is started for it and ends with it.

A process of its own, because a solver works for seconds and the loop must not stand still; one for each question,
because it then owns nothing: no state to go stale, no memory that stays, nothing to clean up after a crash. Starting
one costs about half a second, which a plan over a whole fleet can spare.

What goes wrong in there is Unavailable here, with a time to come back: the process was killed, fell over, reached its
bounds, or did not answer in time (it is then killed). The broker goes on in any case.

Limits: one at work, `WAITING` behind it; `MEMORY_BYTES` and the deadline's seconds of a processor each.
"""

import asyncio
import logging
import subprocess
import sys
from typing import Protocol

from tidegate.model.errors import Unavailable

WAITING = 4
DEADLINE_S = 60.0
MEMORY_BYTES = 4 * 2**30
RETRY_AFTER_MS = 1_000
TAIL = 2_000
"""Characters of its last words that are logged."""

logger = logging.getLogger(__name__)


class Solver(Protocol):
    """Whoever answers; see `frames` for what is asked."""

    async def ask(self, request: bytes, deadline_s: float = DEADLINE_S) -> bytes:
        """The answer. Raises Unavailable."""

    async def close(self) -> None:
        """End what is at work."""


class NoSolver:
    """Where a broker is put together without one."""

    async def ask(self, request: bytes, deadline_s: float = DEADLINE_S) -> bytes:
        """There is none."""
        raise Unavailable("this broker has no solver")

    async def close(self) -> None:
        """Nothing is at work."""


class SolverProcess:
    """Starts a worker for each question."""

    def __init__(self, *, memory_bytes: int = MEMORY_BYTES, waiting: int = WAITING) -> None:
        self._memory_bytes = memory_bytes
        self._turn = asyncio.Semaphore(1)
        self._most_waiting, self._waiting = waiting, 0
        self._closed = False
        self.process: subprocess.Popen[bytes] | None = None
        """The one at work, if any."""

    async def ask(self, request: bytes, deadline_s: float = DEADLINE_S) -> bytes:
        """The worker's answer within the deadline, waiting included."""
        if self._waiting > self._most_waiting:
            raise Unavailable("too many plans are being made", retry_after_ms=RETRY_AFTER_MS)
        self._waiting += 1
        try:
            async with asyncio.timeout(deadline_s), self._turn:
                return await self._work(request, deadline_s)
        except TimeoutError:
            raise Unavailable(
                "the solver did not answer in time", field="deadline_s", found=deadline_s, retry_after_ms=RETRY_AFTER_MS
            ) from None
        finally:
            self._waiting -= 1

    async def _work(self, request: bytes, deadline_s: float) -> bytes:
        if self._closed:
            raise Unavailable("the broker is stopping", retry_after_ms=RETRY_AFTER_MS)
        self.process = process = self._started(int(deadline_s) + 1)
        talking = asyncio.create_task(asyncio.to_thread(process.communicate, request))
        try:
            answer, words = await asyncio.shield(talking)
        finally:
            self.process = None
            if process.returncode is None:
                process.kill()
                await talking  # it ends with the process, and takes its last words
        if process.returncode != 0:
            logger.warning(
                "the solver ended code=%d words=%s", process.returncode, words[-TAIL:].decode(errors="replace")
            )
            raise Unavailable(
                "the solver fell over", field="exit code", found=process.returncode, retry_after_ms=RETRY_AFTER_MS
            )
        return answer

    def _started(self, cpu_s: int) -> "subprocess.Popen[bytes]":
        """A worker. It is talked to from a thread, since one that ends early breaks the loop's own pipes."""
        command = (sys.executable, "-m", "broker.solver.worker", str(self._memory_bytes), str(cpu_s))
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)

    async def close(self) -> None:
        """Kill what is at work; whoever waits hears that the broker is stopping."""
        self._closed = True
        if self.process is not None:
            self.process.kill()
