"""Any bytes are read or refused with ValueError; what is read is untouched."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from agents.spool.records import Gap
from broker.telemetry import payload
from tests.broker.telemetry.made import MARCH, MS, gap_chunk, predictions_chunk, request, span


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for reader in (payload.spans, payload.predictions, payload.gap):
        with contextlib.suppress(ValueError):
            reader(content)


@given(st.binary(min_size=112, max_size=112))
def test_any_gap_of_the_right_size_is_read_or_refused(content: bytes) -> None:
    with contextlib.suppress(ValueError):
        gap = payload.gap(content)
        assert 0 < gap.from_seq <= gap.to_seq < 2**63


def test_a_span_keeps_every_byte() -> None:
    one = span(7, 8, parent=3, failed=True, links=((9, 1),), tidegate_workload="w41", rows=3, cached=True)
    one.events.add(name="loaded", time_unix_nano=5)
    one.trace_state = "vendor=1"
    (row,), unusable = payload.spans(request(one, tidegate_site="press-7"))
    assert unusable == 0
    assert SpanMessage.FromString(row.body) == one
    assert (row.service, row.site, row.workload) == ("model-server", "press-7", "w41")
    shown = payload.span(row.body, row.service, row.site, MARCH + 90_000)
    assert (shown.trace_id, shown.span_id, shown.parent_span_id) == (f"{7:032x}", f"{8:016x}", f"{3:016x}")
    assert (shown.start_ns, shown.end_ns) == (MARCH * MS, MARCH * MS + MS)
    assert (shown.kind, shown.status, shown.status_message) == ("server", "error", "it broke")
    assert shown.attributes == {"tidegate.workload": "w41", "rows": "3", "cached": "true"}
    assert [link.trace_id for link in shown.links] == [f"{9:032x}"]
    assert shown.late
    assert shown.lag_ms == 89_999


def test_the_site_that_delivers_outranks_what_a_span_says_of_itself() -> None:
    (row,), _ = payload.spans(request(span(1, 1), tidegate_site="press-8"), "press-7")
    assert row.site == "press-7"


def test_a_span_that_cannot_be_named_is_counted_and_left_out() -> None:
    bad = [span(1, 1), span(1, 2), span(1, 3), span(0, 4), span(1, 0)]
    bad[0].trace_id = b"short"
    bad[1].span_id = b""
    bad[2].end_time_unix_nano = 2**63
    rows, unusable = payload.spans(request(*bad, span(1, 6)))
    assert [row.span_id for row in rows] == [(6).to_bytes(8, "big")]
    assert unusable == 5


def test_requests_laid_side_by_side_are_one_request() -> None:
    one, other = request(span(1, 1)), request(span(1, 2), span(1, 3), service="other")
    rows, _ = payload.spans(payload.joined([one, other]))
    assert [(row.service, row.span_id[-1]) for row in rows] == [("model-server", 1), ("other", 2), ("other", 3)]


def test_a_gap_says_whether_all_that_is_missing_is_known() -> None:
    assert payload.gap(gap_chunk(3, 9, items=40).payload) == payload.Gap(3, 9, "shed", 40, MARCH, MARCH + 5)
    assert payload.gap(gap_chunk(3, 9, known=2).payload).reason == "damaged"
    with pytest.raises(ValueError, match="cannot reach"):
        payload.gap(gap_chunk(9, 3, known=1).payload)


def test_predictions_come_in_the_order_of_their_batch() -> None:
    rows = payload.predictions(predictions_chunk(1, first=5, count=3, generation=4).payload)
    assert [(row.span_id[-1], row.service, row.generation, row.at) for row in rows] == [
        (5, "fraud", 4, MARCH + 5),
        (6, "fraud", 4, MARCH + 6),
        (7, "fraud", 4, MARCH + 7),
    ]


def test_a_spools_gap_is_read_as_it_was_written() -> None:
    """Both ends of the wire have their own code for these bytes; this holds them together."""
    told = Gap(4, 9, MARCH, MARCH + 7, (1, 2, 3, 0), (10, 20, 30, 0)).record()
    assert (told.seq, told.from_seq) == (9, 4)
    assert payload.gap(told.payload) == payload.Gap(4, 9, "shed", 60, MARCH, MARCH + 7)
    damaged = Gap(4, 9).record()
    assert payload.gap(damaged.payload) == payload.Gap(4, 9, "damaged", 0, 0, 0)
