"""The nouns of telemetry, as they are found again. Fields carry the names of the messages in traces.proto."""

from dataclasses import dataclass, field

LATE_MS = 60_000
"""A span that arrives longer than this after its end is late: its site was away, or its clock is behind."""


@dataclass(frozen=True, slots=True)
class SpanLink:
    """Another span that this one belongs with, in hex."""

    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class Span:
    """One span with its original ids (hex) and times (ns), and when it arrived (`received_at`, ms)."""

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: str
    start_ns: int
    end_ns: int
    status: str
    status_message: str
    service: str
    site: str
    attributes: dict[str, str]
    links: tuple[SpanLink, ...]
    received_at: int

    @property
    def lag_ms(self) -> int:
        """How long after its end it arrived; below 0 where the sender's clock is ahead."""
        return self.received_at - self.end_ns // 1_000_000

    @property
    def late(self) -> bool:
        """Whether it arrived `LATE_MS` or more after its end."""
        return self.lag_ms >= LATE_MS


@dataclass(frozen=True, slots=True)
class AwayWindow:
    """A window in which a site could not be reached, ms."""

    site: str
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """One trace in a search's answer. The root is the earliest span whose parent is not among the trace's spans."""

    trace_id: str
    root_name: str
    service: str
    site: str
    start_ns: int
    duration_ns: int
    spans: int
    late_spans: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a search looks for; an empty field does not restrict. Times are of the span's start, in ms."""

    service: str = ""
    site: str = ""
    workload: str = ""
    name: str = ""
    since_ms: int = 0
    until_ms: int = 0
    arrived_since_ms: int = 0
    """Of the arrival instead: what is new, however old it is."""
    min_duration_us: int = 0
    errors_only: bool = False
    limit: int = 100


@dataclass(frozen=True, slots=True)
class StreamMark:
    """How far one spool stream has been received."""

    site: str
    stream: str
    high_water: int


@dataclass(frozen=True, slots=True)
class PredictionCount:
    """Predictions of one service at one site under one generation. `duplicates` are rows that share a span id."""

    site: str
    service: str
    generation: int
    predictions: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class GapRange:
    """Numbers of a stream that will never come, and why; `items` is how many spans or predictions are known lost."""

    site: str
    stream: str
    from_seq: int
    to_seq: int
    reason: str
    items: int
    oldest_ms: int
    newest_ms: int
    received_at: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What arrived. Spans, predictions and gaps are of the window asked for, duplicates since ever."""

    spans: int = 0
    predictions: int = 0
    duplicate_records: int = 0
    gap_records: int = 0
    streams: tuple[StreamMark, ...] = field(default=())
