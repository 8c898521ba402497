"""One cluster for all who need it, none when nobody does."""

import asyncio

import pytest

from agents.drivers.ray.provider import Cluster
from agents.drivers.ray.tenancy import Tenancy
from tests.support.until import until_async


class OneAtATime:
    """A provider whose clusters are names; `gate` holds up what it does."""

    shapes = ()

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.story: list[str] = []
        self.running: Cluster | None = None

    async def current(self) -> Cluster | None:
        return self.running

    async def up(self) -> Cluster:
        await self.gate.wait()
        self.running = Cluster(f"c{len(self.story)}", "", "", "")
        self.story.append(f"up {self.running.id}")
        return self.running

    async def down(self) -> None:
        if self.running:
            self.story.append(f"down {self.running.id}")
        self.running = None


@pytest.fixture
def provider():
    return OneAtATime()


@pytest.fixture
def spans():
    return []


def tenancy(provider, spans, idle_s: float) -> Tenancy:
    return Tenancy(provider, idle_s, lambda: 5, lambda *span: spans.append(span[0]))


async def test_those_who_come_together_share_one_effort(provider, spans):
    house = tenancy(provider, spans, 60)
    provider.gate.clear()
    house.hold("a")
    house.hold("b")
    both = asyncio.gather(house.cluster(), house.cluster())
    provider.gate.set()
    one, other = await both
    assert one == other
    assert provider.story == ["up c0"]
    assert spans == ["ray.cluster.up"]
    await house.close(leave=True)


async def test_one_who_gives_up_does_not_stop_the_others(provider, spans):
    house = tenancy(provider, spans, 60)
    provider.gate.clear()
    impatient, patient = asyncio.create_task(house.cluster()), asyncio.create_task(house.cluster())
    await until_async(lambda: house._coming is not None, 1)
    impatient.cancel()
    provider.gate.set()
    assert (await patient).id == "c0"
    await house.close(leave=True)


async def test_it_goes_down_after_the_last_one_left(provider, spans):
    house = tenancy(provider, spans, 0.01)
    house.hold("a")
    house.hold("b")
    await house.cluster()
    house.release("a")
    house.release("b")
    await until_async(lambda: provider.story == ["up c0", "down c0"], 2)
    assert spans == ["ray.cluster.up", "ray.cluster.down"]


async def test_who_comes_within_the_idle_time_finds_it_warm(provider, spans):
    house = tenancy(provider, spans, 60)
    house.hold("a")
    first = await house.cluster()
    house.release("a")
    house.hold("b")
    assert await house.cluster() == first
    assert house._going is None
    await house.close(leave=False)
    assert provider.story == ["up c0", "down c0"]


async def test_it_can_be_left_running(provider, spans):
    house = tenancy(provider, spans, 60)
    house.hold("a")
    await house.cluster()
    await house.close(leave=True)
    assert provider.story == ["up c0"]
