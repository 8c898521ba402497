"""What every log offers: the embedded one in SQLite, and others that keep the same promises.

The promises, which a test suite can hold against any implementation:

- `append` returns after a sync. What it returned for is there after any crash, whole, in that order.
- The records of one `append` are all there or none is.
- Offsets are 1, 2, 3 ...; a row once written never changes and never goes.
- After `Broken` nothing is ever appended again through this object (the process ends).
"""

from collections.abc import Sequence
from typing import Protocol

from broker.log.record import Damage, Head, Record, Row


class Log(Protocol):
    """The ordered durable events. One writer; its methods may be awaited from one event loop."""

    @property
    def head(self) -> Head:
        """The last durable row. Never ahead of what a crash would leave."""

    async def append(self, records: Sequence[Record]) -> int:
        """The offset of the last record, after one sync for all of them; an empty run answers the head's offset.

        Refused: a record is out of its bounds; nothing was written. Unavailable: no room; nothing was written, and the
        log can be used. Broken: a sync or a write failed; whether the records are there is unknown until the next
        start. A caller that applied the records before this returned ends the process on Unavailable too.
        """

    async def read(self, after: int, limit: int) -> list[Row]:
        """At most `limit` rows with offsets above `after`, in order. Broken where a row's checksum does not hold."""

    async def chain_at(self, offset: int) -> bytes | None:
        """The chain hash at an offset (0 gives the genesis), None where the log does not reach that far."""

    async def verify(self, start: int = 1, end: int = 0) -> Damage | None:
        """The first bad row from `start` to `end` (0: the head), by checksum, chain and contiguity. None: all hold."""

    async def room(self) -> int:
        """Bytes that may still be written before the reserve is touched; at or below 0, take on no new work."""

    async def close(self) -> None:
        """Give the log back. Idempotent."""
