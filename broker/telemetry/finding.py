"""The reading side of the telemetry store, on a connection that cannot write.

A read sees the last commit before it began and holds no batch up. Every answer is bounded; what is looked for by
workload or link is found newest first.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import apsw

from broker.log.database import open_reader
from broker.telemetry import payload
from broker.telemetry.span import (
    LATE_MS,
    AwayWindow,
    Counts,
    GapRange,
    PredictionCount,
    Span,
    StreamMark,
    TraceSummary,
    Wanted,
)
from tidegate.model.errors import Refused, Unavailable

MOST_SPANS = 50_000
"""Of one answer."""
MOST_TRACES = 1_000

_ERROR = payload.STATUSES.index("error")
_FOREVER_MS = 2**63 // 1_000_000 - 1
_SPAN_COLUMNS = "body, service, site, received_at"


class TelemetryReader:
    """Reads `directory/telemetry.db`, which a `TelemetryStore` has made. Synchronous; one thread at a time."""

    def __init__(self, directory: Path) -> None:
        self._connection = open_reader(directory / "telemetry.db")

    def trace(self, trace_id: str, limit: int = MOST_SPANS) -> list[Span]:
        """The spans of a trace, by start. Empty where there is none; Refused where the id is not 32 hex digits."""
        return self._spans_of([_trace_id(trace_id)], limit)

    def traces_of(self, workload: str, limit: int = 20) -> list[str]:
        """Traces with a span of that workload (an id), the latest first."""
        found = self._rows(
            """select trace_id from spans where workload = ? group by trace_id order by max(start_ns) desc limit ?""",
            workload,
            _bounded(limit, MOST_TRACES),
        )
        return [trace_id.hex() for (trace_id,) in found]

    def linked(self, trace_id: str, limit: int = 20) -> list[str]:
        """Traces that this one links to or that link to it, one step away, without itself; the earliest first."""
        own = _trace_id(trace_id)
        found = self._rows(
            """with near (near_id) as (select to_trace_id from links where trace_id = ?1
                                  union select trace_id from links where to_trace_id = ?1)
               select near_id from near where near_id != ?1
               order by (select min(start_ns) from spans where trace_id = near_id) limit ?2""",
            own,
            _bounded(limit, MOST_TRACES),
        )
        return [near.hex() for (near,) in found]

    def spans(self, trace_ids: Iterable[str], limit: int = MOST_SPANS) -> list[Span]:
        """The spans of several traces, by start."""
        return self._spans_of([_trace_id(trace_id) for trace_id in trace_ids], limit)

    def search(self, wanted: Wanted) -> list[TraceSummary]:
        """Traces with a span that is as wanted, the latest such span first. The limit is at most `MOST_TRACES`."""
        conditions, values = _conditions(wanted)
        order = "received_at" if wanted.arrived_since_ms else "start_ns"
        found = self._rows(
            f"""select trace_id from spans where {conditions}
                group by trace_id order by max({order}) desc limit ?""",
            *values,
            _bounded(wanted.limit, MOST_TRACES),
        )
        return [self._summary(trace_id) for (trace_id,) in found]

    def counts(self, site: str = "", since_ms: int = 0, until_ms: int = 0) -> Counts:
        """What arrived of a window of event time (0: open), of one site or of all."""
        since, until = since_ms, until_ms or _FOREVER_MS
        spans = self._number(
            "select count(*) from spans where start_ns >= ? and start_ns < ? and (?3 = '' or site = ?3)",
            _ns(since),
            _ns(until),
            site,
        )
        predictions = self._number(
            "select count(*) from predictions where at >= ? and at < ? and (?3 = '' or site = ?3)", since, until, site
        )
        gaps = self._number(
            """select coalesce(sum(to_seq - from_seq + 1), 0) from gaps
               where (?3 = '' or site = ?3) and (newest_ms = 0 or (newest_ms >= ?1 and oldest_ms < ?2))""",
            since,
            until,
            site,
        )
        duplicates = self._number("select coalesce(sum(duplicates), 0) from streams where (?1 = '' or site = ?1)", site)
        return Counts(spans, predictions, duplicates, gaps, tuple(self.marks(site)))

    def marks(self, site: str = "") -> list[StreamMark]:
        """How far each stream has been received."""
        found = self._rows(
            "select site, stream, high_water from streams where (?1 = '' or site = ?1) order by site, stream", site
        )
        return [StreamMark(*row) for row in found]

    def predictions(self, site: str = "", since_ms: int = 0, until_ms: int = 0) -> list[PredictionCount]:
        """Predictions by site, service and generation, in a window of event time (0: open)."""
        found = self._rows(
            """select site, service, generation, count(*), count(*) - count(distinct span_id) from predictions
               where at >= ?2 and at < ?3 and (?1 = '' or site = ?1)
               group by site, service, generation order by site, service, generation""",
            site,
            since_ms,
            until_ms or _FOREVER_MS,
        )
        return [PredictionCount(*row) for row in found]

    def gaps(self, site: str = "", limit: int = 1_000) -> list[GapRange]:
        """What will never come, the latest told first."""
        found = self._rows(
            """select site, stream, from_seq, to_seq, reason, items, oldest_ms, newest_ms, received_at from gaps
               where (?1 = '' or site = ?1) order by received_at desc, site, stream, from_seq limit ?2""",
            site,
            _bounded(limit, MOST_SPANS),
        )
        return [GapRange(*row) for row in found]

    def away(self, sites: Iterable[str], since_ms: int = 0, until_ms: int = 0) -> list[AwayWindow]:
        """When these sites were away, of the windows that touch the one asked for."""
        windows: list[AwayWindow] = []
        for site in sorted(set(sites)):
            found = self._rows(
                "select site, from_ms, to_ms from away where site = ? and to_ms >= ? and from_ms < ? order by from_ms",
                site,
                since_ms,
                until_ms or _FOREVER_MS,
            )
            windows += [AwayWindow(*row) for row in found]
        return windows

    def totals(self) -> dict[str, int]:
        """What was counted since ever: spans, predictions, duplicate_spans, unusable_spans, retired_*."""
        return dict(self._rows("select name, value from totals order by name"))

    def close(self) -> None:
        """Idempotent."""
        self._connection.close()

    def _spans_of(self, trace_ids: list[bytes], limit: int) -> list[Span]:
        most = _bounded(limit, MOST_SPANS)
        found: list[Span] = []
        for trace_id in trace_ids[:MOST_TRACES]:
            rows = self._rows(
                f"select {_SPAN_COLUMNS} from spans where trace_id = ? limit ?", trace_id, most - len(found)
            )
            found += [payload.span(*row) for row in rows]
        return sorted(found, key=lambda span: (span.start_ns, -span.end_ns, span.span_id))

    def _summary(self, trace_id: bytes) -> TraceSummary:
        spans = self._spans_of([trace_id], MOST_SPANS)
        own = {span.span_id for span in spans}
        root = next((span for span in spans if span.parent_span_id not in own), spans[0])
        return TraceSummary(
            trace_id=root.trace_id,
            root_name=root.name,
            service=root.service,
            site=root.site,
            start_ns=spans[0].start_ns,
            duration_ns=max(span.end_ns for span in spans) - spans[0].start_ns,
            spans=len(spans),
            late_spans=sum(span.lag_ms >= LATE_MS for span in spans),
        )

    def _number(self, statement: str, *values: str | int | bytes) -> int:
        return int(self._rows(statement, *values)[0][0])

    def _rows(self, statement: str, *values: str | int | bytes) -> list[tuple[Any, ...]]:
        try:
            return list(self._connection.execute(statement, values))
        except apsw.Error as error:
            raise Unavailable(f"the telemetry store cannot be read: {error}") from error


def _conditions(wanted: Wanted) -> tuple[str, list[str | int]]:
    """The where clause of a search. What starts with a time or a workload has an index."""
    parts: list[str] = ["start_ns >= ?", "start_ns < ?"]
    values: list[str | int] = [_ns(wanted.since_ms), _ns(wanted.until_ms or _FOREVER_MS)]
    for column in ("service", "site", "workload", "name"):
        if found := getattr(wanted, column):
            parts.append(f"{column} = ?")
            values.append(found)
    if wanted.arrived_since_ms:
        parts.append("received_at >= ?")
        values.append(wanted.arrived_since_ms)
    if wanted.min_duration_us:
        parts.append("end_ns - start_ns >= ?")
        values.append(min(max(wanted.min_duration_us, 0), _FOREVER_MS) * 1_000)
    if wanted.errors_only:
        parts.append(f"status = {_ERROR}")
    return " and ".join(parts), values


def _ns(ms: int) -> int:
    """A moment in ns; one that no span can have is the nearest that it can."""
    return min(max(ms, 0), _FOREVER_MS) * 1_000_000


def _bounded(limit: int, most: int) -> int:
    return most if limit <= 0 else min(limit, most)


def _trace_id(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != 16:
        raise Refused("not a trace id", field="trace_id", found=text, wanted="32 hexadecimal digits")
    return found
