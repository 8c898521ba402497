"""The spool's records to the broker: in order, each visible there exactly once, at the pace that the broker grants.

At least once from here, once over there: a batch stays in the spool until the broker's receipt says that it is durable,
and the broker drops numbers that it has. All streams take turns, so one long backlog does not starve the others.

What the broker refuses stays in the spool: the next try comes after `REFUSED_SECONDS`, and the link goes on meanwhile.

Limits: a batch is at most 512 KiB of frames, no more than the link carries in a second (`agents.link.pace`; a single
larger record goes alone) and `MAX_BATCH_CHUNKS` records; one batch is under way.
"""

import asyncio
import logging
from collections.abc import Callable

import grpc

from agents.link.fault import fault_of
from agents.link.pace import Pace
from agents.spool import Kind, Record, SpoolReader
from tidegate.model.errors import Refused, Unavailable
from tidegate.model.session import Chunk
from tidegate.v1 import agents_pb2, agents_pb2_grpc
from tidegate.wire.channel import MAX_BATCH_CHUNKS
from tidegate.wire.codec import to_message

log = logging.getLogger(__name__)

BATCH_BYTES = 512 * 1024
RECEIPT_SECONDS = 30.0
REST_SECONDS = 0.2
"""Between two looks at an empty spool."""
REFUSED_SECONDS = 30.0

KINDS = {Kind.SPANS: "spans", Kind.PREDICTIONS: "predictions", Kind.GAP: "gap"}


async def drain(
    channel: grpc.aio.Channel,
    reader: SpoolReader,
    site: str,
    bytes_per_s: Callable[[], int],
    pace: Pace,
    heard: Callable[[], None],
) -> None:
    """Send what waits and what comes, until cancelled. Raises `Unavailable` where the link is at fault.

    `heard` is told of each receipt.
    """
    while True:
        try:
            await _drain(channel, reader, site, bytes_per_s, pace, heard)
        except Refused as error:
            log.error("the broker refuses telemetry, which stays in the spool: %s", error)
            await asyncio.sleep(REFUSED_SECONDS)
        except Unavailable as error:
            if not error.retry_after_ms:
                raise
            log.warning("the broker takes no telemetry for %d ms: %s", error.retry_after_ms, error)
            await asyncio.sleep(error.retry_after_ms / 1000)


async def _drain(
    channel: grpc.aio.Channel,
    reader: SpoolReader,
    site: str,
    bytes_per_s: Callable[[], int],
    pace: Pace,
    heard: Callable[[], None],
) -> None:
    stub = agents_pb2_grpc.AgentsStub(channel)
    call = None  # opened with the first record: a fleet that has nothing to tell opens no second stream
    try:
        while True:
            sent = 0
            for stream in await asyncio.to_thread(reader.streams):
                async with pace.piece() as piece:
                    records = (await asyncio.to_thread(reader.read, stream, 0, piece.bytes))[:MAX_BATCH_CHUNKS]
                    retry_ms = 0
                    if records:
                        call = call or stub.SyncTelemetry()
                        retry_ms = await _send(call, reader, site, stream, records)
                        heard()
                    piece.moved = sum(len(each.payload) for each in records)
                sent += piece.moved
                if retry_ms:
                    await asyncio.sleep(retry_ms / 1000)
            share = bytes_per_s()
            await asyncio.sleep(sent / share if share and sent else 0.0 if sent else REST_SECONDS)
    except grpc.aio.AioRpcError as error:
        raise fault_of(error) from error
    except asyncio.InvalidStateError as error:  # the stream ended while nothing was on its way
        raise Unavailable("the broker closed the telemetry stream") from error
    finally:
        if call is not None:
            call.cancel()


async def _send(
    call: "grpc.aio.StreamStreamCall[agents_pb2.SyncTelemetryRequest, agents_pb2.SyncTelemetryResponse]",
    reader: SpoolReader,
    site: str,
    stream: str,
    records: list[Record],
) -> int:
    """One batch and its receipt; for how many ms the broker wants no more."""
    chunks = [to_message(Chunk(each.seq, KINDS[each.kind], each.at_ms, each.count, each.payload)) for each in records]
    await call.write(agents_pb2.SyncTelemetryRequest(site=site, stream=stream, chunks=chunks))
    async with asyncio.timeout(RECEIPT_SECONDS):
        answer = await call.read()
    if not isinstance(answer, agents_pb2.SyncTelemetryResponse) or answer.stream != stream:
        raise Unavailable("the broker closed the telemetry stream")
    await asyncio.to_thread(reader.acknowledge, stream, answer.receipt.high_water)
    return int(answer.receipt.retry_after_ms)
