"""What a model server tells of itself: calls and loads to OTLP spans and prediction records. Pure.

Spans are built straight as `opentelemetry.proto.trace.v1` messages and leave as one `ExportTraceServiceRequest` per
batch; nobody on their way to the broker opens them. A prediction's span is a SERVER span in the caller's trace, or in
a trace of its own, and *links* to the assignment: an assignment serves for months, and a trace that long is no use to
anybody. A load's span is a child of the assignment, since that is where the way from submit to serving ends.

Inputs and outputs stay on the device: a record carries the inputs' SHA-256 and a summary of the outputs.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from edge.serving.trace import SpanContext
from tidegate.v1.prediction_pb2 import OutputSummary, Prediction, PredictionBatch
from tidegate.wire.tensors import Tensor, to_raw

SUMMARY_ROWS = 16
SUMMARY_TEXT_BYTES = 64
LONGEST_ID = 128
"""Characters of what a client chose (request ids, model names) that are kept."""
SCOPE = "tidegate.serving"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who tells: the same for everything that one model server sends."""

    site: str
    service: str


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """The model that answered, down to its bytes, and the assignment that it was loaded for."""

    name: str
    version: str
    digest: str
    generation: int
    assignment: SpanContext | None


class Call(NamedTuple):
    """One prediction that was asked for. Built for every request, so it is a plain tuple.

    `recorded` is False where only the span is kept. Without a model the request never found one.
    """

    model: ModelIdentity | None
    asked_for: str
    request_id: str
    span: SpanContext
    parent: SpanContext | None
    started_ns: int
    latency_ns: int
    queue_ns: int
    compute_ns: int
    transport: str
    error: str = ""
    recorded: bool = False
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()


class Load(NamedTuple):
    """One model file that was verified, loaded and warmed up, or was not."""

    model: ModelIdentity
    span: SpanContext
    started_ns: int
    latency_ns: int
    device: str
    error: str = ""


def spans_payload(origin: Origin, told: Iterable[Call | Load]) -> bytes:
    """One `ExportTraceServiceRequest`, encoded."""
    resource = Resource(
        attributes=[
            _text("service.name", origin.service),
            _text("tidegate.service", origin.service),
            _text("tidegate.site", origin.site),
        ]
    )
    spans = [_call_span(origin, fact) if isinstance(fact, Call) else _load_span(origin, fact) for fact in told]
    scope = ScopeSpans(scope=InstrumentationScope(name=SCOPE), spans=spans)
    request = ExportTraceServiceRequest(resource_spans=[ResourceSpans(resource=resource, scope_spans=[scope])])
    return request.SerializeToString()


def predictions_payload(origin: Origin, calls: Sequence[Call]) -> bytes:
    """One `PredictionBatch`, encoded. Every call must have a model."""
    batch = PredictionBatch(site=origin.site, service=origin.service, predictions=map(_prediction, calls))
    return batch.SerializeToString()


def input_digest(inputs: Iterable[Tensor]) -> bytes:
    """SHA-256 over `name NUL datatype NUL shape NUL bytes` of each, in the order given."""
    digest = hashlib.sha256()
    for tensor in inputs:
        shape = ",".join(map(str, tensor.array.shape))
        digest.update(f"{tensor.name}\0{tensor.datatype}\0{shape}\0".encode())
        digest.update(to_raw(tensor))
    return digest.digest()


def summary(output: Tensor) -> OutputSummary:
    """An output in a few numbers: labels, or where each row of scores is greatest."""
    array = output.array
    told = OutputSummary(name=output.name, datatype=output.datatype, shape=array.shape)
    if not array.size:
        return told
    if array.dtype.kind == "O":
        told.texts.extend(bytes(text)[:SUMMARY_TEXT_BYTES] for text in array.reshape(-1)[:SUMMARY_ROWS])
    elif array.dtype.kind == "f":
        rows = array.reshape(-1, array.shape[-1] if array.ndim else 1)[:SUMMARY_ROWS]
        places = rows.argmax(axis=1)
        told.labels.extend(places.tolist())
        told.scores.extend(rows[np.arange(len(places)), places].astype(np.float32).tolist())
    else:
        told.labels.extend(_signed(value) for value in array.reshape(-1)[:SUMMARY_ROWS].tolist())
    return told


def _prediction(call: Call) -> Prediction:
    model = call.model
    assert model is not None, "a call without a model is never recorded as a prediction"
    return Prediction(
        request_id=call.request_id[:LONGEST_ID],
        trace_id=call.span.trace_id,
        span_id=call.span.span_id,
        model=model.name,
        model_version=model.version,
        model_sha256=bytes.fromhex(model.digest),
        generation=model.generation,
        at=call.started_ns // 1_000_000,
        latency_us=call.latency_ns // 1000,
        compute_us=call.compute_ns // 1000,
        input_sha256=input_digest(call.inputs),
        outputs=map(summary, call.outputs),
    )


def _call_span(origin: Origin, call: Call) -> Span:
    attributes = [
        _text("tidegate.site", origin.site),
        _text("tidegate.service", origin.service),
        _text("tidegate.transport", call.transport),
        _number("tidegate.queue_us", call.queue_ns // 1000),
        _number("tidegate.compute_us", call.compute_ns // 1000),
    ]
    links: list[Span.Link] = []
    if call.model is not None:
        attributes += _model_attributes(call.model)
        if call.model.assignment is not None:
            target = call.model.assignment
            links.append(Span.Link(trace_id=target.trace_id, span_id=target.span_id))
    if call.request_id:
        attributes.append(_text("tidegate.request_id", call.request_id[:LONGEST_ID]))
    return Span(
        trace_id=call.span.trace_id,
        span_id=call.span.span_id,
        parent_span_id=call.parent.span_id if call.parent else b"",
        name=f"infer {call.asked_for[:LONGEST_ID]}",
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=call.started_ns,
        end_time_unix_nano=call.started_ns + call.latency_ns,
        attributes=attributes,
        links=links,
        status=_status(call.error),
    )


def _load_span(origin: Origin, load: Load) -> Span:
    parent = load.model.assignment
    return Span(
        trace_id=load.span.trace_id,
        span_id=load.span.span_id,
        parent_span_id=parent.span_id if parent else b"",
        name=f"load {load.model.name}",
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=load.started_ns,
        end_time_unix_nano=load.started_ns + load.latency_ns,
        attributes=[
            _text("tidegate.site", origin.site),
            _text("tidegate.service", origin.service),
            _text("tidegate.device", load.device),
            *_model_attributes(load.model),
        ],
        status=_status(load.error),
    )


def _model_attributes(model: ModelIdentity) -> list[KeyValue]:
    return [
        _text("tidegate.model.name", model.name),
        _text("tidegate.model.version", model.version),
        _text("tidegate.model.digest", model.digest),
        _number("tidegate.generation", model.generation),
    ]


def _status(error: str) -> Status:
    return Status(code=Status.STATUS_CODE_ERROR, message=error[:512]) if error else Status()


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _number(key: str, value: int) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(int_value=value))


def _signed(value: int) -> int:
    """UINT64 values above the signed range keep their bits."""
    return int(value) - 2**64 if value >= 2**63 else int(value)
