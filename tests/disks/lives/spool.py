"""A site's spool under pressure: small bounds, so that segments roll over and are shed, and a far end that counts."""

from agents.spool import Fact, Kind, Limits, Record, ShedClass, SpoolFull, SpoolReader, SpoolWriter
from tests.disks.lives.life import Life
from tests.support.far_end import FarEnd

STREAM = "agent"
WAITING = (Kind.SPANS, Kind.PREDICTIONS)
SIZES = (0, 20, 100, 100, 100, 300, 800)


def same(record: Record, fact: Fact) -> bool:
    return (record.kind, record.shed_class, record.at_ms, record.count, record.payload) == (
        fact.kind,
        fact.shed_class,
        fact.at_ms,
        fact.count,
        fact.payload,
    )


class SpoolLife(Life):
    """Each number is delivered as it was promised, or told to be missing where it may be; none is used twice."""

    name = "spool"
    needed = (
        "start write",
        "start rename",
        "append write",
        "append sync",
        "rollover make",
        "rollover write",
        "rollover sync",
        "rollover sync_directory",
        "shed make",
        "shed write",
        "shed sync",
        "shed rename",
        "shed remove",
        "shed sync_directory",
        "promise write",
        "acknowledge write",
        "acknowledge sync",
        "acknowledge rename",
        "acknowledge remove",
        "acknowledge sync_directory",
    )

    def __init__(self, *arguments, **named) -> None:  # type: ignore[no-untyped-def]
        super().__init__(*arguments, **named)
        roomy = self.chance.random() < 0.4
        self.limits = Limits(2**20, 1024) if roomy else Limits(8192, 1024)
        self.shedding = not roomy
        self.audit = self.chance.choice((0.0, 0.05, 0.3))
        self.far_end = FarEnd()
        self.promised: dict[int, Fact] = {}
        self.tried: dict[int, list[Fact]] = {}
        """What ever was to have a number, promised or not."""
        self.root = f"{self.home}/spool"

    def recover(self) -> None:
        self.writer = SpoolWriter(self.files, self.root, STREAM, self.limits)
        self.reader = SpoolReader(self.files, self.root)

    def judge(self) -> None:
        assert self.writer.last_seq >= max(self.promised, default=0), "promised numbers would be used again"
        assert self.writer.last_seq >= self.far_end.high, "a number that the far end has would be used again"

    def work(self) -> None:
        if self.chance.random() < 0.25:
            self.sync(self.chance.randrange(3000))
        else:
            self.append(1 + self.chance.randrange(5))

    def append(self, count: int) -> None:
        batch = [self._fact() for _ in range(count)]
        before = self.writer.last_seq
        for index, fact in enumerate(batch):
            self.tried.setdefault(before + 1 + index, []).append(fact)
        self.platter.doing = "append"
        try:
            last = self.writer.append(batch)
        except SpoolFull:
            self.did["refused"] += 1
            assert self.writer.last_seq == before
            return
        assert last == before + len(batch)
        assert before >= max(self.promised, default=0)
        self.promised |= {before + 1 + index: fact for index, fact in enumerate(batch)}
        self.did["facts"] += len(batch)

    def placed(self, doing: str, call: str, path: str) -> str:
        """An append is several deeds: what fits, a new segment, what is shed for it, and the promise to the reader."""
        if doing != "append":
            return doing
        if path.endswith("/durable"):
            return "promise"
        if path.endswith(".new") or call in ("remove", "rename"):
            return "shed"
        if call == "sync_directory":
            made, name = self.platter.before
            return "rollover" if made == "make" and name.endswith(".log") else "shed"
        return "append" if path == self.writer._segments[-1].path else "rollover"

    def _fact(self) -> Fact:
        chance = self.chance
        shed = ShedClass.AUDIT if chance.random() < self.audit else ShedClass(chance.choice((0, 0, 1, 1, 1, 2)))
        payload = bytes((chance.randrange(256),)) * chance.choice(SIZES)
        return Fact(WAITING[chance.randrange(2)], shed, chance.randrange(10**6), chance.randrange(50), payload)

    def sync(self, most: int) -> None:
        taken = self.reader.read(STREAM, self.reader.acknowledged(STREAM), most)
        self.far_end.take(taken)
        if taken and self.chance.random() < 0.9:
            self.platter.doing = "acknowledge"
            self.reader.acknowledge(STREAM, taken[-1].seq)

    def drop(self) -> None:
        return None

    def last(self) -> None:
        while taken := self.reader.read(STREAM, self.reader.acknowledged(STREAM), 4000):
            self.far_end.take(taken)
            self.reader.acknowledge(STREAM, taken[-1].seq)
        assert self.far_end.high == self.writer.last_seq
        missing = {seq for gap in self.far_end.gaps for seq in range(gap.from_seq, gap.to_seq + 1)}
        for seq, fact in self.promised.items():
            if seq in self.far_end.received:
                assert same(self.far_end.received[seq], fact), f"{seq} came as something else"
            else:
                assert seq in missing, f"{seq} was promised and never came"
                assert self.shedding, f"{seq} is missing and there was room"
                assert fact.shed_class is not ShedClass.AUDIT, f"{seq} is audit and was shed"
        for seq, record in self.far_end.received.items():
            assert any(same(record, fact) for fact in self.tried[seq]), f"{seq} came as nobody sent it"
        self.did["gaps"] += len(self.far_end.gaps)
        self.writer.close()
