"""One thread that does blocking jobs in the order they were given, so that the event loop can await them.

Whatever only its jobs touch needs no lock. A job whose caller gave up before it began is left out; one that has begun
runs to its end.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from tidegate.model.errors import Broken

Answer = TypeVar("Answer")


class Worker:
    """The queue is as long as its callers make it: each bounds what it hands over and waits."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def do(self, job: Callable[[], Answer]) -> Answer:
        """What the job returns or raises. Broken after `stop`."""
        return await asyncio.wrap_future(self.later(job))

    def later(self, job: Callable[[], Answer]) -> "Future[Answer]":
        """Queue the job and go on. What it raises is in the future alone."""
        try:
            return self._thread.submit(job)
        except RuntimeError as error:
            raise Broken(f"{self.name} is closed") from error

    def stop(self) -> None:
        """Take no more jobs, and wait for those begun and queued. Idempotent."""
        self._thread.shutdown()
