"""The reader: batches, acknowledgement, damage and the backlog."""

import pytest

from agents.spool import Backlog, Fact, Kind, Limits, ShedClass, SpoolReader, SpoolWriter
from agents.spool.records import HEADER_BYTES
from tests.disks.files import PlatterFiles
from tidegate.model.errors import Refused, Unavailable

LIMITS = Limits(max_bytes=64 * 1024, segment_bytes=1024)
FRAME = HEADER_BYTES + 160


@pytest.fixture
def disk() -> PlatterFiles:
    disk = PlatterFiles()
    disk.make_directory("/spool")
    return disk


def write(disk: PlatterFiles, count: int, stream: str = "agent") -> None:
    with SpoolWriter(disk, "/spool", stream, LIMITS) as writer:
        for index in range(count):
            writer.append([Fact(Kind.PREDICTIONS, ShedClass.OK, 100 + index, 3, b"p" * 160)])


def test_batches_are_bounded_in_bytes_and_hold_at_least_one_record(disk: PlatterFiles) -> None:
    write(disk, 12)
    reader = SpoolReader(disk, "/spool")
    assert [record.seq for record in reader.read("agent", 0, FRAME * 3 + 1)] == [1, 2, 3]
    assert [record.seq for record in reader.read("agent", 3, 1)] == [4]
    assert [record.seq for record in reader.read("agent", 4, FRAME * 100)] == list(range(5, 13))
    assert reader.read("agent", 12, FRAME) == []


def test_acknowledged_segments_are_deleted_and_acknowledgements_only_rise(disk: PlatterFiles) -> None:
    write(disk, 12)
    reader = SpoolReader(disk, "/spool")
    reader.acknowledge("agent", 9)
    reader.acknowledge("agent", 2)
    assert reader.acknowledged("agent") == 9
    assert [record.seq for record in reader.read("agent", 0, 2**20)] == [10, 11, 12]
    assert len([name for name in disk.names("/spool/agent") if name.endswith(".log")]) == 1
    with pytest.raises(Refused):
        reader.acknowledge("agent", 13)


def test_an_acknowledgement_survives_a_power_cut_that_loses_all_it_may(disk: PlatterFiles) -> None:
    write(disk, 12)
    SpoolReader(disk, "/spool").acknowledge("agent", 7)
    disk.platter.cut(keep=0.0)
    write(disk, 1)
    assert [record.seq for record in SpoolReader(disk, "/spool").read("agent", 0, 2**20)] == [8, 9, 10, 11, 12, 13]


def test_a_damaged_payload_is_a_gap_that_knows_what_it_was(disk: PlatterFiles) -> None:
    write(disk, 3)
    disk.platter.rot(f"/spool/agent/{1:020d}.log", FRAME + HEADER_BYTES + 7)
    first, second, third = SpoolReader(disk, "/spool").read("agent", 0, 2**20)
    assert (first.seq, third.seq) == (1, 3)
    assert second.kind is Kind.GAP
    assert second.gap.records == (0, 1, 0, 0)
    assert second.gap.items == (0, 3, 0, 0)
    assert (second.gap.oldest_ms, second.gap.unknown) == (101, 0)


def test_a_damaged_header_is_a_gap_of_unknown_content(disk: PlatterFiles) -> None:
    write(disk, 3)
    disk.platter.rot(f"/spool/agent/{1:020d}.log", FRAME + 9)
    _, second, _ = SpoolReader(disk, "/spool").read("agent", 0, 2**20)
    assert (second.gap.from_seq, second.gap.to_seq, second.gap.unknown) == (2, 2, 1)


def test_a_segment_that_vanished_is_a_gap(disk: PlatterFiles) -> None:
    write(disk, 12)
    disk.remove(f"/spool/agent/{5:020d}.log")
    waiting = SpoolReader(disk, "/spool").read("agent", 0, 2**20)
    assert [(record.from_seq, record.seq) for record in waiting if record.kind is Kind.GAP] == [(5, 8)]
    assert waiting[-1].seq == 12


def test_the_backlog_counts_what_waits_by_stream(disk: PlatterFiles) -> None:
    write(disk, 12)
    write(disk, 1, "serving-fraud")
    reader = SpoolReader(disk, "/spool")
    assert reader.streams() == ["agent", "serving-fraud"]
    assert reader.backlog()["agent"] == Backlog(12, 36, 12 * FRAME, 100)
    reader.acknowledge("agent", 6)
    reader.acknowledge("serving-fraud", 1)
    assert reader.backlog() == {"agent": Backlog(6, 18, 6 * FRAME, 106), "serving-fraud": Backlog(0, 0, 0, None)}


def test_an_unreadable_disk_is_unavailable(disk: PlatterFiles) -> None:
    write(disk, 1)
    disk.platter.fail("read", 5)
    with pytest.raises(Unavailable):
        SpoolReader(disk, "/spool").read("agent", 0, 1)
