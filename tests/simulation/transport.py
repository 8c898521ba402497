"""gRPC's four kinds of call over the simulated wire: what a generated stub and a servicer see of it, and no more.

A channel connects at its first call and keeps the connection; each call is a stream of its own on it, in order within
itself. Messages cross as bytes, so neither side sees the other's objects. Statuses and trailing metadata are those of
the real `Doorway`, which stands before the servicers here as it does in a broker.
`tests/simulation/test_transport.py` holds the same conversations against this and against real gRPC.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio

from broker.rpc.interceptors import Doorway
from tests.simulation.loop import Process
from tests.simulation.network import Connection, Network

_CLOSED = ("closed",)
"""The channel was closed under a call: real gRPC cancels whoever waits for it."""
_GONE = ("status", grpc.StatusCode.UNAVAILABLE, "the connection is gone", ())


class SimulatedChannel:
    """What `grpc.aio.insecure_channel` gives, as far as the project's stubs use it."""

    def __init__(self, network: Network, process: Process, machine: str, address: str) -> None:
        self._network, self._process, self._machine, self._address = network, process, machine, address
        self._connecting: asyncio.Task[Connection | None] | None = None
        self._calls: dict[int, asyncio.Queue[Any]] = {}
        self._numbers = itertools.count(1)
        self._listener: asyncio.Task[None] | None = None
        self._closed = False

    async def __aenter__(self) -> "SimulatedChannel":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closed = True
        if self._listener:
            self._listener.cancel()
        for heard in self._calls.values():
            heard.put_nowait(_CLOSED)
        if self._connecting and self._connecting.done() and not self._connecting.cancelled():
            connection = self._connecting.result()
            if connection is not None and self._process.alive:
                connection.break_side(connection.client)
                self._network.run(self._network._later(connection, connection.server, self._network.delay()))

    async def connected(self) -> Connection | None:
        """The channel's connection, made where there is none; None where nobody answers."""
        if self._connecting is None or (self._connecting.done() and _lost(self._connecting)):
            self._connecting = asyncio.create_task(self._connect())
        return await asyncio.shield(self._connecting)

    async def _connect(self) -> Connection | None:
        connection = await self._network.connect(self._process, self._machine, self._address)
        if connection is not None:
            self._listener = asyncio.create_task(self._listen(connection))
        return connection

    async def _listen(self, connection: Connection) -> None:
        """Hand what arrives to the call that it is for."""
        while (item := await connection.client.arrived.get()) is not None:
            number, what = item
            if number in self._calls:
                self._calls[number].put_nowait(what)
        for heard in self._calls.values():
            heard.put_nowait(_GONE)

    def open(self) -> tuple[int, "asyncio.Queue[Any]"]:
        if self._closed:
            raise grpc.aio.UsageError("Channel is closed.")
        number = next(self._numbers)
        self._calls[number] = asyncio.Queue()
        return number, self._calls[number]

    def forget(self, number: int) -> None:
        self._calls.pop(number, None)

    def tell(self, connection: Connection, number: int) -> None:
        """The server hears that a call was given up."""
        self._network.run(connection.up.send((number, ("cancel",))))

    def stream_stream(
        self, path: str, request_serializer: Any, response_deserializer: Any, **_: Any
    ) -> Callable[..., "Call"]:
        return lambda **kw: Call(self, path, request_serializer, response_deserializer)

    def unary_stream(
        self, path: str, request_serializer: Any, response_deserializer: Any, **_: Any
    ) -> Callable[..., "Call"]:
        def call(request: Any, timeout: float | None = None, metadata: Any = None) -> Call:
            return Call(self, path, request_serializer, response_deserializer, requests=[request], timeout=timeout)

        return call

    def unary_unary(
        self, path: str, request_serializer: Any, response_deserializer: Any, **_: Any
    ) -> Callable[..., Any]:
        def call(request: Any, timeout: float | None = None, metadata: Any = None) -> Any:
            return Call(
                self, path, request_serializer, response_deserializer, requests=[request], timeout=timeout
            ).only()

        return call

    def stream_unary(
        self, path: str, request_serializer: Any, response_deserializer: Any, **_: Any
    ) -> Callable[..., Any]:
        def call(requests: AsyncIterator[Any], timeout: float | None = None, metadata: Any = None) -> Any:
            return Call(
                self, path, request_serializer, response_deserializer, requests=requests, timeout=timeout
            ).only()

        return call


class Call:
    """The client's end of one call."""

    def __init__(
        self,
        channel: SimulatedChannel,
        path: str,
        serializer: Any,
        deserializer: Any,
        *,
        requests: Any = None,
        timeout: float | None = None,
    ) -> None:
        self._channel, self._path, self._serialize, self._deserialize = channel, path, serializer, deserializer
        self._number, self._heard = channel.open()
        self._connection: Connection | None = None
        self._ended: Any = None
        self._deadline = asyncio.get_running_loop().time() + timeout if timeout else None
        self._opening = asyncio.create_task(self._open())
        self._sending = asyncio.create_task(self._send_all(requests)) if requests is not None else None

    async def _open(self) -> None:
        self._connection = await self._channel.connected()
        if self._connection is None:
            self._heard.put_nowait(("status", grpc.StatusCode.UNAVAILABLE, "nobody answers", ()))
            return
        await self._connection.up.send((self._number, ("open", self._path)))

    async def _send_all(self, requests: Any) -> None:
        if isinstance(requests, list):
            for request in requests:
                await self._send(("message", self._serialize(request)))
        else:
            async for request in requests:
                await self._send(("message", self._serialize(request)))
        await self._send(("half-close",))

    async def _send(self, what: tuple[Any, ...]) -> None:
        await asyncio.shield(self._opening)
        if self._connection is not None and self._ended is None:
            if self._connection.client.broken.is_set():
                self._heard.put_nowait(_GONE)
                return
            await self._connection.up.send((self._number, what))

    async def write(self, request: Any) -> None:
        if self._ended is not None:
            raise self._error()
        await self._send(("message", self._serialize(request)))

    async def done_writing(self) -> None:
        await self._send(("half-close",))

    async def read(self) -> Any:
        """The next message; EOF where the call ended well; AioRpcError where it did not."""
        if self._ended is None:
            what = await self._next()
            if what is _CLOSED:
                raise asyncio.CancelledError
            if what[0] == "message":
                return self._deserialize(what[1])
            self._end(what)
        if self._ended[1] is grpc.StatusCode.OK:
            return grpc.aio.EOF
        raise self._error()

    async def only(self) -> Any:
        """The answer of a call that has one."""
        try:
            answer = await self.read()
            if answer is grpc.aio.EOF:
                raise AssertionError(f"{self._path} answered nothing")
            return answer
        finally:
            self.cancel()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._messages()

    async def _messages(self) -> AsyncIterator[Any]:
        while (message := await self.read()) is not grpc.aio.EOF:
            yield message

    def cancel(self) -> bool:
        """Give the call up; the server hears of it."""
        first = self._ended is None
        if first:
            self._end(("status", grpc.StatusCode.CANCELLED, "cancelled here", ()))
            told = self._connection
            if told is not None and not told.client.broken.is_set() and told.client.process.alive:
                self._channel.tell(told, self._number)
        for task in (self._opening, self._sending):
            if task is not None:
                task.cancel()
        return first

    async def _next(self) -> Any:
        if self._deadline is None:
            return await self._heard.get()
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._heard.get()
        except TimeoutError:
            return ("status", grpc.StatusCode.DEADLINE_EXCEEDED, "too late", ())

    def _end(self, status: Any) -> None:
        self._ended = status
        self._channel.forget(self._number)

    def _error(self) -> grpc.aio.AioRpcError:
        _, code, details, trailers = self._ended
        return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailers), details)


class SimulatedServer:
    """Takes what `add_XServicer_to_server` registers, behind the real `Doorway`, in one process."""

    def __init__(self, process: Process, doorway: Doorway) -> None:
        self._process, self._doorway = process, doorway
        self._handlers: dict[str, Any] = {}

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """The newer way below registers the same ones."""

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        self._handlers |= {f"/{service}/{name}": handler for name, handler in handlers.items()}

    def accept(self, connection: Connection) -> None:
        """A client has connected."""
        self._process.start(self._serve(connection))

    async def _serve(self, connection: Connection) -> None:
        calls: dict[int, tuple[asyncio.Queue[Any], asyncio.Task[None]]] = {}
        try:
            while (item := await connection.server.arrived.get()) is not None:
                number, what = item
                if what[0] == "open":
                    incoming: asyncio.Queue[Any] = asyncio.Queue()
                    task = asyncio.create_task(self._call(connection, number, what[1], incoming))
                    calls[number] = (incoming, task)
                elif number in calls and what[0] == "cancel":
                    calls.pop(number)[1].cancel()
                elif number in calls:
                    calls[number][0].put_nowait(what)
        finally:
            for _, task in calls.values():
                task.cancel()

    async def _call(self, connection: Connection, number: int, path: str, incoming: "asyncio.Queue[Any]") -> None:
        plain = self._handlers[path]

        async def known(details: Any) -> Any:
            return plain

        async def say(*what: Any) -> None:
            await connection.down.send((number, what))

        handler = await self._doorway.intercept_service(known, _Details(path))
        context = _Context(connection.client.process.name)

        async def requests() -> AsyncIterator[Any]:
            while (what := await incoming.get())[0] == "message":
                yield plain.request_deserializer(what[1])

        try:
            given: Any = requests() if plain.request_streaming else await anext(requests())
            if plain.response_streaming:
                behaviour = handler.stream_stream or handler.unary_stream
                async for answer in behaviour(given, context):
                    await say("message", plain.response_serializer(answer))
            else:
                behaviour = handler.stream_unary or handler.unary_unary
                await say("message", plain.response_serializer(await behaviour(given, context)))
            await say("status", grpc.StatusCode.OK, "", ())
        except _Aborted as aborted:
            await say("status", *aborted.args)
        except StopAsyncIteration:
            await say("status", grpc.StatusCode.INTERNAL, "no request came", ())
        except Exception as error:
            self._process.fall(error)  # real gRPC would answer UNKNOWN and go on; here it is a finding


class _Details:
    def __init__(self, method: str) -> None:
        self.method = method
        self.invocation_metadata = ()


class _Aborted(Exception):
    """Code, details and trailing metadata."""


class _Context:
    def __init__(self, peer: str) -> None:
        self._peer = peer

    def peer(self) -> str:
        return self._peer

    def invocation_metadata(self) -> tuple[()]:
        return ()

    async def abort(self, code: Any, details: str = "", trailing_metadata: Any = ()) -> None:
        raise _Aborted(code, details, tuple(trailing_metadata))


def _lost(connecting: "asyncio.Task[Connection | None]") -> bool:
    if connecting.cancelled() or connecting.exception() is not None:
        return True
    connection = connecting.result()
    return connection is None or connection.client.broken.is_set()
