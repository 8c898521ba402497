"""Found again: by trace, by workload, by what it links to, by when it happened and by when it arrived."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.telemetry.finding import TelemetryReader
from broker.telemetry.span import TraceSummary, Wanted
from broker.telemetry.store import TelemetryStore
from tests.broker.telemetry.made import MARCH, MS, request, span
from tidegate.model.errors import Refused

HOUR = 3_600_000


def named(trace: int) -> str:
    return f"{trace:032x}"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[TelemetryReader]:
    """1: a submit at the broker. 2: its training, linked to 1. 3 and 4: predictions, linked to 2; 4 failed and late."""
    store = TelemetryStore(tmp_path)
    store.record(
        request(
            span(1, 1, name="submit", took_us=9_000, tidegate_workload="w41"),
            span(1, 2, name="decide", parent=1, start_ms=MARCH + 2, tidegate_workload="w41"),
            service="broker",
        ),
        MARCH + 10,
    )
    training = span(
        2, 1, name="train", start_ms=MARCH + 100, links=((1, 2),), tidegate_workload="w41", took_us=60_000_000
    )
    store.record(request(training, service="agent", tidegate_site="cloud"), MARCH + 61_000)
    for trace, failed, arrived in ((3, False, MARCH + HOUR + 5), (4, True, MARCH + 9 * HOUR)):
        made = span(trace, 1, start_ms=MARCH + HOUR + trace, links=((2, 1),), failed=failed, tidegate_workload="w42")
        store.record(request(made, service="model-server", tidegate_site="press-7"), arrived)
    opened = TelemetryReader(tmp_path)
    yield opened
    opened.close()
    store.close()


def test_a_trace_is_told_by_start(reader: TelemetryReader) -> None:
    assert [one.name for one in reader.trace(named(1))] == ["submit", "decide"]
    assert reader.trace(named(99)) == []
    for bad in ("", "xyz", "00" * 8):
        with pytest.raises(Refused, match="not a trace id"):
            reader.trace(bad)


def test_a_workload_has_traces_the_latest_first(reader: TelemetryReader) -> None:
    assert reader.traces_of("w41") == [named(2), named(1)]
    assert reader.traces_of("w42", limit=1) == [named(4)]
    assert reader.traces_of("w99") == []


def test_links_are_followed_both_ways_one_step(reader: TelemetryReader) -> None:
    assert reader.linked(named(2)) == [named(1), named(3), named(4)]
    assert reader.linked(named(1)) == [named(2)]
    assert reader.linked(named(4)) == [named(2)]
    assert [one.name for one in reader.spans([named(1), *reader.linked(named(1))])] == ["submit", "decide", "train"]


def test_a_search_summarises_traces(reader: TelemetryReader) -> None:
    (found,) = reader.search(Wanted(service="broker"))
    assert found == TraceSummary(named(1), "submit", "broker", "", MARCH * MS, 9 * MS, 2, 0)
    (late,) = reader.search(Wanted(errors_only=True))
    assert (late.trace_id, late.site, late.late_spans) == (named(4), "press-7", 1)


@pytest.mark.parametrize(
    ("wanted", "traces"),
    [
        (Wanted(), [4, 3, 2, 1]),
        (Wanted(limit=2), [4, 3]),
        (Wanted(site="press-7"), [4, 3]),
        (Wanted(workload="w41"), [2, 1]),
        (Wanted(name="train"), [2]),
        (Wanted(since_ms=MARCH + 50, until_ms=MARCH + HOUR + 4), [3, 2]),
        (Wanted(min_duration_us=9_000), [2, 1]),
        (Wanted(arrived_since_ms=MARCH + 60_000), [4, 3, 2]),
        (Wanted(arrived_since_ms=MARCH + 2 * HOUR), [4]),
        (Wanted(service="nobody"), []),
    ],
)
def test_a_search_finds_what_is_wanted(reader: TelemetryReader, wanted: Wanted, traces: list[int]) -> None:
    assert [found.trace_id for found in reader.search(wanted)] == [named(trace) for trace in traces]


def test_counts_are_of_the_window(reader: TelemetryReader) -> None:
    assert reader.counts().spans == 5
    assert reader.counts("press-7").spans == 2
    assert reader.counts("press-7", since_ms=MARCH + HOUR + 4).spans == 1
    assert reader.counts(until_ms=MARCH + 1).spans == 1
