"""The whole door: sites, OTLP clients and the broker's own spans in; traces out; new requests passed on."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, format_trace_id

from broker.telemetry.embedded import MOST_WAITING, Telemetry
from broker.telemetry.exporter import StoreExporter
from broker.telemetry.otlp import MOST_BYTES, trace_service
from broker.telemetry.span import Wanted
from broker.telemetry.store import Limits
from tests.broker.telemetry.made import MARCH, predictions_chunk, request, span, spans_chunk
from tests.support.until import until_async
from tidegate.model.errors import Broken, Refused, Unavailable

NOW = MARCH + 60_000


@pytest.fixture
async def passed_on() -> list[bytes]:
    return []


@pytest.fixture
async def telemetry(tmp_path: Path, passed_on: list[bytes]) -> AsyncIterator[Telemetry]:
    opened = await Telemetry.open(tmp_path, now=lambda: NOW, pass_on=passed_on.append)
    yield opened
    await opened.close()


async def test_what_a_site_delivers_is_found_and_passed_on_once(telemetry: Telemetry, passed_on: list[bytes]) -> None:
    chunks = [spans_chunk(1, span(1, 1, tidegate_workload="w7")), predictions_chunk(2, 5, 3)]
    for _ in range(2):
        await telemetry.receive("press-7", "main", chunks)
    await telemetry.away("press-7", MARCH, NOW)
    (found,) = await telemetry.trace(f"{1:032x}")
    assert (found.site, found.received_at, found.start_ns) == ("press-7", NOW, MARCH * 1_000_000)
    assert await telemetry.traces_of("w7") == [found.trace_id]
    assert await telemetry.spans([found.trace_id]) == [found]
    assert await telemetry.linked(found.trace_id) == []
    assert len(await telemetry.search(Wanted(site="press-7"))) == 1
    assert (await telemetry.counts("press-7")).duplicate_records == 2
    assert [mark.high_water for mark in await telemetry.marks()] == [2]
    assert [count.predictions for count in await telemetry.predictions("press-7")] == [3]
    assert await telemetry.gaps() == []
    assert len(await telemetry.windows(["press-7"])) == 1
    assert (await telemetry.totals())["spans"] == 1
    assert passed_on == [chunks[0].payload]


async def test_batches_beyond_the_bound_are_told_to_come_back(telemetry: Telemetry) -> None:
    answers = await asyncio.gather(
        *(telemetry.receive("press-7", f"s{n}", [predictions_chunk(1, n, 1)]) for n in range(MOST_WAITING + 5)),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, Unavailable)]
    assert len(refused) == 5
    assert refused[0].retry_after_ms > 0
    assert (await telemetry.counts()).predictions == MOST_WAITING


async def test_retention_goes_on_between_batches(tmp_path: Path) -> None:
    telemetry = await Telemetry.open(tmp_path, now=lambda: NOW, limits=Limits(most_spans=2))
    for seq in range(1, 6):
        await telemetry.receive("press-7", "main", [spans_chunk(seq, span(seq, 1), span(seq, 2))])
    assert (await telemetry.counts()).spans == 10
    telemetry.promise({})

    async def two_are_left() -> bool:
        return (await telemetry.counts()).spans == 2

    await until_async(two_are_left)
    await telemetry.close()
    await telemetry.close()
    with pytest.raises(Broken, match="closed"):
        await telemetry.counts()


async def test_the_otlp_service_stores_what_clients_export(telemetry: Telemetry) -> None:
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 2 * MOST_BYTES)])
    server.add_generic_rpc_handlers((trace_service(telemetry),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        export = TraceServiceStub(channel).Export  # type: ignore[no-untyped-call]
        told = ExportTraceServiceRequest.FromString(request(span(1, 1), span(1, 2), service="client"))
        for _ in range(2):
            assert await export(told) == ExportTraceServiceResponse()
        assert len(await telemetry.trace(f"{1:032x}")) == 2
        raw: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        )
        for bad in (b"\xff\xff", bytes(MOST_BYTES + 1)):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await raw(bad)
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    await server.stop(None)


async def test_the_brokers_own_spans_reach_the_store_as_the_sdk_made_them(telemetry: Telemetry) -> None:
    exporter = StoreExporter(telemetry)
    provider = TracerProvider(resource=Resource.create({"service.name": "broker"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("broker")
    with tracer.start_as_current_span("earlier") as earlier:
        pass
    with tracer.start_as_current_span(
        "decide", kind=SpanKind.SERVER, links=[Link(earlier.get_span_context())]
    ) as decide:
        decide.set_attributes(
            {"tidegate.workload": "w9", "misses": 3, "share": 0.5, "cached": True, "sites": ["a", "b"]}
        )
        with tracer.start_as_current_span("law") as law:
            law.set_status(Status(StatusCode.ERROR, "no candidate"))
            law.add_event("looked", {"rules": 4})
    await asyncio.to_thread(provider.force_flush)
    assert exporter.force_flush()
    trace_id = format_trace_id(decide.get_span_context().trace_id)
    outer, inner = await telemetry.trace(trace_id)
    assert (outer.name, outer.kind, outer.service, outer.parent_span_id) == ("decide", "server", "broker", "")
    assert outer.attributes == {
        "tidegate.workload": "w9",
        "misses": "3",
        "share": "0.5",
        "cached": "true",
        "sites": "[a, b]",
    }
    assert (inner.name, inner.status, inner.status_message) == ("law", "error", "no candidate")
    assert inner.parent_span_id == outer.span_id
    assert await telemetry.linked(trace_id) == [format_trace_id(earlier.get_span_context().trace_id)]
    await asyncio.to_thread(provider.shutdown)


async def test_an_offer_never_waits(telemetry: Telemetry) -> None:
    offers = [telemetry.offer(request(span(1, number))) for number in range(1, 2_000)]
    await asyncio.gather(*(asyncio.wrap_future(kept) for kept in offers if kept is not None))
    dropped = offers.count(None)
    assert telemetry.dropped == dropped
    assert (await telemetry.counts()).spans == len(offers) - dropped
    bad = telemetry.offer(b"\xff\xff")
    assert bad is not None
    with pytest.raises(Refused):
        await asyncio.wrap_future(bad)
