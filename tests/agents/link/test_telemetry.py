"""Telemetry on its way: whatever becomes of its stream is the link's fault, and never the agent's end."""

import asyncio
from random import Random
from typing import Any

import pytest

from agents.clock import SystemClock
from agents.link import telemetry
from agents.link.pace import Pace
from agents.spool import Fact, Kind, ShedClass, SpoolReader, SpoolWriter
from tests.disks.files import PlatterFiles
from tests.disks.platter import Platter
from tidegate.model.errors import Unavailable


class Ended:
    """A stream that the broker ended while nothing was on its way; as gRPC tells of it."""

    cancelled = False

    async def write(self, request: Any) -> None:
        raise asyncio.InvalidStateError("RPC already finished.")

    def cancel(self) -> None:
        self.cancelled = True


async def test_a_stream_that_has_ended_is_no_end_for_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    call = Ended()
    stub = type("Stub", (), {"__init__": lambda self, channel: None, "SyncTelemetry": lambda self: call})
    monkeypatch.setattr(telemetry.agents_pb2_grpc, "AgentsStub", stub)
    files = PlatterFiles(Platter(Random(1)))
    with SpoolWriter(files, "spool", "agent") as spool:
        spool.append([Fact(Kind.SPANS, ShedClass.OK, 1, 1, b"span")])
        channel: Any = None
        with pytest.raises(Unavailable):
            reader, pace = SpoolReader(files, "spool"), Pace(SystemClock())
            await telemetry.drain(channel, reader, "press-7", lambda: 0, pace, lambda: None)
    assert call.cancelled
