"""The spool against a model: whatever is appended, read, shed, torn or damaged, each number comes or is told missing.

The model remembers what was promised (an `append` that returned) and plays the far end: it keeps the highest number it
has, drops what is not above it, and insists that what comes next begins exactly there.
"""

import contextlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.spool import Fact, Gap, Kind, Limits, Record, ShedClass, SpoolFull, SpoolReader, SpoolWriter
from agents.spool.records import GAP_FRAME_BYTES, MOST_COUNTED, encode, frame_bytes, number
from agents.spool.segments import Summary, records, shed, tile
from tests.disks.files import PlatterFiles
from tests.disks.platter import MUCH, Platter, PowerGone
from tests.support.far_end import FarEnd

STREAM = "agent"
LONG_LIVES = 60
LIMITS = Limits(max_bytes=8192, segment_bytes=1024)

facts = st.builds(
    Fact,
    kind=st.sampled_from([Kind.SPANS, Kind.PREDICTIONS]),
    shed_class=st.sampled_from([ShedClass.DEBUG, ShedClass.OK, ShedClass.ERROR, ShedClass.ERROR, ShedClass.AUDIT]),
    at_ms=st.integers(0, 10**6),
    count=st.integers(0, 50),
    payload=st.integers(0, 400).map(lambda length: b"x" * length),
)
batches = st.lists(facts, min_size=1, max_size=8)


class Device:
    """One writer, one reader and their disk, with the model beside them."""

    def __init__(self, rng: random.Random, limits: Limits = LIMITS) -> None:
        self.limits = limits
        self.platter = Platter(rng, room=MUCH)
        self.disk = PlatterFiles(self.platter)
        self.disk.make_directory("/spool")
        self.far_end = FarEnd()
        self.promised: dict[int, Fact] = {}
        self.tried: dict[int, list[Fact]] = {}
        self.refused = 0
        self.start()

    def start(self) -> None:
        self.writer = SpoolWriter(self.disk, "/spool", STREAM, self.limits)
        self.reader = SpoolReader(self.disk, "/spool")

    def append(self, batch: list[Fact]) -> None:
        before = self.writer.last_seq
        for index, fact in enumerate(batch):
            self.tried.setdefault(before + 1 + index, []).append(fact)
        try:
            last = self.writer.append(batch)
        except SpoolFull:
            self.refused += 1
            assert self.writer.last_seq == before
            return
        first = last - len(batch) + 1
        assert first == before + 1
        assert first > max(self.promised, default=0)
        assert first > self.far_end.high, "a number that the far end has was used again"
        self.promised |= {first + index: fact for index, fact in enumerate(batch)}

    def sync(self, max_bytes: int, acknowledge: bool = True) -> None:
        taken = self.reader.read(STREAM, self.reader.acknowledged(STREAM), max_bytes)
        assert not taken or sum(map(frame_bytes, taken[:-1])) <= max_bytes
        self.far_end.take(taken)
        if taken and acknowledge:
            self.reader.acknowledge(STREAM, taken[-1].seq)

    def cut(self) -> None:
        self.platter.cut()
        self.start()

    def kill(self) -> None:
        self.platter.killed()
        self.start()

    def interrupt_after(self, steps: int) -> None:
        """The power goes in the call after so many."""
        self.platter.gone_at = self.platter.calls + 1 + steps

    def drain(self) -> None:
        while self.reader.read(STREAM, self.reader.acknowledged(STREAM), 1):
            self.sync(2000)

    def check(self) -> None:
        """Once all is drained: every promised number came as it was, or is in a gap, and no audit record is in one."""
        assert self.far_end.high == self.writer.last_seq
        missing = {seq for gap in self.far_end.gaps for seq in range(gap.from_seq, gap.to_seq + 1)}
        for seq, fact in self.promised.items():
            if seq in self.far_end.received:
                assert same(self.far_end.received[seq], fact)
            else:
                assert seq in missing
                assert fact.shed_class is not ShedClass.AUDIT, "audit was shed"
        for seq, record in self.far_end.received.items():
            assert any(same(record, fact) for fact in self.tried[seq])
        assert 0 < self.platter.largest <= self.limits.max_bytes


def same(record: Record, fact: Fact) -> bool:
    return (record.kind, record.shed_class, record.at_ms, record.count, record.payload) == (
        fact.kind,
        fact.shed_class,
        fact.at_ms,
        fact.count,
        fact.payload,
    )


append = st.tuples(st.just("append"), batches)
sync = st.tuples(st.just("sync"), st.integers(0, 3000))
read_only = st.tuples(st.just("read"), st.integers(0, 3000))
ends = st.tuples(st.sampled_from(["cut", "kill"]), st.just(0))
interrupted = st.tuples(st.sampled_from(["cut-during", "kill-during"]), st.tuples(st.integers(0, 25), batches))
sync_interrupted = st.tuples(st.just("cut-during-sync"), st.integers(0, 8))
lives = st.lists(st.one_of(append, append, append, sync, read_only, ends, interrupted, sync_interrupted), max_size=40)


def live(device: Device, life: list[tuple[str, object]]) -> None:
    for event, value in life:
        match event, value:
            case "append", list(batch):
                device.append(batch)
            case "sync", int(most):
                device.sync(most)
            case "read", int(most):
                device.sync(most, acknowledge=False)
            case "cut", _:
                device.cut()
            case "kill", _:
                device.kill()
            case (("cut-during" | "kill-during"), (int(steps), list(batch))):
                device.interrupt_after(steps)
                with contextlib.suppress(PowerGone):
                    device.append(batch)
                device.cut() if event == "cut-during" else device.kill()
            case "cut-during-sync", int(steps):
                device.interrupt_after(steps)
                with contextlib.suppress(PowerGone):
                    device.sync(1500)
                device.cut()


@settings(max_examples=250, deadline=None)
@given(life=lives, seed=st.integers(0, 2**32))
def test_every_number_is_delivered_or_told_missing(life: list[tuple[str, object]], seed: int) -> None:
    device = Device(random.Random(seed))
    live(device, life)
    device.kill()
    device.drain()
    device.check()


def long_life(rng: random.Random, events: int) -> list[tuple[str, object]]:
    """What hypothesis seldom draws: a long life in which the link is away for most of the time."""
    audit = rng.choice([0, 0.05, 0.4])

    def batch() -> list[Fact]:
        return [
            Fact(
                Kind.SPANS,
                ShedClass.AUDIT if rng.random() < audit else ShedClass(rng.choice([0, 0, 1, 1, 1, 2])),
                rng.randint(0, 10**6),
                rng.randint(0, 50),
                b"x" * rng.choice([0, 20, 100, 100, 100, 300, 800]),
            )
            for _ in range(rng.randint(1, 6))
        ]

    def event() -> tuple[str, object]:
        match rng.randint(0, 19):
            case 0:
                return "cut", 0
            case 1:
                return "kill", 0
            case 2 | 3:
                return "cut-during", (rng.randint(0, 40), batch())
            case 4:
                return "kill-during", (rng.randint(0, 40), batch())
            case 5:
                return "cut-during-sync", rng.randint(0, 12)
            case 6:
                return "sync", rng.randint(0, 3000)
            case 7:
                return "read", rng.randint(0, 3000)
            case _:
                return "append", batch()

    return [event() for _ in range(events)]


def test_long_lives_under_pressure_and_the_pressure_was_real() -> None:
    shed = refused = delivered = 0
    for seed in range(LONG_LIVES):
        rng = random.Random(seed)
        device = Device(rng)
        try:
            live(device, long_life(rng, 120))
            device.kill()
            device.drain()
            device.check()
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        shed += sum(sum(gap.records) for gap in device.far_end.gaps)
        refused += device.refused
        delivered += len(device.far_end.received)
    assert delivered > 50 * LONG_LIVES
    assert shed > 10 * LONG_LIVES
    assert refused > LONG_LIVES // 20


@settings(max_examples=120, deadline=None)
@given(life=lives, seed=st.integers(0, 2**32))
def test_within_the_bound_nothing_promised_is_missing(life: list[tuple[str, object]], seed: int) -> None:
    device = Device(random.Random(seed), Limits(max_bytes=2**20, segment_bytes=2048))
    live(device, life)
    device.kill()
    device.drain()
    device.check()
    assert set(device.promised) <= set(device.far_end.received)


@settings(max_examples=120, deadline=None)
@given(life=st.lists(st.one_of(append, append, append, sync), max_size=60), seed=st.integers(0, 2**32))
def test_without_crashes_gaps_tell_exactly_what_is_missing(life: list[tuple[str, object]], seed: int) -> None:
    device = Device(random.Random(seed))
    live(device, life)
    device.drain()
    device.check()
    for gap in device.far_end.gaps:
        lost = [device.promised[seq] for seq in range(gap.from_seq, gap.to_seq + 1)]
        assert gap.unknown == 0
        assert gap.records == tuple(sum(fact.shed_class is each for fact in lost) for each in ShedClass)
        assert gap.items == tuple(sum(fact.count for fact in lost if fact.shed_class is each) for each in ShedClass)
        assert (gap.oldest_ms, gap.newest_ms) == (min(f.at_ms for f in lost), max(f.at_ms for f in lost))


@settings(max_examples=120, deadline=None)
@given(life=lives, seed=st.integers(0, 2**32), room=st.integers(600, 6000))
def test_a_full_disk_refuses_and_leaves_nothing_half_written(
    life: list[tuple[str, object]], seed: int, room: int
) -> None:
    device = Device(random.Random(seed))
    device.platter.room = room
    tidy = [each for each in life if each[0] in ("append", "kill")]
    for event, value in tidy:
        try:
            live(device, [(event, value)])
        except SpoolFull:  # at a start, where the newest segment could not be written anew
            device.platter.room = MUCH
            device.kill()
            device.platter.room = room
    device.platter.room = MUCH
    device.kill()
    device.drain()
    device.check()


@settings(max_examples=150, deadline=None)
@given(
    batches_=st.lists(batches, min_size=1, max_size=8),
    hits=st.lists(st.integers(0, 2**31), min_size=1, max_size=6),
    restart=st.booleans(),
)
def test_damage_anywhere_is_told_and_costs_no_more_than_the_frames_it_hits(
    batches_: list[list[Fact]], hits: list[int], restart: bool
) -> None:
    device = Device(random.Random(0), Limits(max_bytes=2**20, segment_bytes=2048))
    for batch in batches_:
        device.append(batch)
    logs = sorted(name for name in device.disk.names(f"/spool/{STREAM}") if name.endswith(".log"))
    for hit in hits:
        path = f"/spool/{STREAM}/{logs[hit % len(logs)]}"
        if device.disk.size(path):
            device.platter.rot(path, hit // len(logs) % device.disk.size(path))
    if restart:
        device.kill()
    device.drain()
    assert device.far_end.high == device.writer.last_seq == len(device.promised)
    lost = set(device.promised) - set(device.far_end.received)
    assert len(lost) <= len(hits)
    assert lost == {seq for gap in device.far_end.gaps for seq in range(gap.from_seq, gap.to_seq + 1)}
    for seq, record in device.far_end.received.items():
        assert same(record, device.promised[seq])


@settings(max_examples=200, deadline=None)
@given(batch=st.lists(facts, min_size=1, max_size=30), level=st.sampled_from([*ShedClass][:3]))
def test_shedding_a_segment_yields_what_its_summary_foretold(batch: list[Fact], level: ShedClass) -> None:
    data = b"".join(encode(number(fact, 1 + index)) for index, fact in enumerate(batch))
    after = shed(tile(data, 1, len(batch)), level)
    if len(after) < len(data):
        assert Summary.of(data).saves(level) == len(data) - len(after)
    else:
        assert Summary.of(data).saves(level) == 0
    expected = 1
    for record in records(after):
        assert record.from_seq == expected
        expected = record.seq + 1
    assert expected == len(batch) + 1


@given(
    span=st.tuples(st.integers(1, 2**40), st.integers(0, 2**20)),
    numbers=st.lists(st.integers(0, MOST_COUNTED), min_size=8, max_size=8),
    times=st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1)),
)
def test_a_gap_survives_its_record(span: tuple[int, int], numbers: list[int], times: tuple[int, int]) -> None:
    gap = Gap(span[0], sum(span), *times, tuple(numbers[:4]), tuple(numbers[4:]))  # type: ignore[arg-type]
    assert gap.record().gap == gap
    assert frame_bytes(gap.record()) == GAP_FRAME_BYTES


@settings(max_examples=300)
@given(st.binary(max_size=400), st.integers(1, 20), st.integers(0, 20))
def test_any_bytes_at_all_tile_their_range(data: bytes, first: int, extra: int) -> None:
    expected = first
    for record in tile(data, first, first + extra):
        assert record.from_seq == expected
        expected = record.seq + 1
    assert expected == first + extra + 1


def test_a_planted_bug_is_found() -> None:
    """The properties bite: a disk whose sync does nothing loses what was promised, and the model says so."""
    device = Device(random.Random(0), Limits(max_bytes=2**20, segment_bytes=2048))
    device.platter.lie = True
    device.append([Fact(Kind.SPANS, ShedClass.OK, 1, 1, b"promised")])
    device.platter.cut(keep=0.0)
    device.start()
    device.drain()
    with pytest.raises(AssertionError):
        device.check()
