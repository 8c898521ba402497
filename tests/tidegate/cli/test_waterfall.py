"""Parents before children, late spans and away windows marked."""

from rich.console import Console

from tidegate.cli import waterfall
from tidegate.v1.traces_pb2 import AwayWindow, Span

S = 1_000_000_000


def span(name, span_id, parent="", start=0, end=1, **more):
    return Span(
        trace_id="t1", span_id=span_id, parent_span_id=parent, name=name, start_ns=start * S, end_ns=end * S, **more
    )


def drawn(spans, away=()):
    console = Console(width=160, no_color=True)
    with console.capture() as captured:
        console.print(waterfall.draw(list(spans), list(away)))
    return captured.get()


def test_children_stand_under_their_parents_by_start():
    spans = [span("write", "c", "a", 2, 3), span("submit", "a", "", 0, 3), span("admit", "b", "a", 0, 1)]
    assert [(depth, one.name) for depth, one in waterfall.in_order(spans)] == [
        (0, "submit"),
        (1, "admit"),
        (1, "write"),
    ]


def test_a_span_whose_parent_did_not_arrive_is_still_shown():
    assert waterfall.in_order([span("orphan", "a", "gone")])[0][1].name == "orphan"


def test_a_late_span_says_how_late():
    assert "late 59.0 s" in drawn([span("infer", "a", received_at=60_000)])


def test_a_prompt_span_is_not_late():
    assert "late" not in drawn([span("infer", "a", received_at=1_500)])


def test_what_happened_while_the_device_was_away_is_marked():
    text = drawn([span("infer", "a", site="press-7")], [AwayWindow(site="press-7", from_ms=500, to_ms=90_000)])
    assert "away" in text


def test_another_device_s_window_marks_nothing():
    assert "away" not in drawn(
        [span("infer", "a", site="press-8")], [AwayWindow(site="press-7", from_ms=0, to_ms=90_000)]
    )


def test_lengths_are_in_the_unit_that_suits_them():
    assert waterfall.took(Span(start_ns=0, end_ns=42_000)) == "42 us"
    assert waterfall.took(Span(start_ns=0, end_ns=1_500_000)) == "1.5 ms"
    assert waterfall.took(Span(start_ns=0, end_ns=2 * S)) == "2.00 s"
