"""A real broker asks its real worker for bid prices once enough was asked for, and has them after SIGKILL."""

from tests.broker.core.test_pricing import BIG, SMALL, UNITS, asking
from tests.integration.test_broker import apply, submission
from tests.support.brokers import BrokerProcess, attached
from tests.support.builders import rack
from tests.support.until import until_async
from tidegate.model.site import Engine
from tidegate.v1 import events_pb2
from tidegate.v1.events_pb2_grpc import EventsStub
from tidegate.v1.workloads_pb2_grpc import WorkloadsStub

QUARTER = "1000/1073741824/1/250/"


async def _priced(channel):
    watching = EventsStub(channel).Watch(events_pb2.EventsWatchRequest(about="bid-prices"))
    return [seen.recorded.event.bid_prices_set async for seen in watching]


async def test_enough_submissions_are_priced_and_a_restart_keeps_the_prices(tmp_path):
    broker = BrokerProcess(tmp_path, "--heartbeat-ms", "1000").start()
    try:
        async with broker.channel() as channel:
            await apply(channel, rack(engines=(Engine.RAY, Engine.PROCESS), offers=(BIG, SMALL)))
            async with attached(channel, "rack-de"):
                for number in range(80):
                    await WorkloadsStub(channel).Submit(submission(asking(f"j{number}", share=250)))
                (prices,) = await until_async(lambda: _priced(channel), 30, "bid prices")
                assert dict(prices.worths) == {QUARTER: 250_000} and dict(prices.units) == UNITS
                await WorkloadsStub(channel).Submit(submission(asking("after")))
        broker.kill()
        broker.start()
        async with broker.channel() as channel:
            assert await _priced(channel) == [prices]
            async with attached(channel, "rack-de"):
                await WorkloadsStub(channel).Submit(submission(asking("restarted", 2)))
            replayed = await EventsStub(channel).Replay(events_pb2.ReplayRequest())
            assert list(replayed.different) == [] and replayed.decisions == 82
    finally:
        broker.kill()
