"""Telemetry from a site's spool to the broker's store, each on its own disk; either loses its power at any call."""

from random import Random
from typing import Any

from agents.link.telemetry import KINDS
from agents.spool import Fact, Kind, Limits, ShedClass, SpoolReader, SpoolWriter
from broker.log.database import Settings
from broker.telemetry.store import TelemetryStore
from tests.broker.telemetry.made import MARCH, request, span
from tests.disks.files import PlatterFiles
from tests.disks.lives.life import Life
from tests.disks.platter import Platter, PowerGone
from tidegate.model.session import Chunk

SITE, STREAM = "press-7", "agent"
WAL_BYTES = 32 * 1024


class TelemetryLife(Life):
    """Every span that the spool took is in the store once; the store's ledger never goes back."""

    name = "telemetry"
    needed = ("start write", "start sync", "receive write", "receive sync", "checkpoint write", "checkpoint sync")

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.site = Platter(Random(self.chance.random()))
        self.site_files = PlatterFiles(self.site)
        self.promised: set[int] = set()
        self.tried: set[int] = set()
        self.number = 0
        self.receipt = 0
        self.store: TelemetryStore | None = None
        self._site_starts()

    def recover(self) -> None:
        settings = Settings(vfs=self.vfs.name, wal_bytes=WAL_BYTES, files=self.files)
        self.store = TelemetryStore(self.home, settings=settings)

    def judge(self) -> None:
        assert self.store is not None
        ledger = self.store.receive(SITE, STREAM, [], MARCH)
        assert ledger.high_water >= self.receipt, f"{self.receipt} was acknowledged, {ledger.high_water} is here"

    def work(self) -> None:
        try:
            if self.chance.random() < 0.4:
                self.span()
            else:
                self.send()
        except PowerGone:
            if not self.site.dead:
                raise
            self.did["sites cut"] += 1
            self._site_cut()

    def span(self) -> None:
        facts = []
        for _ in range(1 + self.chance.randrange(4)):
            self.number += 1
            self.tried.add(self.number)
            payload = request(span(self.number, self.number, name="x" * self.chance.randrange(120)))
            facts.append(Fact(Kind.SPANS, ShedClass.OK, MARCH, 1, payload))
        self.writer.append(facts)
        self.promised |= set(range(self.number - len(facts) + 1, self.number + 1))
        self.did["spans"] += len(facts)

    def send(self) -> None:
        taken = self.reader.read(STREAM, 0, 1 + self.chance.randrange(1500))
        if not taken:
            self.span()
            return
        chunks = [Chunk(each.seq, KINDS[each.kind], each.at_ms, each.count, each.payload) for each in taken]
        assert self.store is not None
        self.platter.doing = "receive"
        receipt = self.store.receive(SITE, STREAM, chunks, MARCH)
        assert receipt.high_water >= chunks[-1].seq
        self.receipt = max(self.receipt, receipt.high_water)
        self.platter.doing = "checkpoint"
        self.store.tidy()
        if self.chance.random() < 0.8:  # else the receipt was lost on its way
            self.reader.acknowledge(STREAM, receipt.high_water)

    def _site_starts(self) -> None:
        self.writer = SpoolWriter(self.site_files, "/spool", STREAM, Limits(2**20, 1024))
        self.reader = SpoolReader(self.site_files, "/spool")
        self.site.gone_at = self.site.calls + 1 + self.site.chance.randrange(300)

    def _site_cut(self) -> None:
        self.site.cut()
        while True:
            try:
                self._site_starts()
                return
            except PowerGone:
                self.site.cut()

    def drop(self) -> None:
        if self.store is not None:
            self.store.close()
            self.store = None

    def last(self) -> None:
        self.site.gone_at = 0
        assert self.store is not None
        while self.reader.read(STREAM, 0, 1):
            self.send()
        rows = self.store._connection.execute("select trace_id, count(*) from spans group by trace_id")
        there = {int.from_bytes(trace, "big"): count for trace, count in rows}
        assert set(there.values()) <= {1}, "a span is there twice"
        assert self.promised <= set(there), f"{len(self.promised - set(there))} spans were promised and are not there"
        assert set(there) <= self.tried
        # A cut in the middle of an append can leave a gap where nothing had been promised; that loses nothing.
        self.did["gaps at the broker"] += self.store._connection.execute("select count(*) from gaps").get
        assert self.store._connection.pragma("integrity_check") == "ok"
