"""The embedded log: `SqliteLog` on a thread of its own, so that the loop goes on turning while a sync runs.

One thread, one connection, jobs in the order they were given: a read sees every append before it. A checkpoint is a
job of its own, queued after the answer to an append, so that no caller waits for it. A read holds an append up by its
own length, which `Log.read`'s limit and `VERIFY_ROWS` keep to a few milliseconds.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from broker.log.database import Settings
from broker.log.record import Damage, Head, Record, Row
from broker.log.sqlite import RESERVE_BYTES, TAIL_ROWS, VERIFY_ROWS, SqliteLog
from broker.log.worker import Worker
from tidegate.model.errors import Broken

MOST_ROWS_READ = 10_000


class EmbeddedLog:
    """The log of a directory, behind `broker.log.interface.Log`."""

    def __init__(self, log: SqliteLog, worker: Worker) -> None:
        """Use `open`. From here on only `worker` touches `log`."""
        self._log = log
        self._worker = worker

    @staticmethod
    async def open(
        directory: Path,
        settings: Settings = Settings(),  # noqa: B008 - frozen
        *,
        tail_rows: int = TAIL_ROWS,
        reserve_bytes: int = RESERVE_BYTES,
    ) -> "EmbeddedLog":
        """As `SqliteLog`: Refused where another process has it, Broken where it is damaged."""
        worker = Worker("log")
        try:
            log = await worker.do(
                lambda: SqliteLog(directory, settings, tail_rows=tail_rows, reserve_bytes=reserve_bytes)
            )
        except BaseException:
            worker.stop()
            raise
        return EmbeddedLog(log, worker)

    @property
    def head(self) -> Head:
        """The last durable row."""
        return self._log.head

    async def append(self, records: Sequence[Record]) -> int:
        """See `Log.append`."""
        offset = await self._worker.do(partial(self._log.append, records))
        if self._log.untidy:
            self._worker.later(self._log.tidy)  # where it fails, the log is broken and the next append says so
        return offset

    async def read(self, after: int, limit: int) -> list[Row]:
        """See `Log.read`; at most `MOST_ROWS_READ` rows whatever the limit."""
        return await self._worker.do(partial(self._log.read, after, min(limit, MOST_ROWS_READ)))

    async def chain_at(self, offset: int) -> bytes | None:
        """See `Log.chain_at`."""
        return await self._worker.do(partial(self._log.chain_at, offset))

    async def verify(self, start: int = 1, end: int = 0) -> Damage | None:
        """See `Log.verify`. Appends go on between its steps."""
        offset = max(start, 1) - 1
        end = end or self._log.head.offset
        while offset < end:
            stop = min(offset + VERIFY_ROWS, end)
            damage = await self._worker.do(partial(self._log.verify_run, offset, stop))
            if damage is not None:
                return damage
            offset = stop
        return None

    async def room(self) -> int:
        """See `Log.room`."""
        return await self._worker.do(self._log.room)

    async def close(self) -> None:
        """Give the log back, after the jobs that were given before. Idempotent."""
        try:
            await self._worker.do(self._log.close)
        except Broken:
            return
        self._worker.stop()
