"""The trace store as its readers see it: every question that they answer, before a cut and after it."""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import apsw

from broker.log.database import Settings
from broker.telemetry.finding import TelemetryReader
from broker.telemetry.retiring import Limits
from broker.telemetry.span import AwayWindow, Wanted
from broker.telemetry.store import TelemetryStore
from tests.broker.telemetry.made import MARCH, gap_chunk, predictions_chunk, request, span
from tests.disks.files import PlatterFiles
from tests.disks.lives.life import Life
from tidegate.model.session import Chunk

SITES = ("press-7", "press-8")
STREAM = "agent"
TRACES = 6
WORKLOADS = ("w1", "w2")
LIMITS = Limits(most_spans=24, most_predictions=12)
WAL_BYTES = 48 * 1024


@dataclass(frozen=True)
class Kept:
    """A span, by the numbers that it is made of."""

    number: int
    trace: int
    site: str
    workload: str
    link: int
    """A trace that it links to; 0 for none."""


@dataclass
class Known:
    """Everything that was acknowledged, in plain collections; `answers` is what readers must say of it."""

    spans: list[Kept] = field(default_factory=list)
    """In the order of their arrival."""
    predictions: list[tuple[str, int]] = field(default_factory=list)
    high: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    gaps: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    away: dict[tuple[str, int], int] = field(default_factory=dict)

    def answers(self) -> dict[str, Any]:
        told: dict[str, Any] = {}
        for trace in range(1, TRACES + 1):
            told[f"trace {trace}"] = sorted(each.number for each in self.spans if each.trace == trace)
            there = {each.link for each in self.spans if each.trace == trace and each.link}
            back = {each.trace for each in self.spans if each.link == trace}
            told[f"linked {trace}"] = sorted((there | back) - {trace})
        for workload in WORKLOADS:
            latest = {each.trace: each.number for each in self.spans if each.workload == workload}
            order = sorted(latest, key=lambda trace: -max(self._of(trace, workload)))
            told[f"of {workload}"] = order
            told[f"search {workload}"] = [(trace, sum(each.trace == trace for each in self.spans)) for trace in order]
        for site in SITES:
            spans = sum(each.site == site for each in self.spans)
            predictions = sum(where == site for where, _ in self.predictions)
            gone = sum(to - from_ + 1 for from_, to in self.gaps.get(site, ()))
            told[f"counts {site}"] = (spans, predictions, gone)
            told[f"gaps {site}"] = sorted(self.gaps.get(site, ()))
            told[f"away {site}"] = sorted((since, to) for (where, since), to in self.away.items() if where == site)
        told["marks"] = sorted(self.high.items())
        told["duplicates"] = self.duplicates
        told["totals"] = (len(self.spans), len(self.predictions))
        return told

    def _of(self, trace: int, workload: str) -> list[int]:
        return [each.number for each in self.spans if each.trace == trace and each.workload == workload]


def asked(reader: TelemetryReader) -> dict[str, Any]:
    """The same questions, put to a reader."""
    told: dict[str, Any] = {}
    for trace in range(1, TRACES + 1):
        found = reader.trace(_hex(trace))
        told[f"trace {trace}"] = [int(each.span_id, 16) for each in found]
        told[f"linked {trace}"] = sorted(int(each, 16) for each in reader.linked(_hex(trace)))
    for workload in WORKLOADS:
        told[f"of {workload}"] = [int(each, 16) for each in reader.traces_of(workload)]
        summaries = reader.search(Wanted(workload=workload))
        told[f"search {workload}"] = [(int(each.trace_id, 16), each.spans) for each in summaries]
    for site in SITES:
        counts = reader.counts(site)
        told[f"counts {site}"] = (counts.spans, counts.predictions, counts.gap_records)
        told[f"gaps {site}"] = sorted((gap.from_seq, gap.to_seq) for gap in reader.gaps(site))
        told[f"away {site}"] = sorted((window.from_ms, window.to_ms) for window in reader.away([site]))
    told["marks"] = sorted((mark.site, mark.high_water) for mark in reader.marks())
    told["duplicates"] = reader.counts().duplicate_records
    totals = reader.totals()
    told["totals"] = (totals.get("spans", 0), totals.get("predictions", 0))
    return told


class ReadersLife(Life):
    """Whoever reads finds all that was acknowledged, by every index; what was under way is there whole or not."""

    name = "readers"
    needed = (
        "start write",
        "start sync",
        *(f"{doing} {call}" for doing in ("receive", "record", "window", "retire") for call in ("write", "sync")),
        "checkpoint write",
        "checkpoint sync",
    )

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.known = Known()
        self.trying: Known | None = None
        """What is known if the deed under way is there."""
        self.number = 0
        self.sent: dict[str, Chunk] = {}
        self.store: TelemetryStore | None = None

    def recover(self) -> None:
        settings = Settings(vfs=self.vfs.name, wal_bytes=WAL_BYTES, files=self.files)
        self.store = TelemetryStore(self.home, LIMITS, settings)
        self.store.promise({})

    def judge(self) -> None:
        told = self._read()
        if told != self.known.answers():
            assert self.trying is not None, self._differing(told)
            assert told == self.trying.answers(), self._differing(told)
            self.known = self.trying
        self.trying = None
        self.did["questions"] += len(told)

    def _read(self) -> dict[str, Any]:
        """By a reader of its own, on an image of the disk as it is seen: there are no locks between two connections."""
        image = PlatterFiles()
        image.make_directory(str(self.home))
        for path in (f"{self.home}/telemetry.db", f"{self.home}/telemetry.db-wal"):
            if self.files.exists(path):
                image.append(path).write(self.files.read(path))
        self.vfs.platter = image.platter
        reader = TelemetryReader.__new__(TelemetryReader)
        reader._connection = apsw.Connection(
            str(self.home / "telemetry.db"), flags=apsw.SQLITE_OPEN_READONLY, vfs=self.vfs.name
        )
        try:
            reader._connection.pragma("locking_mode", "exclusive")
            return asked(reader)
        finally:
            reader.close()
            self.vfs.platter = self.platter

    def _differing(self, told: dict[str, Any]) -> str:
        """The first question that is answered otherwise."""
        wanted = self.known.answers()
        name = next(name for name in wanted if told[name] != wanted[name])
        return f"{name}: {wanted[name]} was acknowledged, readers find {told[name]}"

    def work(self) -> None:
        match self.chance.randrange(10):
            case 0 | 1:
                self.record()
            case 2:
                self.window()
            case 3 | 4:
                self.retire()
            case _:
                self.receive()
        assert self.store is not None
        self.platter.doing = "checkpoint"
        self.store.tidy()

    def receive(self) -> None:
        """A batch of a site's stream, in which one may come again that was acknowledged."""
        site = self.chance.choice(SITES)
        after = self._try("receive")
        chunks = []
        if site in self.sent and self.chance.random() < 0.2:
            chunks.append(self.sent[site])
            after.duplicates += 1
        for _ in range(1 + self.chance.randrange(3)):
            chunks.append(self._chunk(site, after))
            after.high[site] = chunks[-1].seq
        assert self.store is not None
        self.store.receive(site, STREAM, chunks, MARCH)
        self.known, self.trying, self.sent[site] = after, None, chunks[-1]
        self.did["batches"] += 1

    def _chunk(self, site: str, after: Known) -> Chunk:
        seq = after.high.get(site, 0) + 1
        match self.chance.randrange(6):
            case 0:
                to = seq + self.chance.randrange(3)
                after.gaps.setdefault(site, []).append((seq, to))
                return gap_chunk(seq, to)
            case 1:
                count = 1 + self.chance.randrange(4)
                first, self.number = self.number + 1, self.number + count
                after.predictions += [(site, number) for number in range(first, first + count)]
                return predictions_chunk(seq, first, count)
            case _:
                spans = self._spans(site, after)
                return Chunk(seq, "spans", MARCH, len(spans), request(*map(_made, spans)))

    def record(self) -> None:
        """A direct export, sent again now and then."""
        after = self._try("record")
        payload = request(*map(_made, self._spans(SITES[0], after)), tidegate_site=SITES[0])
        assert self.store is not None
        self.store.record(payload, MARCH)
        self.known, self.trying = after, None
        self.did["exports"] += 1

    def window(self) -> None:
        after = self._try("window")
        site, since = self.chance.choice(SITES), MARCH + self.chance.randrange(5)
        to = since + 1 + self.chance.randrange(900)
        after.away[site, since] = max(to, after.away.get((site, since), 0))
        assert self.store is not None
        self.store.away(AwayWindow(site, since, to))
        self.known, self.trying = after, None

    def retire(self) -> None:
        after = self._try("retire")
        after.spans = after.spans[-LIMITS.most_spans :]
        after.predictions = after.predictions[-LIMITS.most_predictions :]
        self.did["retired"] += len(self.known.spans) - len(after.spans)
        assert self.store is not None
        self.store.retire(MARCH)
        self.known, self.trying = after, None

    def _spans(self, site: str, after: Known) -> list[Kept]:
        made = []
        for _ in range(1 + self.chance.randrange(3)):
            self.number += 1
            workload = self.chance.choice(("", *WORKLOADS))
            link = self.chance.choice((0, 0, self.chance.randint(1, TRACES)))
            made.append(Kept(self.number, self.chance.randint(1, TRACES), site, workload, link))
        after.spans += made
        return made

    def _try(self, doing: str) -> Known:
        self.platter.doing = doing
        self.trying = deepcopy(self.known)
        return self.trying

    def drop(self) -> None:
        if self.store is not None:
            self.store.close()
            self.store = None

    def last(self) -> None:
        assert self.store is not None
        assert self.store._connection.pragma("integrity_check") == "ok"


def _made(kept: Kept) -> Any:
    words = {"tidegate_workload": kept.workload} if kept.workload else {}
    links = ((kept.link, kept.number),) if kept.link else ()
    return span(kept.trace, kept.number, start_ms=MARCH + kept.number, links=links, **words)


def _hex(trace: int) -> str:
    return f"{trace:032x}"
