"""Keeping prices up, with a real worker: one question at a time and not often; one that fails leaves the old prices."""

import asyncio

import pytest

from broker.core.commands import SetBidPrices
from broker.runtime.clock import SystemClock
from broker.runtime.loop import Loop
from broker.runtime.pricing import EVERY_S, LOOK_S, Pricing
from broker.solver.process import NoSolver, SolverProcess
from broker.workers.process import Worker
from tests.broker.core.test_pricing import CLASS, UNITS, asked_often, pool
from tests.broker.runtime.test_loop import SlowLog


class Clock(SystemClock):
    """Time passes as the test says."""

    seconds = 0.0

    def elapsed(self) -> float:
        return self.seconds


class Rubbish(NoSolver):
    """A solver that answers what is no answer."""

    async def ask(self, request: bytes, deadline_s: float = 0.0) -> bytes:
        return b"rubbish"


@pytest.fixture
async def loop():
    """A turning loop over a fleet that wants prices and has old ones."""
    play = asked_often(pool())
    play.ask(SetBidPrices(4, 1, {CLASS: 7}, UNITS))
    loop = Loop(play.state, SlowLog(), SystemClock(), lambda effects: None, lambda offset: None)
    running = asyncio.create_task(loop.run())
    yield loop
    loop.stop()
    await running


def worths(loop: Loop) -> dict[str, int]:
    return loop.state.demanded.prices.worths


async def test_a_real_worker_answers_and_nothing_is_asked_again_before_its_time(loop):
    clock = Clock()
    pricing = Pricing(loop, SolverProcess(), clock)
    await pricing.look()
    first = pricing.under_way
    await pricing.look()
    assert pricing.under_way is first and worths(loop) == {CLASS: 7}, "under way, and nobody waits for it"
    await first
    assert worths(loop) == {CLASS: 10**6} and loop.state.demanded.prices.units == UNITS
    clock.seconds = EVERY_S
    await pricing.look()
    assert pricing.under_way is first, "nothing has changed"


class Deadly(SolverProcess):
    """Its workers are killed as soon as they are started."""

    kills = True

    def _begun(self, worker: Worker) -> None:
        super()._begun(worker)
        if self.kills:
            worker.process.kill()


async def test_a_worker_that_is_killed_leaves_the_old_prices_and_the_next_one_answers(loop):
    clock, solver = Clock(), Deadly()
    pricing = Pricing(loop, solver, clock)
    await pricing.look()
    await pricing.under_way
    solver.kills = False
    assert worths(loop) == {CLASS: 7}
    failed = pricing.under_way
    await pricing.look()
    assert pricing.under_way is failed, "it is not asked again at once"
    clock.seconds = EVERY_S
    await pricing.look()
    await pricing.under_way
    assert worths(loop) == {CLASS: 10**6}


@pytest.mark.parametrize("solver", [NoSolver(), Rubbish()])
async def test_without_an_answer_the_old_prices_stay(loop, solver):
    pricing = Pricing(loop, solver, Clock())
    await pricing.look()
    await pricing.under_way
    assert worths(loop) == {CLASS: 7}


async def test_where_nothing_is_wanted_the_state_is_left_alone_for_a_while(loop):
    clock, looks = Clock(), []
    pricing = Pricing(loop, NoSolver(), clock)
    read = loop.read

    async def counted(question):
        looks.append(clock.seconds)
        return await read(question)

    loop.read = counted
    edition = loop.state.demanded.edition_at
    await loop.ask(SetBidPrices(0, edition, {CLASS: 8}, UNITS))
    for clock.seconds in (0.0, 1.0, LOOK_S - 1, LOOK_S, LOOK_S + 1):
        await pricing.look()
    assert looks == [0.0, LOOK_S] and pricing.under_way is None
