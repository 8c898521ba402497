"""What every call passes before its servicer: the chain of gates, and the one place where errors become statuses.

    request id -> identity -> authorisation -> rate -> servicer

Identity and authorisation stand open until mutual TLS comes: the caller is whoever reaches the listener, which is why
the listener is on loopback or a Unix socket. They are places in the chain, not switches: each gate is a function of
the call.

Bytes that are no message of the method's are refused here as well: gRPC itself would answer INTERNAL, which says that
the fault is ours.

Limits: 5,000 calls a second from one peer, 10,000 at once; the 10,000 peers seen last are remembered; `MOST_OPEN` calls
at a time in all, streams included.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from broker.runtime.clock import Clock
from broker.runtime.rates import Buckets
from tidegate.model.errors import Broken, Refused, TidegateError, Unavailable
from tidegate.wire.status import MOST_MESSAGE, code_of, trailers_of

CALLS_PER_S = 5_000
CALLS_AT_ONCE = 10_000
PEERS_KEPT = 10_000
REQUEST_ID = "tidegate-request-id"
MOST_OPEN = 40_000
"""A stream for each of 10,000 agents, and room for those who watch."""
RETRY_AFTER_MS = 1_000

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Call:
    """What is known of a call before its request is read. Gates may raise, or add what they found out."""

    method: str
    peer: str
    request_id: str
    caller: str = ""
    """Who it is, once identity is known."""


Gate = Callable[[Call], None]


def identity(call: Call) -> None:
    """Who calls. Until certificates tell, it is whoever can reach the listener."""
    call.caller = call.peer


def authorisation(call: Call) -> None:
    """Whether the caller may. Until there are roles, whoever can reach the listener may do everything."""


def rate(clock: Clock, per_s: float = CALLS_PER_S, at_once: float = CALLS_AT_ONCE) -> Gate:
    """So many calls a second from one peer. Raises Unavailable with the time to wait."""
    buckets = Buckets(per_s, at_once, PEERS_KEPT)

    def gate(call: Call) -> None:
        wait_s = buckets.take(call.peer, clock.elapsed())
        if wait_s:
            raise Unavailable("too many calls from one peer", retry_after_ms=int(wait_s * 1_000) + 1)

    return gate


class Doorway(grpc.aio.ServerInterceptor):
    """Runs the gates around each servicer's method, and turns what is raised into a status."""

    def __init__(self, gates: tuple[Gate, ...]) -> None:
        self._gates = gates
        self._calls = 0
        self._open = 0

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], details: grpc.HandlerCallDetails
    ) -> Any:
        """The method's handler with its behaviour wrapped; the four kinds of method differ in what streams."""
        handler = await continuation(details)
        if handler is None:
            return None
        method = details.method
        reading = handler.request_deserializer and _Reading(handler.request_deserializer)
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(
                self._once(method, handler.unary_unary), reading, handler.response_serializer
            )
        if handler.stream_unary:
            return grpc.stream_unary_rpc_method_handler(
                self._once(method, handler.stream_unary), reading, handler.response_serializer
            )
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(
                self._many(method, handler.unary_stream), reading, handler.response_serializer
            )
        return grpc.stream_stream_rpc_method_handler(
            self._many(method, handler.stream_stream), reading, handler.response_serializer
        )

    def _once(self, method: str, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        async def wrapped(request: Any, context: Any) -> Any:
            self._open += 1
            try:
                self._pass(method, context)
                return await behaviour(_readable(request), context)
            except TidegateError as error:
                await _refuse(method, context, error)
            finally:
                self._open -= 1

        return wrapped

    def _many(self, method: str, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        async def wrapped(request: Any, context: Any) -> AsyncIterator[Any]:
            self._open += 1
            try:
                self._pass(method, context)
                answers = behaviour(_readable(request), context)
                if not hasattr(answers, "__aiter__"):  # health and reflection write to the context themselves
                    await answers
                    return
                async for answer in answers:
                    yield answer
            except TidegateError as error:
                await _refuse(method, context, error)
            finally:
                self._open -= 1

        return wrapped

    def _pass(self, method: str, context: Any) -> None:
        self._calls += 1
        if self._open > MOST_OPEN:
            raise Unavailable("too many calls at a time", retry_after_ms=RETRY_AFTER_MS)
        given = dict(context.invocation_metadata() or ()).get(REQUEST_ID, "")
        call = Call(method, context.peer(), str(given)[:128] or f"r{self._calls}")
        for gate in self._gates:
            gate(call)


@dataclass(frozen=True, slots=True)
class _Unreadable:
    """In the place of a request whose bytes are none."""

    because: str


@dataclass(frozen=True, slots=True)
class _Reading:
    """Bytes to a request, or to word of why they are none."""

    read: Callable[[bytes], Any]

    def __call__(self, data: bytes) -> Any:
        try:
            return self.read(data)
        except DecodeError as error:
            return _Unreadable(str(error))


def _readable(asked: Any) -> Any:
    """The request, or the stream of them, once it is known to be one; Refused where it is not."""
    if hasattr(asked, "__aiter__"):
        return _each_readable(asked)
    if isinstance(asked, _Unreadable):
        raise Refused(f"no such message: {asked.because}", field="request", wanted="the method's own message")
    return asked


async def _each_readable(stream: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in stream:
        yield _readable(request)


async def _refuse(method: str, context: Any, error: TidegateError) -> None:
    if isinstance(error, Broken):
        logger.error("broken method=%s error=%s", method, error)
    await context.abort(code_of(error), error.message[:MOST_MESSAGE], trailers_of(error))
