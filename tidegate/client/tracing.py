"""The client's own span, where a workload's trace begins.

A caller who already traces (OpenTelemetry's current span) stays the parent; else a new trace begins here. The finished
span goes to the broker's OTLP service; a span that cannot be sent never fails the call it measures.
"""

import secrets
import time
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

EXPORT_METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def new_traceparent() -> str:
    """A trace context of its own: what a caller without tracing sends with a prediction."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


@dataclass
class ClientSpan:
    """One call's span, from its making to `finish`."""

    name: str
    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    started_ns: int

    @classmethod
    def begin(cls, name: str) -> "ClientSpan":
        """Starts now, under the caller's current span where there is one."""
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            trace_id, parent = context.trace_id.to_bytes(16, "big"), context.span_id.to_bytes(8, "big")
        else:
            trace_id, parent = secrets.token_bytes(16), b""
        return cls(name, trace_id, secrets.token_bytes(8), parent, time.time_ns())

    @property
    def traceparent(self) -> str:
        """W3C trace context, for the call's metadata."""
        return f"00-{self.trace_id.hex()}-{self.span_id.hex()}-01"

    def finish(self, attributes: dict[str, str], error: str = "") -> bytes:
        """The span as an OTLP export request."""
        span = Span(
            trace_id=self.trace_id,
            span_id=self.span_id,
            parent_span_id=self.parent_id,
            name=self.name,
            kind=Span.SPAN_KIND_CLIENT,
            start_time_unix_nano=self.started_ns,
            end_time_unix_nano=time.time_ns(),
            attributes=[_attribute(key, value) for key, value in attributes.items()],
            status=Status(code=Status.STATUS_CODE_ERROR, message=error) if error else None,
        )
        resource = Resource(attributes=[_attribute("service.name", "tidegate-client")])
        spans = ResourceSpans(resource=resource, scope_spans=[ScopeSpans(spans=[span])])
        return ExportTraceServiceRequest(resource_spans=[spans]).SerializeToString()


def _attribute(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))
