"""Received exactly once: duplicates, holes, gaps, poison, power cuts; and what is kept stays within its bounds."""

import errno
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.log.database import Settings
from broker.telemetry.finding import TelemetryReader
from broker.telemetry.retiring import Limits
from broker.telemetry.span import AwayWindow, GapRange, PredictionCount, StreamMark
from broker.telemetry.store import MOST_CHUNKS, Hole, TelemetryStore
from tests.broker.telemetry.made import MARCH, gap_chunk, predictions_chunk, request, span, spans_chunk
from tests.disks.files import PlatterFiles
from tests.disks.platter import Platter
from tests.disks.vfs import PlatterVfs
from tidegate.model.errors import Broken, Conflict, Refused, Unavailable
from tidegate.model.session import Chunk, Receipt

NOW = MARCH + 3_600_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TelemetryStore]:
    opened = TelemetryStore(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def reader(store: TelemetryStore, tmp_path: Path) -> Iterator[TelemetryReader]:
    opened = TelemetryReader(tmp_path)
    yield opened
    opened.close()


def receive(store: TelemetryStore, *chunks: Chunk) -> Receipt:
    return store.receive("press-7", "main", chunks, NOW)


def test_a_record_counts_once_however_often_it_is_sent(store: TelemetryStore, reader: TelemetryReader) -> None:
    chunks = [spans_chunk(1, span(1, 1)), spans_chunk(2, span(1, 2), span(1, 3)), predictions_chunk(3, 10, 5)]
    assert receive(store, *chunks) == Receipt(3, accepted=3)
    assert receive(store, *chunks) == Receipt(3, duplicates=3)
    assert receive(store, *chunks[1:], spans_chunk(4, span(1, 4))) == Receipt(4, accepted=1, duplicates=2)
    counts = reader.counts("press-7")
    assert (counts.spans, counts.predictions, counts.duplicate_records, counts.gap_records) == (4, 5, 5, 0)
    assert counts.streams == (StreamMark("press-7", "main", 4),)


def test_streams_and_sites_are_numbered_apart(store: TelemetryStore, reader: TelemetryReader) -> None:
    for site, stream in (("press-7", "main"), ("press-7", "audit"), ("press-8", "main")):
        assert store.receive(site, stream, [predictions_chunk(1, 1, 2)], NOW).accepted == 1
    assert [mark.stream for mark in reader.marks("press-7")] == ["audit", "main"]
    assert reader.counts().predictions == 6
    assert reader.counts("press-8").predictions == 2


def test_a_hole_refuses_the_whole_batch_and_names_the_number(store: TelemetryStore, reader: TelemetryReader) -> None:
    receive(store, spans_chunk(1, span(1, 1)))
    with pytest.raises(Hole, match="found 4, wanted seq 2") as refused:
        receive(store, spans_chunk(2, span(1, 2)), spans_chunk(4, span(1, 4)))
    assert refused.value.high_water == 1
    assert isinstance(refused.value, Conflict)
    assert reader.counts().spans == 1
    assert receive(store, spans_chunk(2, span(1, 2))).high_water == 2


def test_a_gap_stands_for_its_range(store: TelemetryStore, reader: TelemetryReader) -> None:
    receive(store, spans_chunk(1, span(1, 1)))
    with pytest.raises(Hole):
        receive(store, gap_chunk(3, 9))
    assert receive(store, gap_chunk(2, 9, items=70), spans_chunk(10, span(1, 2))) == Receipt(10, accepted=2)
    assert receive(store, gap_chunk(2, 9)) == Receipt(10, duplicates=1)
    assert reader.gaps("press-7") == [
        GapRange("press-7", "main", 2, 9, "shed", 70, MARCH, MARCH + 5, NOW),
    ]
    assert reader.counts().gap_records == 8


def test_a_gap_over_what_is_already_here_counts_only_the_rest(store: TelemetryStore, reader: TelemetryReader) -> None:
    receive(store, spans_chunk(1, span(1, 1)), spans_chunk(2, span(1, 2)))
    receive(store, gap_chunk(1, 5))
    assert [(gap.from_seq, gap.to_seq) for gap in reader.gaps()] == [(3, 5)]


def test_poison_becomes_a_gap_and_the_stream_goes_on(store: TelemetryStore, reader: TelemetryReader) -> None:
    poison = Chunk(1, "spans", MARCH, 12, b"\xff\xff not a request")
    unheard_of = Chunk(2, "dreams", MARCH, 1, b"")
    bad_gap = Chunk(5, "gap", MARCH, 0, b"not a gap")
    assert receive(store, poison, unheard_of, bad_gap, spans_chunk(6, span(1, 1))).high_water == 6
    assert [(gap.from_seq, gap.to_seq, gap.reason, gap.items) for gap in reader.gaps()] == [
        (1, 1, "undecodable", 12),
        (2, 2, "undecodable", 1),
        (3, 5, "undecodable", 0),
    ]


def test_a_batch_is_bounded_and_named(store: TelemetryStore) -> None:
    with pytest.raises(Refused, match="too much at once"):
        receive(store, *[predictions_chunk(seq, seq, 1) for seq in range(1, MOST_CHUNKS + 2)])
    with pytest.raises(Refused, match=r"chunks\[0\]\.seq"):
        receive(store, predictions_chunk(0, 1, 1))
    with pytest.raises(Refused, match="need names"):
        store.receive("", "main", [], NOW)


def test_a_direct_export_may_be_repeated(store: TelemetryStore, reader: TelemetryReader) -> None:
    told = request(span(1, 1), span(1, 2), service="broker", tidegate_site="head")
    assert store.record(told, NOW) == 2
    assert store.record(told, NOW + 5) == 0
    first, second = reader.trace(f"{1:032x}")
    assert first.received_at == second.received_at == NOW
    assert reader.totals() == {"spans": 2, "duplicate_spans": 2}
    with pytest.raises(Refused, match="not an OTLP export request"):
        store.record(b"\xff\xff", NOW)


def test_predictions_are_counted_by_site_service_and_generation(store: TelemetryStore, reader: TelemetryReader) -> None:
    receive(store, predictions_chunk(1, 1, 10, generation=3), predictions_chunk(2, 100, 5, generation=4))
    receive(store, predictions_chunk(3, 104, 2, generation=4))  # 104 again, under another number
    assert reader.predictions("press-7") == [
        PredictionCount("press-7", "fraud", 3, 10, 0),
        PredictionCount("press-7", "fraud", 4, 7, 1),
    ]
    assert reader.predictions("press-7", since_ms=MARCH + 100) == [PredictionCount("press-7", "fraud", 4, 7, 1)]


def test_a_site_was_away(store: TelemetryStore, reader: TelemetryReader) -> None:
    store.away(AwayWindow("press-7", 100, 200))
    store.away(AwayWindow("press-7", 100, 250))
    store.away(AwayWindow("press-7", 900, 950))
    assert reader.away(["press-7", "press-8"]) == [AwayWindow("press-7", 100, 250), AwayWindow("press-7", 900, 950)]
    assert reader.away(["press-7"], since_ms=300) == [AwayWindow("press-7", 900, 950)]


def test_the_oldest_arrivals_are_retired_first(tmp_path: Path) -> None:
    store = TelemetryStore(tmp_path, Limits(most_spans=3, most_predictions=2))
    store.promise({})
    for seq in range(1, 7):
        linked = span(seq, seq, links=((seq + 1, 1),), start_ms=MARCH - seq)  # the newest arrivals are the oldest spans
        store.receive("press-7", "main", [spans_chunk(seq, linked)], NOW + seq)
    store.receive("press-7", "main", [predictions_chunk(7, 1, 5)], NOW)
    assert store.retire(NOW)
    assert not store.retire(NOW)
    reader = TelemetryReader(tmp_path)
    assert [bool(reader.trace(f"{trace:032x}")) for trace in range(1, 7)] == [False] * 3 + [True] * 3
    assert reader.linked(f"{2:032x}") == []
    assert reader.counts().predictions == 2
    assert reader.totals() == {"predictions": 2, "retired_predictions": 3, "retired_spans": 3, "spans": 3}
    assert store.receive("press-7", "main", [spans_chunk(1, span(1, 1))], NOW).duplicates == 1
    reader.close()
    store.close()


def test_retention_by_bytes_keeps_the_file_from_growing(tmp_path: Path) -> None:
    store = TelemetryStore(tmp_path, Limits(most_bytes=400_000), Settings(exclusive=False, wal_bytes=100_000))
    store.promise({"press-8": 7})
    for seq in range(1, 60):
        spans = [span(seq, number, note="x" * 200) for number in range(1, 51)]
        store.receive("press-7", "main", [spans_chunk(seq, *spans)], NOW + seq)
        store.tidy()
        while store.retire(NOW):
            pass
    assert (tmp_path / "telemetry.db").stat().st_size < 1_500_000
    store.close()


def test_no_room_is_unavailable_and_nothing_is_kept(tmp_path: Path) -> None:
    store = TelemetryStore(tmp_path, settings=Settings(exclusive=False, most_bytes=60 * 4096))
    store.receive("press-7", "main", [spans_chunk(1, span(1, 1))], NOW)
    large = [spans_chunk(seq, *(span(seq, n, note="x" * 500) for n in range(1, 101))) for seq in range(2, 30)]
    with pytest.raises(Unavailable, match="no room"):
        store.receive("press-7", "main", large, NOW)
    assert store.receive("press-7", "main", [spans_chunk(2, span(1, 2))], NOW) == Receipt(2, accepted=1)
    reader = TelemetryReader(tmp_path)
    assert reader.counts().spans == 2
    reader.close()
    store.close()


def test_one_writer_to_a_store(store: TelemetryStore, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"telemetry\.db belongs to process"):
        TelemetryStore(tmp_path)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_however_it_is_sent_every_record_is_there_once(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A sender that repeats, forgets where it was, skips ahead and starts again: the model is a set."""
    directory = tmp_path_factory.mktemp("telemetry")
    store = TelemetryStore(directory)
    total = data.draw(st.integers(1, 12))
    spool = [
        replace(spans_chunk(seq, span(seq, 1), span(seq, 2)), at=seq)
        if seq % 3
        else predictions_chunk(seq, seq * 10, 4)
        for seq in range(1, total + 1)
    ]
    high_water = 0
    for _ in range(data.draw(st.integers(1, 12))):
        start = data.draw(st.integers(0, total))
        run = spool[start : data.draw(st.integers(start, total))]
        if run and run[0].seq > high_water + 1:
            with pytest.raises(Hole):
                store.receive("press-7", "main", run, NOW)
            continue
        receipt = store.receive("press-7", "main", run, NOW)
        high_water = max(high_water, run[-1].seq if run else 0)
        assert receipt.high_water == high_water
        if data.draw(st.booleans()):
            store.close()
            store = TelemetryStore(directory)
    reader = TelemetryReader(directory)
    counts = reader.counts()
    assert counts.spans == sum(2 for chunk in spool[:high_water] if chunk.kind == "spans")
    assert counts.predictions == sum(4 for chunk in spool[:high_water] if chunk.kind == "predictions")
    reader.close()
    store.close()


def test_kill_nine_of_the_receiver_loses_nothing_acknowledged_and_doubles_nothing(tmp_path: Path) -> None:
    chance = random.Random(5)
    acknowledged = 0
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-m", "tests.broker.telemetry.receiver", str(tmp_path)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(1, 30)):
                acknowledged = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            for line in process.stdout:
                acknowledged = int(line) if line.endswith(b"\n") else acknowledged
        store = TelemetryStore(tmp_path)
        reader = TelemetryReader(tmp_path)
        (mark,) = reader.marks()
        assert mark.high_water >= acknowledged
        assert reader.counts().spans == 3 * mark.high_water
        reader.close()
        store.close()
    assert acknowledged > 50


def test_a_failed_sync_breaks_the_store_and_acknowledges_nothing_more(tmp_path: Path) -> None:
    vfs = PlatterVfs("failing-telemetry")
    disk = vfs.platter = Platter(random.Random(3))
    settings = Settings(vfs=vfs.name, files=PlatterFiles(disk))
    store = TelemetryStore(tmp_path, settings=settings)
    receive(store, spans_chunk(1, span(1, 1)))
    failures = iter([errno.EIO])
    disk.faulty = lambda call, path: next(failures, 0) if call == "sync" else 0
    with pytest.raises(Broken, match="was not stored"):
        receive(store, spans_chunk(2, span(1, 2)))
    with pytest.raises(Broken):
        receive(store, spans_chunk(2, span(1, 2)))
    store.close()
    disk.cut()
    store = TelemetryStore(tmp_path, settings=settings)
    assert receive(store).high_water in (1, 2)  # unknown until now; never less than what was acknowledged
    store.close()
    vfs.unregister()
