"""The Traces service: what the telemetry store holds, found again."""

from typing import Any

from broker.runtime.loop import Loop
from broker.telemetry.embedded import Telemetry
from broker.telemetry.span import Span, Wanted
from tidegate.v1 import traces_pb2 as wire
from tidegate.v1.traces_pb2_grpc import TracesServicer

SPANS = 10_000
TRACES = 50


class Traces(TracesServicer):
    """Convert, ask the store, convert."""

    def __init__(self, loop: Loop, telemetry: Telemetry) -> None:
        self._loop = loop
        self._telemetry = telemetry

    async def Get(self, request: Any, context: Any) -> Any:
        """One trace, or those of a workload; with `linked`, also what links to them."""
        workload_id = request.workload
        if workload_id:
            record = await self._loop.read(lambda state, at: state.find(workload_id))
            workload_id = record.id if record else workload_id

        ids = [request.trace_id] if request.trace_id else await self._telemetry.traces_of(workload_id, TRACES)
        if request.linked:
            for own in tuple(ids):
                ids += await self._telemetry.linked(own, TRACES)
        spans = (await self._telemetry.spans(dict.fromkeys(ids)))[: min(request.limit or SPANS, SPANS)]
        since = min((span.start_ns for span in spans), default=0) // 1_000_000
        until = max((span.end_ns for span in spans), default=0) // 1_000_000 + 1
        away = await self._telemetry.windows({span.site for span in spans if span.site}, since, until)
        return wire.TracesGetResponse(
            spans=[_span(span) for span in spans],
            away=[wire.AwayWindow(site=w.site, from_ms=w.from_ms, to_ms=w.to_ms) for w in away],
        )

    async def Search(self, request: Any, context: Any) -> Any:
        """Traces with a span that is as wanted."""
        workload_id = request.workload
        if workload_id:
            record = await self._loop.read(lambda state, at: state.find(workload_id))
            workload_id = record.id if record else workload_id
        wanted = Wanted(
            service=request.service,
            site=request.site,
            workload=workload_id,
            name=request.name,
            since_ms=request.since_ms,
            until_ms=request.until_ms,
            min_duration_us=request.min_duration_us,
            errors_only=request.errors_only,
            limit=request.limit or 100,
        )
        found = await self._telemetry.search(wanted)
        return wire.TracesSearchResponse(
            traces=[
                wire.TraceSummary(
                    trace_id=one.trace_id,
                    root_name=one.root_name,
                    service=one.service,
                    site=one.site,
                    start_ns=one.start_ns,
                    duration_ns=one.duration_ns,
                    spans=one.spans,
                    late_spans=one.late_spans,
                )
                for one in found
            ]
        )

    async def Counts(self, request: Any, context: Any) -> Any:
        """What arrived from sites."""
        counts = await self._telemetry.counts(request.site, request.since_ms, request.until_ms)
        return wire.CountsResponse(
            spans=counts.spans,
            predictions=counts.predictions,
            duplicate_records=counts.duplicate_records,
            gap_records=counts.gap_records,
            streams=[wire.StreamMark(site=m.site, stream=m.stream, high_water=m.high_water) for m in counts.streams],
        )


def _span(span: Span) -> Any:
    return wire.Span(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        name=span.name,
        kind=span.kind,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        status=span.status,
        status_message=span.status_message,
        service=span.service,
        site=span.site,
        attributes=span.attributes,
        links=[wire.SpanLink(trace_id=link.trace_id, span_id=link.span_id) for link in span.links],
        received_at=span.received_at,
    )
