"""Made-up telemetry: requests, batches and gaps as a site would send them."""

import struct

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tidegate.model.session import Chunk
from tidegate.v1.prediction_pb2 import OutputSummary, Prediction, PredictionBatch

MS = 1_000_000
MARCH = 1_740_000_000_000
"""A moment, ms."""


def pair(key: str, value: str | int | bool) -> KeyValue:
    if isinstance(value, bool):
        return KeyValue(key=key, value=AnyValue(bool_value=value))
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    return KeyValue(key=key, value=AnyValue(string_value=value))


def span(
    trace: int,
    number: int,
    *,
    name: str = "predict",
    parent: int = 0,
    start_ms: int = MARCH,
    took_us: int = 1_000,
    failed: bool = False,
    links: tuple[tuple[int, int], ...] = (),
    **attributes: str | int | bool,
) -> Span:
    """A span; ids are made of numbers, attribute names have `_` for `.`."""
    made = Span(
        trace_id=trace.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        name=name,
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=start_ms * MS,
        end_time_unix_nano=start_ms * MS + took_us * 1_000,
        attributes=[pair(key.replace("_", "."), value) for key, value in attributes.items()],
        links=[Span.Link(trace_id=other.to_bytes(16, "big"), span_id=one.to_bytes(8, "big")) for other, one in links],
    )
    if failed:
        made.status.code = Status.STATUS_CODE_ERROR
        made.status.message = "it broke"
    return made


def request(*spans: Span, service: str = "model-server", **resource: str) -> bytes:
    """An encoded export request with one resource."""
    made = ExportTraceServiceRequest()
    group = made.resource_spans.add()
    group.resource.attributes.append(pair("service.name", service))
    group.resource.attributes.extend(pair(key.replace("_", "."), value) for key, value in resource.items())
    group.scope_spans.add().spans.extend(spans)
    return made.SerializeToString()


def spans_chunk(seq: int, *spans: Span) -> Chunk:
    return Chunk(seq, "spans", MARCH, len(spans), request(*spans))


def predictions_chunk(seq: int, first: int, count: int, generation: int = 1, at: int = MARCH) -> Chunk:
    """`count` predictions whose span ids are the numbers from `first` on."""
    batch = PredictionBatch(
        site="press-7",
        service="fraud",
        predictions=[
            Prediction(
                request_id=f"r{number}",
                trace_id=number.to_bytes(16, "big"),
                span_id=number.to_bytes(8, "big"),
                model="digits",
                model_sha256=b"\1" * 32,
                generation=generation,
                at=at + number,
                latency_us=120,
                outputs=[OutputSummary(name="label", datatype="INT64", shape=[1], labels=[number % 10])],
            )
            for number in range(first, first + count)
        ],
    )
    return Chunk(seq, "predictions", at, count, batch.SerializeToString())


def gap_chunk(from_seq: int, to_seq: int, *, known: int = -1, items: int = 0) -> Chunk:
    """The range as shed records of class `ok`; fewer `known` ones than the range is long make it damaged."""
    records = to_seq - from_seq + 1 if known < 0 else known
    payload = struct.pack("<QQqq8Q", from_seq, to_seq, MARCH, MARCH + 5, 0, records, 0, 0, 0, items, 0, 0)
    return Chunk(to_seq, "gap", MARCH, 0, payload)
