"""The writer: numbering, one sync per call, the order of shedding, and each family of error at its cause."""

import errno

import pytest

from agents.spool import Fact, Kind, Limits, ShedClass, SpoolFull, SpoolReader, SpoolWriter
from agents.spool.records import HEADER_BYTES, frame_bytes
from tests.disks.files import PlatterFiles
from tests.disks.platter import MUCH
from tidegate.model.errors import Broken, Refused, Unavailable

LIMITS = Limits(max_bytes=8192, segment_bytes=1024)


def fact(shed_class: ShedClass = ShedClass.OK, length: int = 160, at_ms: int = 1) -> Fact:
    return Fact(Kind.SPANS, shed_class, at_ms, 2, b"s" * length)


@pytest.fixture
def disk() -> PlatterFiles:
    disk = PlatterFiles()
    disk.make_directory("/spool")
    return disk


def opened(disk: PlatterFiles, limits: Limits = LIMITS) -> SpoolWriter:
    return SpoolWriter(disk, "/spool", "agent", limits)


def classes(disk: PlatterFiles) -> list[tuple[int, str]]:
    """What waits: the last number and the class, or `gap`."""
    waiting = SpoolReader(disk, "/spool").read("agent", 0, 2**20)
    return [(r.seq, "gap" if r.kind is Kind.GAP else r.shed_class.name.lower()) for r in waiting]


def fill(writer: SpoolWriter, shed_class: ShedClass) -> int:
    """Append until the next fact would have to make room; how many there are then."""
    size = HEADER_BYTES + 160
    while writer.used_bytes + size <= LIMITS.capacity:
        writer.append([fact(shed_class)])
    return writer.last_seq


def test_numbers_begin_at_one_and_go_on_after_a_restart(disk: PlatterFiles) -> None:
    with opened(disk) as writer:
        assert writer.last_seq == 0
        assert writer.append([fact(), fact()]) == 2
        assert writer.append([]) == 2
    with opened(disk) as writer:
        assert writer.append([fact()]) == 3


def test_numbers_go_on_after_everything_was_acknowledged_and_deleted(disk: PlatterFiles) -> None:
    with opened(disk) as writer:
        last = fill(writer, ShedClass.OK)
    SpoolReader(disk, "/spool").acknowledge("agent", last)
    assert len([name for name in disk.names("/spool/agent") if name.endswith(".log")]) == 1
    for name in disk.names("/spool/agent"):
        if name.endswith(".log"):
            disk.remove(f"/spool/agent/{name}")  # even the newest segment: the cursor remembers
    with opened(disk) as writer:
        assert writer.append([fact()]) == last + 1


def test_one_append_is_one_sync_however_many_facts_it_brings(disk: PlatterFiles) -> None:
    with opened(disk, Limits()) as writer:
        before = disk.platter.syncs
        writer.append([fact() for _ in range(100)])
        assert disk.platter.syncs == before + 1


def test_a_second_writer_is_turned_away(disk: PlatterFiles) -> None:
    with opened(disk), pytest.raises(Unavailable, match="another writer"):
        opened(disk)
    opened(disk).close()


def test_debug_goes_before_ok_and_the_oldest_before_the_newer(disk: PlatterFiles) -> None:
    with opened(disk) as writer:
        for _ in range(16):
            writer.append([fact(ShedClass.OK), fact(ShedClass.DEBUG)])
        writer.append([fact(ShedClass.AUDIT) for _ in range(4)])
    waiting = classes(disk)
    assert [seq for seq, what in waiting if what == "ok"] == list(range(1, 33, 2))
    assert waiting[1] == (2, "gap")
    assert waiting[-4:] == [(33, "audit"), (34, "audit"), (35, "audit"), (36, "audit")]


def test_an_incoming_fact_of_a_lower_class_does_not_push_out_a_higher_one(disk: PlatterFiles) -> None:
    with opened(disk) as writer:
        held = fill(writer, ShedClass.ERROR)
        last = writer.append([fact(ShedClass.DEBUG), fact(ShedClass.DEBUG)])
    assert last == held + 2
    assert classes(disk) == [(seq, "error") for seq in range(1, held + 1)] + [(last, "gap")]


def test_audit_is_never_shed_and_its_writer_is_refused(disk: PlatterFiles) -> None:
    with opened(disk) as writer:
        held = fill(writer, ShedClass.AUDIT)
        with pytest.raises(SpoolFull):
            writer.append([fact(ShedClass.AUDIT)])
        assert writer.last_seq == held
        SpoolReader(disk, "/spool").acknowledge("agent", held)
        assert writer.append([fact(ShedClass.AUDIT)]) == held + 1  # room was made, without a restart


def test_a_year_of_shedding_leaves_one_gap_and_few_files(disk: PlatterFiles) -> None:
    disk.platter.room = MUCH
    with opened(disk) as writer:
        for _ in range(600):
            writer.append([fact(ShedClass.DEBUG)])
    waiting = classes(disk)
    assert [what for _, what in waiting].count("gap") <= 2
    assert len(disk.names("/spool/agent")) <= 10
    assert 0 < disk.platter.largest <= LIMITS.max_bytes


def test_a_full_disk_takes_nothing_and_recovers_by_itself(disk: PlatterFiles) -> None:
    with opened(disk) as writer:
        writer.append([fact()])
        disk.platter.room = disk.platter.occupied() + 300
        with pytest.raises(SpoolFull, match="disk is full"):
            writer.append([fact(), fact(), fact()])
        disk.platter.room = None
        assert writer.append([fact()]) == 2
    assert classes(disk) == [(1, "ok"), (2, "ok")]


def test_a_failed_sync_breaks_the_writer_for_good(disk: PlatterFiles) -> None:
    writer = opened(disk)
    writer.append([fact()])
    disk.platter.fail("sync", errno.EIO)
    with pytest.raises(Broken, match="syncing"):
        writer.append([fact()])
    with pytest.raises(Broken):
        writer.append([fact()])
    assert classes(disk) == [(1, "ok")]  # what was not promised is not read


def test_what_can_never_be_taken_is_refused_by_field(disk: PlatterFiles) -> None:
    with opened(disk) as writer:
        for bad, field in [
            (fact(length=1024), "fact.payload"),
            (Fact(Kind.GAP, ShedClass.OK, 0, 0, b""), "fact.kind"),
            (Fact(Kind.SPANS, ShedClass.OK, 0, 2**32, b""), "fact.count"),
            (Fact(Kind.SPANS, ShedClass.OK, 2**63, 0, b""), "fact.at_ms"),
        ]:
            with pytest.raises(Refused) as refused:
                writer.append([fact(), bad])
            assert refused.value.field == field
        assert writer.last_seq == 0
    with pytest.raises(Refused):
        SpoolWriter(disk, "/spool", "../agent", LIMITS)
    with pytest.raises(Refused):
        Limits(max_bytes=4095, segment_bytes=1024)


def test_the_largest_payload_fits(disk: PlatterFiles) -> None:
    with opened(disk) as writer:
        largest = fact(length=LIMITS.fill - HEADER_BYTES)
        writer.append([largest])
        (record,) = SpoolReader(disk, "/spool").read("agent", 0, 1)
        assert record.payload == largest.payload
        assert frame_bytes(record) == LIMITS.fill
