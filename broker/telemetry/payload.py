"""The bytes that sites send, to the rows that are kept. Pure; nothing is raised for bad bytes but ValueError.

A chunk's payload is, by its kind:

    spans        an encoded OTLP ExportTraceServiceRequest predictions  an encoded tidegate.v1.PredictionBatch gap
    112 bytes, little-endian: u64 from_seq, u64 to_seq, i64 oldest ms, i64 newest ms (both -2^63: not known),
                 u64 records[4], u64 items[4] by shed class (debug, ok, error, audit); the chunk's seq is to_seq

A span is kept as its own encoded message beside the few columns that are searched, so that events, flags and fields of
a later OTLP stay as they came. A span that no store could name (ids of a wrong length or zero, times beyond 63 bits)
is counted as unusable and left out.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from broker.telemetry.span import Span, SpanLink
from tidegate.v1.prediction_pb2 import PredictionBatch

WORKLOAD = "tidegate.workload"
"""The span attribute that says which workload a span belongs to, by its id."""
SITE = "tidegate.site"
"""The resource attribute that says where a span was made, for spans that do not come through a site's spool."""

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUSES = ("unset", "ok", "error")

_GAP = struct.Struct("<QQqq8Q")
_UNKNOWN_MS = -(2**63)
_LARGEST = 2**63 - 1
LARGEST_SEQ = 2**53
"""No stream comes near it, and what is added up over streams stays below 2**63."""
_NO_TRACE, _NO_SPAN = bytes(16), bytes(8)


@dataclass(frozen=True, slots=True)
class SpanRow:
    """What is kept of a span. `body` is its OTLP message, `resource` its resource's."""

    trace_id: bytes
    span_id: bytes
    name: str
    start_ns: int
    end_ns: int
    status: int
    service: str
    site: str
    workload: str
    resource: bytes
    body: bytes
    links: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class PredictionRow:
    """What is kept of a prediction. `body` is its own message."""

    span_id: bytes
    trace_id: bytes
    service: str
    generation: int
    at: int
    latency_us: int
    model_sha256: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """A range of a stream that will never come."""

    from_seq: int
    to_seq: int
    reason: str
    items: int
    oldest_ms: int
    newest_ms: int


def spans(payload: bytes, site: str = "") -> tuple[list[SpanRow], int]:
    """The spans of an export request and how many were unusable. `site`, where known, outranks what the spans say."""
    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(payload)
    except DecodeError as error:
        raise ValueError(f"not an OTLP export request: {error}") from error
    rows: list[SpanRow] = []
    unusable = 0
    for group in request.resource_spans:
        resource = group.resource.SerializeToString()
        service = _attribute(group.resource.attributes, "service.name")
        place = site or _attribute(group.resource.attributes, SITE)
        for scope in group.scope_spans:
            for span in scope.spans:
                if not _usable(span):
                    unusable += 1
                    continue
                rows.append(
                    SpanRow(
                        trace_id=span.trace_id,
                        span_id=span.span_id,
                        name=span.name,
                        start_ns=span.start_time_unix_nano,
                        end_ns=span.end_time_unix_nano,
                        status=span.status.code,
                        service=service,
                        site=place,
                        workload=_attribute(span.attributes, WORKLOAD),
                        resource=resource,
                        body=span.SerializeToString(),
                        links=tuple((link.trace_id, link.span_id) for link in span.links) if span.links else (),
                    )
                )
    return rows, unusable


def predictions(payload: bytes) -> list[PredictionRow]:
    """The predictions of a batch, in its order."""
    batch = PredictionBatch()
    try:
        batch.ParseFromString(payload)
    except DecodeError as error:
        raise ValueError(f"not a batch of predictions: {error}") from error
    return [
        PredictionRow(
            span_id=one.span_id,
            trace_id=one.trace_id,
            service=batch.service,
            generation=one.generation,
            at=one.at,
            latency_us=one.latency_us,
            model_sha256=one.model_sha256,
            body=one.SerializeToString(),
        )
        for one in batch.predictions
    ]


def gap(payload: bytes) -> Gap:
    """The range that a gap chunk stands for. `damaged` where not all that is missing is known, else `shed`."""
    if len(payload) != _GAP.size:
        raise ValueError(f"a gap is {_GAP.size} bytes, not {len(payload)}")
    from_seq, to_seq, oldest, newest, *counts = _GAP.unpack(payload)
    if not 0 < from_seq <= to_seq <= LARGEST_SEQ or max(counts) > LARGEST_SEQ:
        raise ValueError(f"a gap cannot reach from {from_seq} to {to_seq}")
    known = sum(counts[:4])
    return Gap(
        from_seq=from_seq,
        to_seq=to_seq,
        reason="shed" if known >= to_seq - from_seq + 1 else "damaged",
        items=sum(counts[4:]),
        oldest_ms=0 if oldest == _UNKNOWN_MS else oldest,
        newest_ms=0 if newest == _UNKNOWN_MS else newest,
    )


def span(body: bytes, service: str, site: str, received_at: int) -> Span:
    """A kept span as it is shown."""
    message = SpanMessage.FromString(body)
    return Span(
        trace_id=message.trace_id.hex(),
        span_id=message.span_id.hex(),
        parent_span_id=message.parent_span_id.hex(),
        name=message.name,
        kind=_word(KINDS, message.kind),
        start_ns=message.start_time_unix_nano,
        end_ns=message.end_time_unix_nano,
        status=_word(STATUSES, message.status.code),
        status_message=message.status.message,
        service=service,
        site=site,
        attributes={pair.key: _text(pair.value) for pair in message.attributes},
        links=tuple(SpanLink(link.trace_id.hex(), link.span_id.hex()) for link in message.links),
        received_at=received_at,
    )


def joined(requests: Iterable[bytes]) -> bytes:
    """Encoded export requests as one: a request is one repeated field, so their bytes are simply put in a row."""
    return b"".join(requests)


def _usable(span: SpanMessage) -> bool:
    return (
        len(span.trace_id) == 16
        and len(span.span_id) == 8
        and span.trace_id != _NO_TRACE
        and span.span_id != _NO_SPAN
        and span.start_time_unix_nano <= _LARGEST
        and span.end_time_unix_nano <= _LARGEST
    )


def _attribute(pairs: Iterable[KeyValue], key: str) -> str:
    for pair in pairs:
        if pair.key == key:
            return _text(pair.value)
    return ""


def _text(value: AnyValue) -> str:
    """A value as a person would write it: text as it is, bytes in hex, lists and maps in brackets."""
    kind = value.WhichOneof("value")
    if kind is None:
        return ""
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    if kind == "bytes_value":
        return value.bytes_value.hex()
    if kind == "array_value":
        return "[" + ", ".join(_text(item) for item in value.array_value.values) + "]"
    if kind == "kvlist_value":
        return "{" + ", ".join(f"{pair.key}: {_text(pair.value)}" for pair in value.kvlist_value.values) + "}"
    return str(getattr(value, kind))


def _word(words: tuple[str, ...], number: int) -> str:
    return words[number] if 0 <= number < len(words) else str(number)
