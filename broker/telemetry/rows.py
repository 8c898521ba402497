"""How rows are put into the telemetry store's tables. Only ever inside a transaction of `TelemetryStore`."""

import apsw

from broker.telemetry import payload

MOST_REMEMBERED = 10_000
"""Resources whose numbers are remembered; more are looked up again."""


class Rows:
    """The inserts, on the writing connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._resources: dict[bytes, int] = {}

    def forget(self) -> None:
        """After a rollback: what was believed to be kept may not be."""
        self._resources.clear()

    def keep_spans(self, rows: list[payload.SpanRow], now_ms: int, stream: str, seq: int) -> int:
        """How many of the spans were new."""
        if not rows:
            return 0
        resources = [self._resource(row.resource) for row in rows]  # before the count: these are inserts too
        before = self._connection.total_changes()
        self._connection.executemany(
            """insert or ignore into spans (trace_id, span_id, name, start_ns, end_ns, status, service, site, workload,
                   resource, body, received_at, stream, seq)
               values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                (
                    row.trace_id,
                    row.span_id,
                    row.name,
                    row.start_ns,
                    row.end_ns,
                    row.status,
                    row.service,
                    row.site,
                    row.workload or None,
                    resource,
                    row.body,
                    now_ms,
                    stream,
                    seq,
                )
                for row, resource in zip(rows, resources, strict=True)
            ),
        )
        kept = self._connection.total_changes() - before
        links = [(row.trace_id, row.span_id, *link) for row in rows for link in row.links]
        if links:
            self._connection.executemany("insert or ignore into links values (?, ?, ?, ?)", links)
        self.count("spans", kept)
        self.count("duplicate_spans", len(rows) - kept)
        return kept

    def keep_predictions(
        self, site: str, stream: str, seq: int, rows: list[payload.PredictionRow], now_ms: int
    ) -> None:
        """A batch's predictions; their places in it make them unique."""
        self._connection.executemany(
            """insert into predictions (site, stream, seq, place, span_id, trace_id, service, generation, at,
                   latency_us, model_sha256, body, received_at)
               values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                (
                    site,
                    stream,
                    seq,
                    place,
                    row.span_id,
                    row.trace_id,
                    row.service,
                    row.generation,
                    row.at,
                    row.latency_us,
                    row.model_sha256,
                    row.body,
                    now_ms,
                )
                for place, row in enumerate(rows)
            ),
        )
        self.count("predictions", len(rows))

    def keep_gap(self, site: str, stream: str, start: int, gap: payload.Gap, now_ms: int, poison: bytes) -> None:
        """A range from `start` on that will never come; `poison` is what came in its place."""
        self._connection.execute(
            "insert into gaps values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (site, stream, start, gap.to_seq, gap.reason, gap.items, gap.oldest_ms, gap.newest_ms, now_ms, poison),
        )

    def _resource(self, body: bytes) -> int:
        """The number under which a resource is kept. There are few: one a process, not one a span."""
        known = self._resources.get(body)
        if known is None:
            self._connection.execute("insert or ignore into resources (body) values (?)", (body,))
            known = int(self._connection.execute("select id from resources where body = ?", (body,)).get)
            if len(self._resources) >= MOST_REMEMBERED:
                self._resources.clear()
            self._resources[body] = known
        return known

    def count(self, name: str, change: int) -> None:
        """Add to a total."""
        if change:
            self._connection.execute(
                """insert into totals (name, value) values (?1, ?2)
                   on conflict (name) do update set value = value + ?2""",
                (name, change),
            )
