"""The writing side of the telemetry store: what arrives is kept once, and acknowledged after it is durable.

**Streams.** A site's spool numbers its records 1, 2, 3 ... in each stream. The ledger keeps one number a stream, the
high water: everything up to it is here. A record at high water + 1 is taken, at or below it is a duplicate (counted,
ignored, acknowledged again), above that is a hole, and the whole batch is refused with the number that is wanted. A
gap record stands for a range and moves the high water past it. So each record counts exactly once however often it is
sent, and what is missing is itself a row. All chunks of a batch, with the ledger, are one transaction with one sync.

**Poison.** A payload that cannot be read does not stop its stream: it becomes a gap of its own (`undecodable`, its
bytes kept for whoever looks into it) and the stream goes on. An unreadable gap is taken to begin where it must, at
high water + 1.

**A store that was set aside.** Where the one before was damaged (`aside.py`), its ledger went with it. A stream that
this store does not know may then begin at any number: what is before that was acknowledged once, and is told as a gap.

**Direct exports** (`record`) have no stream. A span is known by (trace id, span id) and the first to arrive stays, so
an export that is sent again changes nothing.

**Retention.** Rows over `Limits` are deleted, oldest arrival first, in steps between batches; the ledger and the gaps
stay. What came from a site that promises to keep records (`retentionDays`) is older than promised before it goes: then
`Limits` is exceeded, until the disk is full and spools wait (`retiring.py`).

Limits: 1,024 chunks and 32 MiB a batch; `Limits` for what is kept. Failure is as in the log: no room is Unavailable
(nothing was stored, send again), a failed sync is Broken.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw

from broker.log.database import PAGE_BYTES, Settings, make_home, open_database
from broker.log.ownership import Ownership
from broker.telemetry import aside, payload
from broker.telemetry.retiring import Limits, Retiring
from broker.telemetry.rows import Rows
from broker.telemetry.schema import FORMAT
from broker.telemetry.span import AwayWindow
from tidegate.model.errors import Broken, Conflict, Refused, Unavailable
from tidegate.model.session import Chunk, Receipt
from tidegate.wire.channel import MAX_BATCH_CHUNKS

MOST_CHUNKS = MAX_BATCH_CHUNKS
MOST_BYTES = 32 * 2**20
KEPT_POISON_BYTES = 64 * 2**10
RETRY_AFTER_MS = 5_000
SET_ASIDE = "set_aside"
"""Total: how many damaged stores this one stands in for. And the reason of the gaps that they leave."""

logger = logging.getLogger(__name__)


class Hole(Conflict):
    """A record came before the one that is due. `high_water` says how far the stream has been received."""

    def __init__(self, site: str, stream: str, high_water: int, found: int) -> None:
        super().__init__(
            f"stream {stream} of {site} has a hole", field="chunks.seq", found=found, wanted=f"seq {high_water + 1}"
        )
        self.high_water = high_water


class TelemetryStore:
    """The one writing connection to `directory/telemetry.db`. Synchronous; all calls from one thread at a time."""

    def __init__(
        self,
        directory: Path,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        settings: Settings = Settings(exclusive=False),  # noqa: B008 - frozen
        *,
        pass_on: Callable[[bytes], None] = lambda request: None,
    ) -> None:
        """Refused where another process has it, Broken where it cannot be read.

        `pass_on` hears each export request with spans that were new, as its bytes came, after the commit.
        """
        make_home(directory, settings)
        self.path = directory / "telemetry.db"
        self._settings = settings
        self._pass_on = pass_on
        self._fresh: list[bytes] = []
        self._wal_pages = 0
        self._broken: Broken | None = None
        self._closed = False
        self._ownership = Ownership(directory / "telemetry.db.lock")
        try:
            self._connection = open_database(self.path, FORMAT, settings)
            self._connection.set_wal_hook(self._committed)
            self._rows = Rows(self._connection)
            self._retiring = Retiring(self._connection, self._rows, limits)
        except BaseException:
            self.close()
            raise

    def receive(self, site: str, stream: str, chunks: Sequence[Chunk], now_ms: int) -> Receipt:
        """Keep the chunks of one stream, in order. The receipt is true after any crash.

        `accepted` and `duplicates` count chunks. Hole: nothing was kept, see `Hole.high_water`. Refused: out of
        bounds.
        """
        self._usable()
        _admit(site, stream, chunks)
        with self._transaction():
            before = self._one("select high_water from streams where site = ? and stream = ?", site, stream)
            high_water = before
            accepted = duplicates = 0
            for chunk in chunks:
                if not high_water and self._one("select value from totals where name = ?", SET_ASIDE):
                    high_water = self._pass_over(site, stream, chunk, now_ms)
                if chunk.seq <= high_water:
                    duplicates += 1
                    continue
                reached = self._keep(site, stream, chunk, high_water, now_ms)
                if not reached:
                    raise Hole(site, stream, before, chunk.seq)
                high_water = reached
                accepted += 1
            self._connection.execute(
                """insert into streams (site, stream, high_water, chunks, duplicates, first_at, last_at)
                   values (?1, ?2, ?3, ?4, ?5, ?6, ?6)
                   on conflict (site, stream) do update set high_water = ?3, chunks = chunks + ?4,
                       duplicates = duplicates + ?5, last_at = ?6""",
                (site, stream, high_water, accepted, duplicates, now_ms),
            )
        return Receipt(high_water, accepted, duplicates)

    def record(self, request: bytes, now_ms: int) -> int:
        """Keep the spans of an encoded OTLP export request; how many were new. Refused: it is not one."""
        return self.record_all([request], now_ms)[0]

    def record_all(self, requests: Iterable[bytes], now_ms: int) -> list[int]:
        """As `record` for several, in one transaction: all of them or none."""
        self._usable()
        try:
            parsed = [(request, payload.spans(request)) for request in requests]
        except ValueError as error:
            raise Refused(str(error), field="resource_spans") from error
        with self._transaction():
            return [self._keep_spans(request, rows, unusable, now_ms, "", 0) for request, (rows, unusable) in parsed]

    def away(self, window: AwayWindow) -> None:
        """Keep a window in which a site was away. Told again from the same moment, the later end stands."""
        self._usable()
        with self._transaction():
            self._connection.execute(
                """insert into away (site, from_ms, to_ms) values (?, ?, ?)
                   on conflict (site, from_ms) do update set to_ms = max(to_ms, excluded.to_ms)""",
                (window.site, window.from_ms, window.to_ms),
            )

    def promise(self, days: Mapping[str, int]) -> None:
        """By site, how many days its records are kept, whatever the limits say. Nothing is deleted before the first."""
        self._retiring.promise(days)

    def retire(self, now_ms: int) -> bool:
        """Delete one step of what is over the limits and not promised, oldest arrival first. Call again until False."""
        self._usable()
        gone, more = self._retiring.look(now_ms)
        if gone:
            with self._transaction():
                self._retiring.delete(gone)
        return more

    @property
    def untidy(self) -> bool:
        """Whether `tidy` has something to do."""
        return self._wal_pages * PAGE_BYTES > self._settings.wal_bytes

    def tidy(self) -> None:
        """Move the WAL into the database where it has grown past its bound."""
        self._usable()
        if not self.untidy:
            return
        try:
            pages, moved = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except (apsw.FullError, apsw.BusyError):
            return  # the WAL holds everything still
        except apsw.Error as error:
            raise self._break(f"the checkpoint failed: {error}") from error
        self._wal_pages = pages - moved

    def close(self) -> None:
        """Give the store back. Idempotent."""
        if self._closed:
            return
        self._closed = True
        connection: apsw.Connection | None = getattr(self, "_connection", None)
        if connection is not None:
            connection.close()
        self._ownership.release()

    def begin_anew(self) -> None:
        """This store stands in for one that was set aside: streams need not begin at 1."""
        with self._transaction():
            self._rows.count(SET_ASIDE, 1)

    def _pass_over(self, site: str, stream: str, chunk: Chunk, now_ms: int) -> int:
        """Begin a stream where its spool does; what is before it is a gap. The high water that this gives."""
        try:
            first = payload.gap(chunk.payload).from_seq if chunk.kind == "gap" else chunk.seq
        except ValueError:
            first = chunk.seq
        if first > 1:
            before = payload.Gap(1, first - 1, SET_ASIDE, 0, now_ms, now_ms)
            self._rows.keep_gap(site, stream, 1, before, now_ms, b"")
        return first - 1

    def _keep(self, site: str, stream: str, chunk: Chunk, high_water: int, now_ms: int) -> int:
        """Keep one chunk above the high water; the new high water, or 0 where the chunk leaves a hole before it."""
        if chunk.kind != "gap" and chunk.seq != high_water + 1:
            return 0
        start = high_water + 1
        try:
            if chunk.kind == "gap":
                gap = payload.gap(chunk.payload)
                if gap.to_seq != chunk.seq:
                    raise ValueError(f"a gap up to {gap.to_seq} came as {chunk.seq}")
                if gap.from_seq > start:
                    return 0
                self._rows.keep_gap(site, stream, start, gap, now_ms, b"")
            elif chunk.kind == "spans":
                rows, unusable = payload.spans(chunk.payload, site)
                self._keep_spans(chunk.payload, rows, unusable, now_ms, stream, chunk.seq)
            elif chunk.kind == "predictions":
                self._rows.keep_predictions(site, stream, chunk.seq, payload.predictions(chunk.payload), now_ms)
            else:
                raise ValueError(f"no kind of chunk is called {chunk.kind!r}")
        except ValueError as error:
            logger.warning("telemetry undecodable", extra={"at": (site, stream, chunk.seq), "because": str(error)})
            gap = payload.Gap(start, chunk.seq, "undecodable", max(chunk.count, 0), chunk.at, chunk.at)
            self._rows.keep_gap(site, stream, start, gap, now_ms, chunk.payload[:KEPT_POISON_BYTES])
        return chunk.seq

    def _keep_spans(
        self, request: bytes, rows: list[payload.SpanRow], unusable: int, now_ms: int, stream: str, seq: int
    ) -> int:
        kept = self._rows.keep_spans(rows, now_ms, stream, seq)
        self._rows.count("unusable_spans", unusable)
        if kept:
            self._fresh.append(request)
        return kept

    def _one(self, statement: str, *values: str) -> int:
        """The number that a statement finds, 0 where it finds none."""
        return int(self._connection.execute(statement, values).get or 0)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, one sync; errors of the database become ours."""
        try:
            self._connection.execute("begin immediate")
            self._fresh.clear()
            yield
            self._connection.execute("commit")
        except BaseException as error:
            self._undo()
            if isinstance(error, apsw.FullError):
                raise Unavailable("no room for telemetry", retry_after_ms=RETRY_AFTER_MS) from error
            if isinstance(error, apsw.CorruptError | apsw.NotADBError):
                aside.mark(self._settings.files, self.path)
            if isinstance(error, apsw.Error):
                raise self._break(f"telemetry was not stored: {error}") from error
            raise
        for request in self._fresh:
            self._pass_on(request)

    def _undo(self) -> None:
        self._rows.forget()
        try:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
        except apsw.Error as error:
            raise self._break(f"the rollback failed: {error}") from error

    def _committed(self, connection: apsw.Connection, database: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _usable(self) -> None:
        if self._broken is not None:
            raise self._broken
        if self._closed:
            raise Broken("the telemetry store is closed", field=str(self.path))

    def _break(self, because: str) -> Broken:
        self._broken = self._broken or Broken(because, field=str(self.path))
        return self._broken


def _admit(site: str, stream: str, chunks: Sequence[Chunk]) -> None:
    if not 0 < len(site) <= 253 or not 0 < len(stream) <= 253:
        raise Refused("site and stream need names", field="stream", found=(site, stream), wanted="1 to 253 characters")
    if len(chunks) > MOST_CHUNKS or sum(len(chunk.payload) for chunk in chunks) > MOST_BYTES:
        raise Refused("too much at once", field="chunks", wanted=f"{MOST_CHUNKS} chunks, {MOST_BYTES} bytes at most")
    for index, chunk in enumerate(chunks):
        if not 0 < chunk.seq <= payload.LARGEST_SEQ:
            wanted = f"1 to {payload.LARGEST_SEQ}"
            raise Refused("is no sequence number", field=f"chunks[{index}].seq", found=chunk.seq, wanted=wanted)
