"""The solver as the broker sees it: a question, and an answer from a process that is started for it and ends with it.

Starting one costs about half a second, which a plan over a whole fleet can spare; `broker.workers` says how.

What goes wrong in there is Unavailable here, with a time to come back: the process was killed, fell over, reached its
bounds, or did not answer in time (it is then killed). The broker goes on in any case.

Limits: one at work, `WAITING` behind it; `MEMORY_BYTES` and the deadline's seconds of a processor each.
"""

import asyncio
from typing import Protocol

from broker.workers.frames import framed
from broker.workers.process import RETRY_AFTER_MS, Bounds, Worker, started
from tidegate.model.errors import Unavailable

WAITING = 4
DEADLINE_S = 60.0
MEMORY_BYTES = 4 * 2**30


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
        self.worker: Worker | None = None
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
        bounds = Bounds(self._memory_bytes, int(deadline_s) + 1)
        try:
            async with started("broker.solver.worker", bounds, began=self._begun) as worker:
                await worker.say(request)
                await worker.finish()
                frames = []
                while (frame := await worker.hear()) is not None:
                    frames.append(framed(frame))
                await worker.ended("the solver")
                return b"".join(frames)
        finally:
            self.worker = None

    def _begun(self, worker: Worker) -> None:
        self.worker = worker
        if self._closed:
            worker.process.kill()

    async def close(self) -> None:
        """Kill what is at work; whoever waits hears that the broker is stopping."""
        self._closed = True
        if self.worker is not None:
            self.worker.process.kill()
