"""A backlog of more records than fit in one message drains into a real broker, every one once."""

import asyncio
import os

import grpc.aio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from agents.clock import SystemClock
from agents.link.pace import Pace
from agents.link.telemetry import drain
from agents.spool import Fact, Kind, RealFiles, ShedClass, SpoolReader, SpoolWriter
from tests.support.brokers import BrokerProcess
from tests.support.until import until_async
from tidegate.client.aio import AsyncClient
from tidegate.v1 import traces_pb2
from tidegate.wire.channel import MAX_BATCH_CHUNKS

RECORDS = MAX_BATCH_CHUNKS * 2 + 100


def span() -> bytes:
    one = Span(
        trace_id=os.urandom(16), span_id=os.urandom(8), name="infer", start_time_unix_nano=1, end_time_unix_nano=2
    )
    scopes = [ScopeSpans(spans=[one])]
    return ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=scopes)]).SerializeToString()


async def test_small_records_beyond_one_message_all_arrive(tmp_path):
    root = tmp_path / "spool"
    with SpoolWriter(RealFiles(), root, "agent") as writer:
        writer.append([Fact(Kind.SPANS, ShedClass.OK, 1, 1, span()) for _ in range(RECORDS)])
    broker = BrokerProcess(tmp_path)
    broker.start()
    try:
        reader = SpoolReader(RealFiles(), root)
        async with grpc.aio.insecure_channel(broker.address) as channel, AsyncClient(broker.address) as client:
            draining = asyncio.create_task(
                drain(channel, reader, "press-7", lambda: 0, Pace(SystemClock()), lambda: None)
            )
            await until_async(lambda: reader.acknowledged("agent") == RECORDS, 30, "the spool to drain")
            draining.cancel()
            counts: traces_pb2.CountsResponse = await client.counts("press-7")
        assert (counts.spans, counts.duplicate_records, counts.gap_records) == (RECORDS, 0, 0)
    finally:
        broker.stop()
