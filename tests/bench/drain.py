"""How fast a backlog drains: spans out of a real spool, over a real socket, durable in the broker's store."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import grpc.aio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from agents.spool import Fact, Kind, RealFiles, ShedClass, SpoolReader, SpoolWriter
from tests.bench.measure import Row
from tests.support.until import until
from tidegate.v1 import agents_pb2, agents_pb2_grpc, session_pb2

RECORDS, SPANS = 200, 250
BATCH_BYTES = 1024 * 1024


def rows() -> list[Row]:
    """A backlog of 50,000 spans, from the first read of the spool to the last receipt."""
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(folder) / "spool")
        ready = Path(folder) / "ready.json"
        command = [
            *(sys.executable, "-m", "broker", "--listen", "127.0.0.1:0", "--data-dir", str(Path(folder) / "data")),
            *("--ready-file", str(ready)),
        ]
        broker = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            until(ready.exists, 30, "the broker to be ready")
            seconds, size = asyncio.run(_drain(json.loads(ready.read_text())["address"], Path(folder) / "spool"))
        finally:
            broker.terminate()
            broker.wait(20)
    spans = RECORDS * SPANS
    return [
        Row(
            "spool drain, spans durable at the broker",
            f"{spans / seconds:,.0f} spans/s",
            f"{size / seconds / 1e6:.1f} MB/s",
        )
    ]


def _fill(root: Path) -> None:
    with SpoolWriter(RealFiles(), root, "bench") as writer:
        for _ in range(RECORDS):
            writer.append([Fact(Kind.SPANS, ShedClass.OK, 1, SPANS, _spans())])


def _spans() -> bytes:
    trace = os.urandom(16)
    spans = [
        Span(trace_id=trace, span_id=os.urandom(8), name="infer", start_time_unix_nano=1_000, end_time_unix_nano=2_000)
        for _ in range(SPANS)
    ]
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])]
    ).SerializeToString()


async def _drain(address: str, root: Path) -> tuple[float, int]:
    reader = SpoolReader(RealFiles(), root)
    size = 0
    async with grpc.aio.insecure_channel(address) as channel:
        call = agents_pb2_grpc.AgentsStub(channel).SyncTelemetry()
        after = 0
        began = time.perf_counter()
        while records := reader.read("bench", after, BATCH_BYTES):
            chunks = [
                session_pb2.Chunk(seq=one.seq, kind="spans", at=one.at_ms, count=one.count, payload=one.payload)
                for one in records
            ]
            size += sum(len(chunk.payload) for chunk in chunks)
            await call.write(agents_pb2.SyncTelemetryRequest(site="bench", stream="bench", chunks=chunks))
            receipt = (await call.read()).receipt
            after = receipt.high_water
            reader.acknowledge("bench", after)
        seconds = time.perf_counter() - began
        await call.done_writing()
    assert after == RECORDS
    return seconds, size
