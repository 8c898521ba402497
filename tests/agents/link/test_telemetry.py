"""Telemetry on its way: whatever becomes of its stream is the link's fault, and never the agent's end."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest

from agents.clock import SystemClock
from agents.link import telemetry
from agents.link.pace import Pace
from agents.spool import Fact, Kind, ShedClass, SpoolReader, SpoolWriter
from tests.disks.files import PlatterFiles
from tests.disks.platter import Platter
from tests.support.until import until_async
from tidegate.model.errors import Unavailable
from tidegate.v1 import agents_pb2, session_pb2


class Ended:
    """A stream that the broker ended while nothing was on its way; as gRPC tells of it."""

    cancelled = False

    async def write(self, request: Any) -> None:
        raise asyncio.InvalidStateError("RPC already finished.")

    def cancel(self) -> None:
        self.cancelled = True


class Answering:
    """A stream whose receipts come when the test says so."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[asyncio.Future[Any]] = asyncio.Queue()

    async def write(self, request: Any) -> None:
        self.stream = request.stream

    async def read(self) -> Any:
        answer = asyncio.get_running_loop().create_future()
        self.asked.put_nowait(answer)
        return await answer

    def cancel(self) -> None:
        return None


@contextmanager
def draining(monkeypatch: pytest.MonkeyPatch, call: Ended | Answering) -> Iterator[Coroutine[Any, Any, None]]:
    """One span on its way over a stream."""
    stub = type("Stub", (), {"__init__": lambda self, channel: None, "SyncTelemetry": lambda self: call})
    monkeypatch.setattr(telemetry.agents_pb2_grpc, "AgentsStub", stub)
    files = PlatterFiles(Platter(Random(1)))
    with SpoolWriter(files, "spool", "agent") as spool:
        spool.append([Fact(Kind.SPANS, ShedClass.OK, 1, 1, b"span")])
        channel: Any = None
        reader, pace = SpoolReader(files, "spool"), Pace(SystemClock())
        yield telemetry.drain(channel, reader, "press-7", lambda: 0, pace, lambda: None)


async def test_a_receipt_that_comes_with_the_end_of_the_session_does_not_keep_it_alive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The session waits for all its parts to end before the agent dials again: it used to wait for ever."""
    call = Answering()
    with draining(monkeypatch, call) as drained:
        task = asyncio.create_task(drained)
        answer = await call.asked.get()
        receipt = session_pb2.Receipt(high_water=1)
        answer.set_result(agents_pb2.SyncTelemetryResponse(stream=call.stream, receipt=receipt))
        task.cancel()
        await until_async(task.done)
        assert task.cancelled()


async def test_a_stream_that_has_ended_is_no_end_for_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    call = Ended()
    with draining(monkeypatch, call) as drained, pytest.raises(Unavailable):
        await drained
    assert call.cancelled
