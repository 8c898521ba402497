"""The simulated wire against the real one: the same conversations, the same answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import grpc
import grpc.aio
import pytest

from broker.rpc.interceptors import Doorway
from tests.simulation.loop import Process, SimulatedLoop, elapse
from tests.simulation.network import Network
from tests.simulation.transport import SimulatedChannel, SimulatedServer
from tests.support.until import until_async
from tidegate.model.errors import Unavailable
from tidegate.v1 import artifacts_pb2 as wire
from tidegate.v1.agents_pb2 import AttachRequest, AttachResponse
from tidegate.v1.agents_pb2_grpc import AgentsServicer, AgentsStub, add_AgentsServicer_to_server
from tidegate.v1.artifacts_pb2_grpc import ArtifactsServicer, ArtifactsStub, add_ArtifactsServicer_to_server
from tidegate.wire.status import error_of

EMPTY = AttachRequest()


class Echo(AgentsServicer, ArtifactsServicer):
    """Answers each message with one; refuses the third. Files end early, hang, or are refused."""

    def __init__(self) -> None:
        self.over = 0

    async def Attach(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        count = 0
        try:
            async for _ in requests:
                count += 1
                if count == 3:
                    raise Unavailable("enough", field="says", retry_after_ms=7)
                yield AttachResponse()
        finally:
            self.over += 1

    async def Stat(self, request: Any, context: Any) -> Any:
        if request.digest == "hang":
            await asyncio.Event().wait()
        return wire.StatResponse(held_bytes=len(request.digest))

    async def Push(self, requests: AsyncIterator[Any], context: Any) -> Any:
        held = 0
        async for request in requests:
            held += len(request.data)
        return wire.PushResponse(held_bytes=held)

    async def Fetch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        for offset in range(3):
            yield wire.FetchResponse(offset=offset)


@asynccontextmanager
async def real(echo: Echo) -> AsyncIterator[Any]:
    """A channel to a real server on this machine."""
    server = grpc.aio.server(interceptors=(Doorway(()),))
    add_AgentsServicer_to_server(echo, server)
    add_ArtifactsServicer_to_server(echo, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    finally:
        await server.stop(None)


@asynccontextmanager
async def simulated(echo: Echo) -> AsyncIterator[Any]:
    """The same over the simulated wire; here it runs on the ordinary loop, with its delays."""
    network = Network(Random(1), lambda where, what: None, slowest_s=0.001)
    process = Process("broker")
    server: Any = SimulatedServer(process, Doorway(()))
    add_AgentsServicer_to_server(echo, server)
    add_ArtifactsServicer_to_server(echo, server)
    network.listen("broker", process, server.accept)
    try:
        yield SimulatedChannel(network, Process("client"), "client", "broker")
    finally:
        await process.kill()
        await network.close()


both = pytest.mark.parametrize("wired", [real, simulated])


@both
async def test_a_stream_answers_in_turn_and_ends_with_the_status_it_was_given(wired: Any) -> None:
    async with wired(Echo()) as channel:
        call = AgentsStub(channel).Attach()
        for _ in range(2):
            await call.write(EMPTY)
            assert isinstance(await call.read(), AttachResponse)
        await call.write(EMPTY)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        error = error_of(caught.value)
        assert isinstance(error, Unavailable)
        assert (error.message, error.field, error.retry_after_ms) == ("enough", "says", 7)


@both
async def test_a_stream_that_is_closed_ends_well(wired: Any) -> None:
    async with wired(Echo()) as channel:
        call = AgentsStub(channel).Attach()
        await call.write(EMPTY)
        await call.done_writing()
        assert isinstance(await call.read(), AttachResponse)
        assert await call.read() is grpc.aio.EOF
        pieces = [piece.offset async for piece in ArtifactsStub(channel).Fetch(wire.FetchRequest())]
        assert pieces == [0, 1, 2]


@both
async def test_single_answers_and_deadlines(wired: Any) -> None:
    async with wired(Echo()) as channel:
        stub = ArtifactsStub(channel)
        assert (await stub.Stat(wire.StatRequest(digest="abc"), timeout=5)).held_bytes == 3

        async def pieces() -> AsyncIterator[Any]:
            yield wire.PushRequest(data=b"12")
            yield wire.PushRequest(data=b"345")

        assert (await stub.Push(pieces(), timeout=5)).held_bytes == 5
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Stat(wire.StatRequest(digest="hang"), timeout=0.2)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


@both
async def test_a_call_that_is_given_up_is_over_on_the_other_side_too(wired: Any) -> None:
    echo = Echo()
    async with wired(echo) as channel:
        call = AgentsStub(channel).Attach()
        await call.write(EMPTY)
        await call.read()
        assert call.cancel()
        await until_async(lambda: echo.over == 1)


@both
async def test_a_closed_channel_cancels_who_waits_and_takes_no_more(wired: Any) -> None:
    async with wired(Echo()) as channel:
        async with channel:
            stub = ArtifactsStub(channel)
            waiting = asyncio.ensure_future(_hang(stub))
            await stub.Stat(wire.StatRequest(digest="abc"), timeout=5)
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with pytest.raises(grpc.aio.UsageError):
            await _hang(stub)


async def _hang(stub: ArtifactsStub) -> Any:
    return await stub.Stat(wire.StatRequest(digest="hang"), timeout=60)


@both
async def test_nobody_there_is_unavailable(wired: Any) -> None:
    if wired is real:
        channel: Any = grpc.aio.insecure_channel("127.0.0.1:1")
    else:
        channel = SimulatedChannel(Network(Random(1), lambda *_: None), Process("client"), "client", "nowhere")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ArtifactsStub(channel).Stat(wire.StatRequest(), timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_time_passes_only_where_somebody_waits_for_it() -> None:
    loop = SimulatedLoop()
    try:
        loop.run_until_complete(elapse(86_400))
        assert loop.time() == pytest.approx(86_400)
    finally:
        loop.close()
