"""The log in SQLite: one file, one connection, one writer.

What it is: rows keyed by offset in `log.db`, appended in transactions of one sync each, never changed (triggers refuse
it). What it is not: a place to search. Read models are rebuilt from it elsewhere.

Failure, decided once:

- A failed sync, a failed write, a damaged page: Broken, and this object never appends again. After a failed sync the
  kernel may have dropped the pages while SQLite would gladly acknowledge the next commit on the same connection; so
  would any retry.
- The disk is full (SQLITE_FULL): the statement's error rolls the transaction back. The frames written so far carry no
  commit mark, the next append writes over them, and a crash before that ignores them. So nothing of the append is
  there and the log is usable: Unavailable, after checking that the head is still the head. SQLite reports so only a
  *write* that found no room; a *sync* that found none is an I/O error and Broken. `room` lets the loop stop taking on
  work long before.

Limits: 200,000 records and 256 MiB of payload an append, which is what one command leads to and a bounded run of others
beside it (`broker.runtime.loop`); the WAL is checkpointed above `Settings.wal_bytes` (16 MiB) by
`tidy`, and by the next append itself above four times that.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import apsw

from broker.log.database import PAGE_BYTES, Format, Settings, make_home, open_database
from broker.log.ownership import Ownership
from broker.log.record import GENESIS, Damage, Head, Record, Row, admit, chained, first_damage, stands_alone
from tidegate.model.errors import Broken, Refused, Unavailable

MOST_RECORDS = 200_000
MOST_BYTES = 256 * 2**20
TAIL_ROWS = 1_000
"""Rows checked at each start; the whole log on request (`verify`)."""
RESERVE_BYTES = 256 * 2**20
"""Kept free for what must still be written when new work is refused: cancellations, fences, audit."""
VERIFY_ROWS = 1_000
"""Rows read at a time by a check of the whole log."""

FORMAT = Format(
    application_id=0x5447_4C47,  # "TGLG"
    version=1,
    schema="""
    create table log (
        offset integer primary key,
        kind text not null,
        version integer not null,
        at integer not null,
        payload blob not null,
        crc integer not null,
        chain blob not null
    ) strict;
    create trigger log_never_changes before update on log begin select raise(abort, 'the log never changes'); end;
    create trigger log_never_shrinks before delete on log begin select raise(abort, 'the log never shrinks'); end;
    """,
)

_INSERT = "insert into log (offset, kind, version, at, payload, crc, chain) values (?, ?, ?, ?, ?, ?, ?)"
_SELECT = "select offset, kind, version, at, payload, crc, chain from log"

_TYPES = (str, int, int, bytes, int, bytes)
"""Of kind, version, at, payload, crc and chain: SQLite itself would take anything anywhere."""

logger = logging.getLogger(__name__)


class SqliteLog:
    """The log of a directory. Synchronous; all calls from one thread at a time."""

    def __init__(
        self,
        directory: Path,
        settings: Settings = Settings(),  # noqa: B008 - frozen
        *,
        tail_rows: int = TAIL_ROWS,
        reserve_bytes: int = RESERVE_BYTES,
        free: Callable[[Path], int] | None = None,
    ) -> None:
        """Opens or makes `directory/log.db` and checks its last `tail_rows` rows. `free`: how much room the disk has.

        Refused where another process has it; Broken where it is damaged (the message names the first bad row found).
        """
        make_home(directory, settings)
        self.path = directory / "log.db"
        self._directory = directory
        self._settings = settings
        self._reserve_bytes = reserve_bytes
        self._free = free or (lambda path: settings.files.free(str(path)))
        self._wal_pages = 0
        self._broken: Broken | None = None
        self._closed = False
        self._ownership = Ownership(directory / "log.db.lock")
        try:
            self._connection = open_database(self.path, FORMAT, settings)
            self._connection.set_wal_hook(self._committed)
            self._head = self._read_head()
            damage = self.verify(max(1, self._head.offset - tail_rows + 1))
            if damage is not None:
                raise Broken(f"row {damage.offset} is damaged: {damage.because}", field=str(self.path))
        except BaseException:
            self.close()
            raise

    @property
    def head(self) -> Head:
        """The last durable row."""
        return self._head

    @property
    def wal_bytes(self) -> int:
        """Size of the write-ahead log in use after the last commit or checkpoint."""
        return self._wal_pages * PAGE_BYTES

    @property
    def untidy(self) -> bool:
        """Whether `tidy` has something to do."""
        return self.wal_bytes > self._settings.wal_bytes

    def append(self, records: Sequence[Record]) -> int:
        """See `Log.append`."""
        self._usable()
        if not records:
            return self._head.offset
        admit(records)
        if len(records) > MOST_RECORDS or sum(len(record.payload) for record in records) > MOST_BYTES:
            raise Refused(
                "too much for one append", found=len(records), wanted=f"{MOST_RECORDS} records, {MOST_BYTES} bytes"
            )
        if self.wal_bytes > 4 * self._settings.wal_bytes:
            self.tidy()
        rows = chained(self._head, records)
        try:
            self._connection.execute("begin immediate")
            self._connection.executemany(
                _INSERT, ((r.offset, r.kind, r.version, r.at, r.payload, r.crc, r.chain) for r in rows)
            )
            self._connection.execute("commit")
        except apsw.FullError as error:
            self._undo()
            raise Unavailable("no room for the append; nothing of it was written", field=str(self.path)) from error
        except apsw.Error as error:
            raise self._break(f"the append failed: {error}") from error
        self._head = Head(rows[-1].offset, rows[-1].chain)
        return self._head.offset

    def read(self, after: int, limit: int) -> list[Row]:
        """See `Log.read`."""
        self._usable()
        rows = self._select(after, limit)
        for row in rows:
            if not stands_alone(row):
                raise self._break(f"row {row.offset} is damaged: the checksum does not hold")
        return rows

    def chain_at(self, offset: int) -> bytes | None:
        """See `Log.chain_at`."""
        self._usable()
        if offset == 0:
            return GENESIS
        try:
            found = self._connection.execute("select chain from log where offset = ?", (offset,)).fetchone()
        except apsw.Error as error:
            raise self._break(f"row {offset} cannot be read: {error}") from error
        if found is not None and not isinstance(found[0], bytes):
            raise self._break(f"row {offset} is damaged: its chain hash is none")
        return None if found is None else bytes(found[0])

    def verify(self, start: int = 1, end: int = 0) -> Damage | None:
        """See `Log.verify`. Reads `VERIFY_ROWS` at a time, so memory stays flat."""
        offset = max(start, 1) - 1
        end = end or self._head.offset
        while offset < end:
            stop = min(offset + VERIFY_ROWS, end)
            damage = self.verify_run(offset, stop)
            if damage is not None:
                return damage
            offset = stop
        return None

    def verify_run(self, after: int, end: int) -> Damage | None:
        """As `verify` for the rows above `after` up to `end`, read at once."""
        try:
            chain = self.chain_at(after)
            rows = self._select(after, end - after)
        except Broken as broken:
            return Damage(after + 1, broken.message)
        if chain is None:
            return Damage(after, "the row is missing")
        damage = first_damage(Head(after, chain), rows)
        if damage is None and len(rows) < end - after:
            return Damage(after + len(rows) + 1, "the row is missing")
        return damage

    def room(self) -> int:
        """See `Log.room`. Counts the WAL as full, since a checkpoint writes it a second time."""
        free = self._free(self._directory) - self._reserve_bytes - self._settings.wal_bytes
        if self._settings.most_bytes:
            free = min(free, self._settings.most_bytes - int(self._connection.pragma("page_count")) * PAGE_BYTES)
        return free

    def tidy(self) -> None:
        """Move the WAL into the database where it has grown past its bound. Nothing is made durable by this."""
        self._usable()
        if not self.untidy:
            return
        try:  # passive: with no other connection it moves everything, and the next append overwrites the WAL in place
            pages, moved = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.FullError:
            return  # the WAL holds everything still; a later checkpoint may find room
        except apsw.Error as error:
            raise self._break(f"the checkpoint failed: {error}") from error
        self._wal_pages = pages - moved

    def close(self) -> None:
        """Give the log back. Idempotent; after this every call is Broken.

        A sound log is checkpointed on the way out, a broken one is left as it is. Neither matters to what is durable.
        """
        if self._closed:
            return
        self._closed = True
        connection: apsw.Connection | None = getattr(self, "_connection", None)
        try:
            if connection is not None and self._broken is None:
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.Error as error:
            logger.warning("log not checkpointed at close", extra={"path": str(self.path), "because": str(error)})
        finally:
            if connection is not None:
                connection.close()
            self._ownership.release()

    def _select(self, after: int, limit: int) -> list[Row]:
        try:
            found = self._connection.execute(f"{_SELECT} where offset > ? order by offset limit ?", (after, limit))
            rows = [Row(*fields) for fields in found]
        except (apsw.Error, UnicodeDecodeError) as error:
            raise self._break(f"the rows after {after} cannot be read: {error}") from error
        for row in rows:
            if tuple(map(type, (row.kind, row.version, row.at, row.payload, row.crc, row.chain))) != _TYPES:
                raise self._break(f"row {row.offset} is damaged: its columns hold what nobody wrote")
        return rows

    def _read_head(self) -> Head:
        try:
            found = self._connection.execute("select offset, chain from log order by offset desc limit 1").fetchone()
        except apsw.Error as error:
            raise self._break(f"the last row cannot be read: {error}") from error
        if found is not None and not (isinstance(found[0], int) and isinstance(found[1], bytes)):
            raise self._break("the last row is damaged: it has no place or no chain hash")
        return Head() if found is None else Head(*found)

    def _undo(self) -> None:
        """After SQLITE_FULL: no transaction is open and the head is the head, or this log is broken."""
        try:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
        except apsw.Error as error:
            raise self._break(f"a full disk, then the rollback failed: {error}") from error
        if self._read_head() != self._head:
            raise self._break("a full disk left part of an append behind")

    def _committed(self, connection: apsw.Connection, database: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _usable(self) -> None:
        if self._broken is not None:
            raise self._broken
        if self._closed:
            raise Broken("the log is closed", field=str(self.path))

    def _break(self, because: str) -> Broken:
        self._broken = self._broken or Broken(because, field=str(self.path))
        return self._broken
