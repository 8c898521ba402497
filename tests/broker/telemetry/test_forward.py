"""What was received goes on to a collector: as it came, again when it must, and never at the cost of memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
import pytest

from broker.telemetry.forward import FIRST_REST_S, LONGEST_REST_S, Collector, Forwarder, collector_at
from tests.broker.telemetry.made import request, span
from tests.support.collector import GrpcReceiver, HttpReceiver
from tests.support.until import until_async
from tidegate.model.errors import Refused, Unavailable


@contextlib.asynccontextmanager
async def running(
    collector: Collector, queue_bytes: int = 2**20, rest: Callable[[float], Awaitable[None]] | None = None
) -> AsyncIterator[Forwarder]:
    async def at_once(seconds: float) -> None:
        await asyncio.sleep(0)

    forwarder = Forwarder(collector, queue_bytes=queue_bytes, rest=rest or at_once)
    task = asyncio.ensure_future(forwarder.run())
    try:
        yield forwarder
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_requests_reach_a_grpc_collector_in_order_and_again_after_a_refusal() -> None:
    async with GrpcReceiver() as receiver:
        receiver.refusals = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED]
        async with running(collector_at(receiver.endpoint)) as forwarder:
            for number in range(1, 6):
                forwarder.offer(request(span(1, number)))
            await until_async(lambda: forwarder.sent == 5)
        assert receiver.span_ids == [1, 2, 3, 4, 5]
        assert forwarder.dropped == 0


async def test_what_a_collector_refuses_for_good_is_dropped_and_the_next_goes_on() -> None:
    async with GrpcReceiver() as receiver:
        receiver.refusals = [grpc.StatusCode.INVALID_ARGUMENT]
        async with running(collector_at(receiver.endpoint)) as forwarder:
            forwarder.offer(request(span(1, 1)))
            await until_async(lambda: forwarder.dropped == 1)
            forwarder.offer(request(span(1, 2)))
            await until_async(lambda: forwarder.sent == 1)
        assert receiver.span_ids == [2]


async def test_requests_reach_an_http_collector() -> None:
    async with HttpReceiver() as receiver:
        receiver.statuses = [503, 429, 400]
        async with running(collector_at(receiver.endpoint)) as forwarder:
            forwarder.offer(request(span(1, 1)))
            await until_async(lambda: forwarder.dropped == 1)
            forwarder.offer(request(span(1, 2)))
            await until_async(lambda: forwarder.sent == 1)
        assert receiver.span_ids == [2]


async def test_a_collector_that_is_not_there_is_unavailable() -> None:
    for endpoint in ("grpc://127.0.0.1:1", "http://127.0.0.1:1/v1/traces"):
        collector = collector_at(endpoint)
        with pytest.raises(Unavailable):
            await collector.send(request(span(1, 1)))
        await collector.close()


class Away:
    """A collector that is away until it is told to be back."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.back = False
        self.closed = False

    async def send(self, request: bytes) -> None:
        if not self.back:
            raise Unavailable("away")
        self.got.append(request)

    async def close(self) -> None:
        self.closed = True


async def test_a_full_queue_drops_the_oldest_and_counts() -> None:
    away, resting, go_on = Away(), asyncio.Event(), asyncio.Event()

    async def rest(seconds: float) -> None:
        resting.set()
        await go_on.wait()

    async with running(away, queue_bytes=30, rest=rest) as forwarder:
        forwarder.offer(b"0" * 10)
        async with asyncio.timeout(5):
            await resting.wait()  # the first is in hand, the rest must queue
        for number in b"12345":
            forwarder.offer(bytes([number]) * 10)
        assert forwarder.dropped == 2
        away.back = True
        go_on.set()
        await until_async(lambda: forwarder.sent == 4)
    assert b"".join(away.got) == b"0" * 10 + b"3" * 10 + b"4" * 10 + b"5" * 10
    assert away.closed


async def test_rests_grow_to_a_bound() -> None:
    away = Away()
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)
        away.back = len(rests) == 9

    async with running(away, rest=rest) as forwarder:
        forwarder.offer(b"x")
        await until_async(lambda: forwarder.sent == 1)
    assert rests == [min(FIRST_REST_S * 2**n, LONGEST_REST_S) for n in range(9)]


async def test_offers_come_from_other_threads() -> None:
    away = Away()
    away.back = True
    async with running(away) as forwarder:
        await asyncio.gather(*(asyncio.to_thread(forwarder.offer, b"%03d" % number) for number in range(50)))
        await until_async(lambda: forwarder.sent == 50)
    content = b"".join(away.got)
    assert sorted(content[at : at + 3] for at in range(0, 150, 3)) == [b"%03d" % number for number in range(50)]


@pytest.mark.parametrize("endpoint", ["", "127.0.0.1:4317", "grpc://127.0.0.1", "ftp://a:1", "grpc://a:1/path"])
def test_an_address_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(Refused, match="not a collector's address"):
        collector_at(endpoint)
