"""The telemetry store behind one asynchronous door: a thread that writes, a thread that reads.

Batches are stored in the order they were handed in. Checkpoints and retention are jobs of their own between batches.
At most `MOST_WAITING` batches wait for the disk: above that a sender hears Unavailable and when to come back, and its
spool keeps what it has. Spans offered by the process itself (`offer`) never wait: they are dropped, counted and logged
when the disk is behind.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TypeVar

from broker.log.worker import Worker
from broker.telemetry import aside
from broker.telemetry.finding import TelemetryReader
from broker.telemetry.gathering import Gathering
from broker.telemetry.retiring import Limits
from broker.telemetry.span import (
    AwayWindow,
    Counts,
    GapRange,
    PredictionCount,
    Span,
    StreamMark,
    TraceSummary,
    Wanted,
)
from broker.telemetry.store import TelemetryStore
from tidegate.files import RealFiles
from tidegate.model.errors import TidegateError, Unavailable
from tidegate.model.session import Chunk, Receipt

Answer = TypeVar("Answer")

MOST_WAITING = 64
MOST_OFFERED = 256
RETRY_AFTER_MS = 500

logger = logging.getLogger(__name__)


class Telemetry:
    """The telemetry of a broker. Awaited from one event loop; `offer` from any thread."""

    def __init__(
        self, store: TelemetryStore, reader: TelemetryReader, writing: Worker, reading: Worker, now: Callable[[], int]
    ) -> None:
        """Use `open`."""
        self._store = store
        self._reader = reader
        self._writing = writing
        self._reading = reading
        self._now = now
        self._gathering = Gathering(store, now, writing.later)
        self._waiting = 0
        self._offered = threading.BoundedSemaphore(MOST_OFFERED)
        self.dropped = 0
        """Offers that found no room."""

    @staticmethod
    async def open(
        directory: Path,
        now: Callable[[], int],
        limits: Limits = Limits(),  # noqa: B008 - frozen
        pass_on: Callable[[bytes], None] = lambda request: None,
    ) -> "Telemetry":
        """`now` gives ms since the epoch. `pass_on` hears of new export requests, on the writing thread."""
        writing, reading = Worker("telemetry-writing"), Worker("telemetry-reading")
        try:
            path = directory / "telemetry.db"
            store = await writing.do(
                lambda: aside.opened(RealFiles(), path, lambda: TelemetryStore(directory, limits, pass_on=pass_on))
            )
            reader = await reading.do(lambda: TelemetryReader(directory))
        except BaseException:
            writing.stop()
            reading.stop()
            raise
        return Telemetry(store, reader, writing, reading, now)

    async def receive(self, site: str, stream: str, chunks: Sequence[Chunk]) -> Receipt:
        """As `TelemetryStore.receive`; the answer is durable. Unavailable while too many batches wait."""
        return await self._write(lambda: self._store.receive(site, stream, chunks, self._now()))

    async def record(self, request: bytes) -> int:
        """As `TelemetryStore.record`; how many spans were new."""
        kept = await asyncio.wrap_future(self._gathering.add(request))
        self._writing.later(self._keep_house)
        return kept

    async def away(self, site: str, from_ms: int, to_ms: int) -> None:
        """Keep a window in which a site could not be reached."""
        await self._write(partial(self._store.away, AwayWindow(site, from_ms, to_ms)))

    def promise(self, days: Mapping[str, int]) -> None:
        """As `TelemetryStore.promise`; soon. Never waits."""
        self._writing.later(partial(self._store.promise, days))
        self._writing.later(self._keep_house)

    def offer(self, request: bytes) -> "Future[int] | None":
        """Keep an export request when there is time; None where it was dropped. Never waits, from any thread."""
        if not self._offered.acquire(blocking=False):
            self.dropped += 1
            logger.warning("spans of our own dropped", extra={"dropped": self.dropped})
            return None
        try:
            kept = self._gathering.add(request)
        except TidegateError:
            self._offered.release()
            return None
        kept.add_done_callback(lambda _: self._offered.release())
        return kept

    async def trace(self, trace_id: str) -> list[Span]:
        """As `TelemetryReader.trace`."""
        return await self._reading.do(partial(self._reader.trace, trace_id))

    async def traces_of(self, workload: str, limit: int = 20) -> list[str]:
        """As `TelemetryReader.traces_of`."""
        return await self._reading.do(partial(self._reader.traces_of, workload, limit))

    async def linked(self, trace_id: str, limit: int = 20) -> list[str]:
        """As `TelemetryReader.linked`."""
        return await self._reading.do(partial(self._reader.linked, trace_id, limit))

    async def spans(self, trace_ids: Iterable[str]) -> list[Span]:
        """As `TelemetryReader.spans`."""
        return await self._reading.do(partial(self._reader.spans, tuple(trace_ids)))

    async def search(self, wanted: Wanted) -> list[TraceSummary]:
        """As `TelemetryReader.search`."""
        return await self._reading.do(partial(self._reader.search, wanted))

    async def counts(self, site: str = "", since_ms: int = 0, until_ms: int = 0) -> Counts:
        """As `TelemetryReader.counts`."""
        return await self._reading.do(partial(self._reader.counts, site, since_ms, until_ms))

    async def marks(self, site: str = "") -> list[StreamMark]:
        """As `TelemetryReader.marks`."""
        return await self._reading.do(partial(self._reader.marks, site))

    async def predictions(self, site: str = "", since_ms: int = 0, until_ms: int = 0) -> list[PredictionCount]:
        """As `TelemetryReader.predictions`."""
        return await self._reading.do(partial(self._reader.predictions, site, since_ms, until_ms))

    async def gaps(self, site: str = "", limit: int = 1_000) -> list[GapRange]:
        """As `TelemetryReader.gaps`."""
        return await self._reading.do(partial(self._reader.gaps, site, limit))

    async def windows(self, sites: Iterable[str], since_ms: int = 0, until_ms: int = 0) -> list[AwayWindow]:
        """As `TelemetryReader.away`."""
        return await self._reading.do(partial(self._reader.away, tuple(sites), since_ms, until_ms))

    async def totals(self) -> dict[str, int]:
        """As `TelemetryReader.totals`, and the offers dropped by this process."""
        return {**await self._reading.do(self._reader.totals), "dropped_offers": self.dropped}

    async def close(self) -> None:
        """Give the store back, after what was handed in before. Idempotent."""
        try:
            await self._reading.do(self._reader.close)
            await self._writing.do(self._store.close)
        except TidegateError:
            return
        self._reading.stop()
        self._writing.stop()

    async def _write(self, job: Callable[[], Answer]) -> Answer:
        if self._waiting >= MOST_WAITING:
            raise Unavailable("telemetry waits for the disk", retry_after_ms=RETRY_AFTER_MS)
        self._waiting += 1
        try:
            answer = await self._writing.do(job)
        finally:
            self._waiting -= 1
        self._writing.later(self._keep_house)
        return answer

    def _keep_house(self) -> None:
        """A checkpoint and a step of retention where they are due. What fails here fails again in the next batch."""
        self._store.tidy()
        if self._store.retire(self._now()):
            self._writing.later(self._keep_house)  # behind the batches that came meanwhile
