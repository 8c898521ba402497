"""The broker's durable things: a log in memory that loses what was not synced, a directory for snapshots, no threads.

`LogDisk` is the platter, and outlives any process; `SimulatedLog` is one process' way to it and keeps the promises of
`broker.log.interface.Log`. An append takes a while. A process that dies in that while leaves the whole run or nothing,
by chance, as a real disk would; nobody was told. A disk that fails a sync does the same, and says `Broken`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from broker.log.record import Damage, Head, Record, Row, admit, chained, first_damage
from broker.log.worker import Worker
from tests.simulation.loop import Process, elapse, finished
from tidegate.model.errors import Broken, Unavailable

Answer = TypeVar("Answer")

SYNC_S = 0.004
"""The longest ordinary sync."""


@dataclass
class LogDisk:
    """What is on the platter. `full` makes appends fail as a full disk does, `failing` as a dying one does."""

    random: Random
    told: Callable[[str, Any], None]
    rows: list[Row] = field(default_factory=list)
    full: bool = False
    failing: bool = False
    slow_s: float = 0.0
    """Added to each sync."""
    stalls_s: float = 0.0
    """The same, for as long as somebody waits for a sync to be under way."""
    syncing: frozenset[str] = frozenset()
    """The kinds of event that are under way."""
    syncs: int = 0

    @property
    def head(self) -> Head:
        return Head(self.rows[-1].offset, self.rows[-1].chain) if self.rows else Head()


class SimulatedLog:
    """One process' log."""

    def __init__(self, disk: LogDisk, process: Process) -> None:
        self._disk, self._process = disk, process
        self._broken = ""
        self._head = disk.head

    @property
    def head(self) -> Head:
        return self._head

    async def append(self, records: Sequence[Record]) -> int:
        self._process.check()
        if self._broken:
            raise Broken(self._broken)
        admit(records)
        if self._disk.full:
            raise Unavailable("no room")
        rows = chained(self._head, records)
        self._disk.syncing = frozenset([row.kind for row in rows])
        try:
            await elapse(self._disk.random.random() * SYNC_S + self._disk.slow_s + self._disk.stalls_s)
            self._process.check()
            if self._disk.failing:
                raise Broken("the sync failed")
        except BaseException as error:
            # What was under way when the process died, or the disk did, is there or is not.
            self._broken = str(error) or "gone"
            if self._disk.random.random() < 0.5:
                self._land(rows)
            raise
        finally:
            self._disk.syncing = frozenset()
        self._land(rows)
        self._head = self._disk.head
        return self._head.offset

    async def read(self, after: int, limit: int) -> list[Row]:
        self._process.check()
        return self._disk.rows[after : min(after + limit, self._head.offset)]

    async def chain_at(self, offset: int) -> bytes | None:
        if offset > self._head.offset:
            return None
        return self._disk.rows[offset - 1].chain if offset else Head().chain

    async def verify(self, start: int = 1, end: int = 0) -> Damage | None:
        before = Head(start - 1, await self.chain_at(start - 1) or b"")
        return first_damage(before, self._disk.rows[start - 1 : end or self._head.offset])

    async def room(self) -> int:
        return 0 if self._disk.full else 2**30

    async def close(self) -> None:
        return None

    def _land(self, rows: list[Row]) -> None:
        self._disk.rows.extend(rows)
        self._disk.syncs += 1
        for row in rows:
            self._disk.told("log", (row.offset, row.kind, row.chain[:6]))


class MemoryDirectory:
    """A directory for snapshots. Writes are whole or absent; those of a dead process are absent."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.process: Process | None = None

    def names(self) -> list[str]:
        return sorted(self.files)

    def read(self, name: str) -> bytes:
        if name not in self.files:
            raise FileNotFoundError(name)
        return self.files[name]

    def write(self, name: str, parts: list[bytes]) -> None:
        if self.process is not None:
            self.process.check()
        self.files[name] = b"".join(parts)

    def remove(self, name: str) -> None:
        self.files.pop(name, None)

    def damage(self, random: Random) -> bool:
        """Flip a byte of the newest file, or cut it short; False where there is none."""
        if not self.files:
            return False
        name = self.names()[-1]
        data, at = bytearray(self.files[name]), random.randrange(len(self.files[name]))
        if random.random() < 0.5:
            data[at] ^= 0xFF
        else:
            del data[at:]
        self.files[name] = bytes(data)
        return True


class InlineWorker(Worker):
    """A worker whose thread is the loop's own: each job is done when it is given."""

    def __init__(self, name: str, process: Process) -> None:
        self.name = name
        self._process = process

    async def do(self, job: Callable[[], Answer]) -> Answer:
        self._process.check()
        await elapse(0)
        self._process.check()
        return job()

    def later(self, job: Callable[[], Answer]) -> Any:
        self._process.check()
        return finished(job)

    def stop(self) -> None:
        return None
