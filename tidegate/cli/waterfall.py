"""The waterfall: spans as bars on a common time axis, one trace after another, children under their parents.

Marks: `late` where a span reached the broker more than 2 s after it ended, with how much later; `away` where it lies in
a window in which its device could not be reached. Times within one trace share one scale; a linked trace has its own,
since it may have happened months later.
"""

from collections import defaultdict

from rich.table import Table
from rich.text import Text

from tidegate.v1.traces_pb2 import AwayWindow, Span

LATE_MS = 2_000
WIDTH = 36


def draw(spans: list[Span], away: list[AwayWindow]) -> Table:
    """A table with one row per span."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("SPAN", "SITE", "", "TOOK", ""):
        table.add_column(column, justify="right" if column == "TOOK" else "left", no_wrap=column != "SPAN")
    traces: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        traces[span.trace_id].append(span)
    ordered = sorted(traces.values(), key=lambda trace: min(span.start_ns for span in trace))
    for number, trace in enumerate(ordered):
        if number:
            table.add_row("")
        table.add_row(Text(f"trace {trace[0].trace_id}", style="dim"))
        _draw_trace(table, trace, away)
    return table


def _draw_trace(table: Table, trace: list[Span], away: list[AwayWindow]) -> None:
    begin = min(span.start_ns for span in trace)
    length = max(max(span.end_ns for span in trace) - begin, 1)
    for depth, span in in_order(trace):
        name = Text("  " * depth + span.name, style="red" if span.status == "error" else "")
        table.add_row(name, span.site, _bar(span, begin, length), took(span), marks(span, away))


def in_order(trace: list[Span]) -> list[tuple[int, Span]]:
    """Depth and span, parents before children, siblings by start. A span whose parent is not here stands at the top."""
    here = {span.span_id for span in trace}
    children: dict[str, list[Span]] = defaultdict(list)
    for span in sorted(trace, key=lambda span: (span.start_ns, span.span_id)):
        children[span.parent_span_id if span.parent_span_id in here else ""].append(span)
    ordered: list[tuple[int, Span]] = []
    waiting = [(0, span) for span in reversed(children[""])]
    while waiting:
        depth, span = waiting.pop()
        ordered.append((depth, span))
        waiting += [(depth + 1, child) for child in reversed(children.get(span.span_id, []))]
    return ordered


def took(span: Span) -> str:
    """A span's length in the unit that suits it."""
    us = (span.end_ns - span.start_ns) / 1000
    if us < 1000:
        return f"{us:.0f} us"
    return f"{us / 1000:.1f} ms" if us < 1_000_000 else f"{us / 1_000_000:.2f} s"


def marks(span: Span, away: list[AwayWindow]) -> Text:
    """What is unusual about how the span came here."""
    found = Text()
    end_ms = span.end_ns // 1_000_000
    if any(w.site == span.site and w.from_ms <= end_ms and (end_ms <= w.to_ms or not w.to_ms) for w in away):
        found.append("away ", style="yellow")
    lag_ms = span.received_at - end_ms
    if span.received_at and lag_ms > LATE_MS:
        found.append(f"late {lag_ms / 1000:.1f} s", style="magenta")
    return found


def _bar(span: Span, begin: int, length: int) -> Text:
    start = (span.start_ns - begin) * WIDTH // length
    width = max(1, (span.end_ns - span.start_ns) * WIDTH // length)
    start = min(start, WIDTH - 1)
    style = "red" if span.status == "error" else "cyan"
    return Text(" " * start) + Text("━" * min(width, WIDTH - start), style=style)
