"""The broker's log and its snapshots, as the broker has them: real SQLite, real files, real recovery."""

from broker.log.database import Settings
from broker.log.disk import DiskDirectory
from broker.log.record import Head, Record, first_damage
from broker.log.snapshots import Snapshot, Snapshots
from broker.log.sqlite import SqliteLog
from tests.broker.log.history import made_up_run
from tests.disks.lives.life import Life
from tidegate.model.errors import Broken

WAL_BYTES = 24 * 1024
STATE = 3_000


def state_at(head: Head) -> bytes:
    """The state that belongs to a head: nothing else can be told from the log alone either."""
    return (head.chain * (STATE // 32 + 1))[: STATE + head.offset % 100]


class LogLife(Life):
    """Acknowledged rows are there, whole appends or none, in a dense chain; a snapshot is right or not there."""

    name = "log"
    needed = (
        "start write",
        "start sync",
        "append write",
        "append sync",
        "checkpoint write",
        "checkpoint sync",
        "snapshot make",
        "snapshot write",
        "snapshot sync",
        "snapshot rename",
        "snapshot sync_directory",
        "snapshot remove",
    )

    def __init__(self, *arguments, **named) -> None:  # type: ignore[no-untyped-def]
        super().__init__(*arguments, **named)
        self.acknowledged = 0
        self.tried = 0
        """The head if the append under way is there."""
        self.checked = Head()
        self.kept = 0
        """The offset of the last snapshot whose write returned, unless it has rotted since."""
        self.log: SqliteLog | None = None
        self.newest: Snapshot | None = None

    def recover(self) -> None:
        settings = Settings(vfs=self.vfs.name, wal_bytes=WAL_BYTES, files=self.files)
        self.log = SqliteLog(self.home, settings, reserve_bytes=0)
        self.snapshots = Snapshots(DiskDirectory(self.home / "snapshots", self.files), format=1)
        self.newest = self.snapshots.newest(self.log.chain_at)

    def judge(self) -> None:
        assert self.log is not None
        head = self.log.head
        assert head.offset in (self.acknowledged, self.tried), (
            f"{self.acknowledged} rows were acknowledged, {self.tried} tried, {head.offset} are there"
        )
        rows = self.log.read(self.checked.offset, head.offset)
        expected = made_up_run(self.checked.offset, head.offset - self.checked.offset)
        assert [Record(row.kind, row.version, row.at, row.payload) for row in rows] == expected
        assert first_damage(self.checked, rows) is None
        self.acknowledged = self.tried = head.offset
        self.checked = head  # what a start has shown is durable: it is never undone
        newest = self.newest
        assert newest is not None or not self.kept, f"the snapshot at {self.kept} is gone"
        if newest is not None:
            assert newest.state == state_at(newest.head)
            assert newest.head.offset >= self.kept, f"the snapshot at {self.kept} is gone"

    def work(self) -> None:
        assert self.log is not None
        match self.chance.randrange(12):
            case 0 if self.log.head.offset:
                self.keep()
            case 1 if self.chance.random() < 0.3:
                self.rot()
            case _:
                self.append(1 + int(self.chance.expovariate(0.4)))
                self.checkpoint()

    def append(self, count: int) -> None:
        assert self.log is not None
        self.tried = self.acknowledged + count
        self.platter.doing = "append"
        self.acknowledged = self.log.append(made_up_run(self.acknowledged, count))
        assert self.acknowledged == self.tried
        self.did["rows"] += count

    def checkpoint(self) -> None:
        assert self.log is not None
        self.platter.doing = "checkpoint"
        self.log.tidy()

    def keep(self) -> None:
        assert self.log is not None
        self.platter.doing = "snapshot"
        self.snapshots.write(self.log.head, state_at(self.log.head))
        self.kept = self.log.head.offset
        self.did["snapshots"] += 1

    def rot(self) -> None:
        """The newest snapshot goes bad where it lies: it must be passed over, not believed."""
        offsets = self.snapshots.offsets()
        if offsets:
            path = f"{self.home}/snapshots/snapshot-{offsets[-1]:020d}"
            self.platter.rot(path, self.chance.randrange(len(self.platter.node(path).data)))
            self.kept = 0
            self.did["rotten snapshots"] += 1

    def drop(self) -> None:
        if self.log is not None:
            self.log.close()
            self.log = None

    def last(self) -> None:
        """And then a byte of the database goes bad: it is refused, or told, or was of no account."""
        assert self.log is not None
        assert self.log.verify() is None
        self.log.close()
        path = f"{self.home}/log.db"
        size = len(self.platter.node(path).data)
        if not size:
            return
        self.platter.rot(path, self.chance.randrange(size))
        try:
            log = self.log = SqliteLog(
                self.home, Settings(vfs=self.vfs.name, wal_bytes=WAL_BYTES, files=self.files), reserve_bytes=0
            )
            if log.verify() is None:
                rows = log.read(0, log.head.offset)
                expected = made_up_run(0, log.head.offset)
                assert [Record(row.kind, row.version, row.at, row.payload) for row in rows] == expected
                assert log.head.offset == self.acknowledged, "rows are missing and nothing said so"
        except Broken:
            self.did["rotten logs refused"] += 1
