"""Export requests that wait for the disk together: one transaction for all that came while the last one was written.

A sync costs the same for one span and for a thousand, so the busier the door, the less each pays. A request that is not
OTLP is refused alone; the others of its batch are kept.

Limits: `MOST_GATHERED` requests wait; whoever comes then hears Unavailable.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future

from broker.telemetry.store import TelemetryStore
from tidegate.model.errors import Refused, TidegateError, Unavailable

MOST_GATHERED = 1_024
RETRY_AFTER_MS = 500


class Gathering:
    """From any thread; `later` runs a job on the store's own thread."""

    def __init__(
        self, store: TelemetryStore, now: Callable[[], int], later: Callable[[Callable[[], None]], object]
    ) -> None:
        self._store = store
        self._now = now
        self._later = later
        self._lock = threading.Lock()
        self._waiting: list[tuple[bytes, Future[int]]] = []

    def add(self, request: bytes) -> Future[int]:
        """Resolves to how many of the request's spans were new, once they are durable. Raises Unavailable when full."""
        kept: Future[int] = Future()
        with self._lock:
            if len(self._waiting) >= MOST_GATHERED:
                raise Unavailable("telemetry waits for the disk", retry_after_ms=RETRY_AFTER_MS)
            if not self._waiting:
                self._later(self._keep)
            self._waiting.append((request, kept))
        return kept

    def _keep(self) -> None:
        with self._lock:
            batch, self._waiting = self._waiting, []
        try:
            counts = self._store.record_all([request for request, _ in batch], self._now())
        except Refused:
            for request, kept in batch:
                self._keep_one(request, kept)
        except TidegateError as error:
            for _, kept in batch:
                kept.set_exception(error)
        else:
            for (_, kept), count in zip(batch, counts, strict=True):
                kept.set_result(count)

    def _keep_one(self, request: bytes, kept: Future[int]) -> None:
        try:
            kept.set_result(self._store.record(request, self._now()))
        except TidegateError as error:
            kept.set_exception(error)
