"""Who waits for a change of what. A bell carries no news: whoever wakes reads the state as it is then, so a slow
listener misses nothing that still holds and nobody queues anything for it.
"""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager


class Bells:
    """Bells by name: a workload's id, or `LOG` for every durable run."""

    LOG = ""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def ring(self, name: str) -> None:
        """Wake all who listen to it."""
        for event in self._waiting.get(name, ()):
            event.set()

    @contextmanager
    def listen(self, name: str) -> Generator[asyncio.Event]:
        """An event that is set at each ring; the listener clears it before it reads."""
        event = asyncio.Event()
        listeners = self._waiting.setdefault(name, set())
        listeners.add(event)
        try:
            yield event
        finally:
            listeners.discard(event)
            if not listeners:
                self._waiting.pop(name, None)
