"""The broker's own spans, into its own store: an exporter for OpenTelemetry's SDK.

It does not wait. A batch is encoded and offered to the store; where the store is behind, it is dropped and counted
there (`Telemetry.dropped`), for the broker's own spans are never a reason to hold the broker up.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from typing import Protocol

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext, SpanKind, StatusCode, format_span_id, format_trace_id

_KINDS = {
    SpanKind.INTERNAL: Span.SPAN_KIND_INTERNAL,
    SpanKind.SERVER: Span.SPAN_KIND_SERVER,
    SpanKind.CLIENT: Span.SPAN_KIND_CLIENT,
    SpanKind.PRODUCER: Span.SPAN_KIND_PRODUCER,
    SpanKind.CONSUMER: Span.SPAN_KIND_CONSUMER,
}
_STATUSES = {
    StatusCode.UNSET: Status.STATUS_CODE_UNSET,
    StatusCode.OK: Status.STATUS_CODE_OK,
    StatusCode.ERROR: Status.STATUS_CODE_ERROR,
}


class Taker(Protocol):
    """What the exporter needs of the store."""

    def offer(self, request: bytes) -> "Future[int] | None":
        """Keep an encoded export request when there is time; None where it was dropped. Never waits."""


class StoreExporter(SpanExporter):
    """For a `BatchSpanProcessor`; also works behind a `SimpleSpanProcessor`, one span a request."""

    def __init__(self, taker: Taker) -> None:
        self._taker = taker
        self._under_way: set[Future[int]] = set()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """FAILURE where the batch was dropped; the SDK does not send it again."""
        under_way = self._taker.offer(encode(spans))
        if under_way is None:
            return SpanExportResult.FAILURE
        self._under_way = {one for one in self._under_way if not one.done()} | {under_way}
        return SpanExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until what was exported before is durable; False where that took too long."""
        return not wait(self._under_way, timeout_millis / 1_000).not_done

    def shutdown(self) -> None:
        """Nothing to give back: the store belongs to the broker."""


def encode(spans: Sequence[ReadableSpan]) -> bytes:
    """The spans as an OTLP export request, grouped by resource."""
    request = ExportTraceServiceRequest()
    groups: dict[Resource, list[Span]] = {}
    for span in spans:
        context = span.get_span_context()
        if context is not None:
            groups.setdefault(span.resource, []).append(_span(span, context))
    for resource, members in groups.items():
        group = request.resource_spans.add()
        group.resource.attributes.extend(_pairs(resource.attributes))
        group.scope_spans.add().spans.extend(members)
    return request.SerializeToString()


def _span(span: ReadableSpan, context: SpanContext) -> Span:
    made = Span(
        trace_id=_trace_id(context),
        span_id=_span_id(context),
        parent_span_id=_span_id(span.parent) if span.parent is not None else b"",
        trace_state=context.trace_state.to_header() if context.trace_state else "",
        name=span.name,
        kind=_KINDS[span.kind],
        start_time_unix_nano=span.start_time or 0,
        end_time_unix_nano=span.end_time or 0,
        attributes=_pairs(span.attributes or {}),
        status=Status(code=_STATUSES[span.status.status_code], message=span.status.description or ""),
    )
    for event in span.events:
        made.events.add(name=event.name, time_unix_nano=event.timestamp, attributes=_pairs(event.attributes or {}))
    for link in span.links:
        made.links.add(
            trace_id=_trace_id(link.context), span_id=_span_id(link.context), attributes=_pairs(link.attributes or {})
        )
    return made


def _trace_id(context: SpanContext) -> bytes:
    return bytes.fromhex(format_trace_id(context.trace_id))


def _span_id(context: SpanContext) -> bytes:
    return bytes.fromhex(format_span_id(context.span_id))


def _pairs(attributes: Mapping[str, object]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in attributes.items()]


def _value(value: object) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list() | tuple():
            return AnyValue(array_value=ArrayValue(values=[_value(item) for item in value]))
        case _:
            return AnyValue(string_value=str(value))
