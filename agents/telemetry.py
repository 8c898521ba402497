"""The agent's own spans: encoded as OTLP and put into the spool, from where they go to the broker with all else.

A span is recorded when it has ended, with its times given, so nothing is lost that a crash would leave open, and no
process-wide tracer is needed. Ids are random; the parent is the assignment's trace context.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from agents.clock import Clock
from agents.spool import Fact, Kind, ShedClass, SpoolWriter
from tidegate.model.errors import Unavailable

log = logging.getLogger(__name__)

SERVICE = "tidegate-agent"
MOST_CONTEXTS = 10_000


@dataclass(frozen=True, slots=True)
class Timed:
    """Something that took from `start_ns` to `end_ns` (ns since the epoch). `error` empty: it went well."""

    name: str
    start_ns: int
    end_ns: int
    traceparent: str = ""
    workload_id: str = ""
    error: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


class SpanRecorder:
    """Writes spans into one stream of the spool. A full spool costs the span, never the work."""

    def __init__(self, spool: SpoolWriter, site: str, clock: Clock, service: str = SERVICE) -> None:
        self._spool = spool
        self._clock = clock
        self._site = site
        self._service = service
        self._contexts: dict[str, str] = {}

    def join(self, workload_id: str, traceparent: str) -> None:
        """Spans about this workload belong to that trace from now on."""
        self._contexts.pop(workload_id, None)
        self._contexts[workload_id] = traceparent
        while len(self._contexts) > MOST_CONTEXTS:
            self._contexts.pop(next(iter(self._contexts)))

    def context(self, workload_id: str) -> str:
        """The trace context of a workload. What is shared (a cluster) belongs to the newest one's: it asked for it."""
        return self._contexts.get(workload_id) or next(reversed(self._contexts.values()), "")

    def record(self, timed: Timed) -> None:
        """Make it durable."""
        payload = encode(timed, self._site, self._service, self._clock)
        kept = ShedClass.ERROR if timed.error else ShedClass.OK
        try:
            self._spool.append([Fact(Kind.SPANS, kept, timed.end_ns // 1_000_000, 1, payload)])
        except Unavailable as error:
            log.warning("span %s is not recorded: %s", timed.name, error)


def encode(timed: Timed, site: str, service: str, clock: Clock) -> bytes:
    """The bytes of an OTLP export request with this one span."""
    trace, parent = _context(timed.traceparent)
    attributes = {**timed.attributes, "tidegate.site": site}
    if timed.workload_id:
        attributes["tidegate.workload"] = timed.workload_id
    span = Span(
        trace_id=trace or clock.token(16),
        span_id=clock.token(8),
        parent_span_id=parent,
        name=timed.name,
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=timed.start_ns,
        end_time_unix_nano=timed.end_ns,
        attributes=_pairs(attributes),
        status=Status(code=Status.STATUS_CODE_ERROR if timed.error else Status.STATUS_CODE_OK, message=timed.error),
    )
    resource = Resource(attributes=_pairs({"service.name": service, "tidegate.site": site}))
    spans = ResourceSpans(resource=resource, scope_spans=[ScopeSpans(spans=[span])])
    return ExportTraceServiceRequest(resource_spans=[spans]).SerializeToString()


def _context(traceparent: str) -> tuple[bytes, bytes]:
    """Trace id and span id of a W3C `00-<trace>-<span>-<flags>`; empty where there is none."""
    parts = traceparent.split("-")
    if len(parts) != 4 or len(parts[1]) != 32 or len(parts[2]) != 16:
        return b"", b""
    try:
        return bytes.fromhex(parts[1]), bytes.fromhex(parts[2])
    except ValueError:
        return b"", b""


def _pairs(values: Mapping[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in values.items()]
