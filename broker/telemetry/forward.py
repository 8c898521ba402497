"""OTLP out: what the store received, on to an external collector, where the operator names one.

The store is the truth and forwarding a courtesy: a request is offered after it is durable, waits in a bounded queue in
memory, and is sent as its bytes came, several joined into one (encoded export requests laid side by side are one
request). A collector that is away, slow or full is tried again with longer rests; when the queue is full the *oldest*
requests are dropped, counted and logged, and the store still has them. What a collector refuses for good is dropped
too. After a restart of the broker what had not been sent is not sent again.

    grpc://HOST:PORT, grpcs://HOST:PORT    OTLP over gRPC
    http://..., https://...                OTLP over HTTP, binary; the URL is the whole path (`.../v1/traces`)

Limits: `QUEUE_BYTES` waiting, `MOST_BYTES` a request, rests from 0.5 s to 30 s, 10 s for an answer.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import urlsplit

import grpc
import grpc.aio
import httpx

from broker.telemetry.otlp import SERVICE
from broker.telemetry.payload import joined
from tidegate.model.errors import Refused, TidegateError, Unavailable

QUEUE_BYTES = 64 * 2**20
MOST_BYTES = 2 * 2**20
FIRST_REST_S = 0.5
LONGEST_REST_S = 30.0
ANSWER_S = 10.0

_AGAIN_GRPC = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
_AGAIN_HTTP = frozenset({429, 502, 503, 504})
"""What OTLP says may be sent again."""

logger = logging.getLogger(__name__)


class Collector(Protocol):
    """Where requests go."""

    async def send(self, request: bytes) -> None:
        """Unavailable: the same request may be sent again. Refused: it may not."""

    async def close(self) -> None:
        """Let go of the connection."""


def collector_at(endpoint: str) -> Collector:
    """The collector behind an address. Refused where the address is not one."""
    parts = urlsplit(endpoint)
    if parts.scheme in ("grpc", "grpcs") and parts.hostname and parts.port and parts.path in ("", "/"):
        return GrpcCollector(parts.netloc, secure=parts.scheme == "grpcs")
    if parts.scheme in ("http", "https") and parts.hostname:
        return HttpCollector(endpoint)
    raise Refused("not a collector's address", found=endpoint, wanted="grpc://HOST:PORT or http://HOST:PORT/v1/traces")


class GrpcCollector:
    """A collector's OTLP over gRPC."""

    def __init__(self, target: str, *, secure: bool) -> None:
        self._channel = (
            grpc.aio.secure_channel(target, grpc.ssl_channel_credentials())
            if secure
            else grpc.aio.insecure_channel(target)
        )
        self._export: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(f"/{SERVICE}/Export")

    async def send(self, request: bytes) -> None:
        try:
            await self._export(request, timeout=ANSWER_S)
        except grpc.aio.AioRpcError as error:
            family = Unavailable if error.code() in _AGAIN_GRPC else Refused
            raise family(f"the collector answered {error.code().name}: {error.details()}") from error

    async def close(self) -> None:
        await self._channel.close()


class HttpCollector:
    """A collector's OTLP over HTTP, binary protobuf."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.AsyncClient(timeout=ANSWER_S)

    async def send(self, request: bytes) -> None:
        try:
            answer = await self._client.post(
                self._url, content=request, headers={"content-type": "application/x-protobuf"}
            )
        except httpx.TransportError as error:
            raise Unavailable(f"the collector did not answer: {error!r}") from error
        if answer.status_code in _AGAIN_HTTP:
            raise Unavailable(f"the collector answered {answer.status_code}")
        if not answer.is_success:
            raise Refused(f"the collector answered {answer.status_code}")

    async def close(self) -> None:
        await self._client.aclose()


class Forwarder:
    """One collector's queue. `offer` from any thread; `run` is one task on an event loop."""

    def __init__(
        self,
        collector: Collector,
        *,
        queue_bytes: int = QUEUE_BYTES,
        rest: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`rest` waits that many seconds between two tries."""
        self._collector = collector
        self._queue_bytes = queue_bytes
        self._rest = rest
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()
        self.sent = 0
        self.dropped = 0
        """Requests, of those offered."""

    def offer(self, request: bytes) -> None:
        """Queue a request. Never waits; what no longer fits goes, the oldest first."""
        with self._lock:
            self._waiting.append(request)
            self._bytes += len(request)
            dropped = 0
            while self._bytes > self._queue_bytes:
                self._bytes -= len(self._waiting.popleft())
                dropped += 1
        self._drop(dropped, "the queue is full")
        self._loop.call_soon_threadsafe(self._rung.set)

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            while True:
                self._rung.clear()
                while batch := self._take():
                    await self._deliver(batch)
                await self._rung.wait()
        finally:
            await self._collector.close()

    async def _deliver(self, batch: list[bytes]) -> None:
        """Try until the collector has it or refuses it. While it is away the queue behind fills and sheds."""
        rest = FIRST_REST_S
        while True:
            try:
                await self._collector.send(joined(batch))
            except Unavailable as error:
                logger.warning("collector unavailable", extra={"because": str(error), "again_in_s": rest})
                await self._rest(rest)
                rest = min(rest * 2, LONGEST_REST_S)
            except TidegateError as error:
                self._drop(len(batch), str(error))
                return
            else:
                self.sent += len(batch)
                return

    def _take(self) -> list[bytes]:
        batch: list[bytes] = []
        size = 0
        with self._lock:
            while self._waiting and (not batch or size + len(self._waiting[0]) <= MOST_BYTES):
                batch.append(self._waiting.popleft())
                size += len(batch[-1])
            self._bytes -= size
        return batch

    def _drop(self, count: int, because: str) -> None:
        if count:
            self.dropped += count
            logger.warning("not forwarded", extra={"requests": count, "all_dropped": self.dropped, "because": because})
