"""A broker that fails in the middle of its answers: the agent goes on, and comes again."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from agents.drivers.base import TaskPhase
from agents.telemetry import Timed
from tests.agents.runtime.test_site import attached
from tests.support.broker_stub import BrokerStub
from tests.support.scripted_driver import ScriptedDriver
from tests.support.until import until_async
from tidegate.model.errors import Unavailable
from tidegate.wire.status import code_of, trailers_of


class Failing(BrokerStub):
    """Its first sessions and its first telemetry stream end with statuses of the test's choice."""

    def __init__(self, attach: list[grpc.StatusCode], full: int = 0) -> None:
        super().__init__()
        self.attach = attach
        self.full = full
        self.refused = 0

    async def Attach(self, request_iterator: AsyncIterator[Any], context: Any) -> None:  # type: ignore[override]
        if self.attach:
            await context.abort(self.attach.pop(), "broken over there")
        await super().Attach(request_iterator, context)

    async def SyncTelemetry(self, request_iterator: AsyncIterator[Any], context: Any) -> None:  # type: ignore[override]
        if self.full:
            self.full -= 1
            await anext(request_iterator)
            error = Unavailable("no room for telemetry", retry_after_ms=1)
            self.refused += 1
            await context.abort(code_of(error), error.message, trailers_of(error))
        await super().SyncTelemetry(request_iterator, context)


async def test_a_broken_broker_breaks_no_agent(tmp_path: Path) -> None:
    codes = [grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNIMPLEMENTED]
    broker = await Failing(codes).start()
    try:
        async with attached(tmp_path, broker, ScriptedDriver(TaskPhase.RUNNING)):
            await until_async(lambda: broker.streams == 1, 20)
            assert codes == []
    finally:
        await broker.stop()


async def test_a_broker_without_room_for_telemetry_keeps_the_session(tmp_path: Path) -> None:
    broker = await Failing([], full=3).start()
    try:
        async with attached(tmp_path, broker, ScriptedDriver(TaskPhase.RUNNING)) as site:
            await until_async(lambda: broker.streams == 1)
            site._spans.record(Timed("fetch", 1, 2))
            await until_async(lambda: any(broker.received.values()))
            assert broker.refused == 3
            assert len(broker.hellos) == 1
    finally:
        await broker.stop()
