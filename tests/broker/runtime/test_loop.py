"""The single writer: nobody hears of what is not durable, and nothing waits without a bound."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from broker.core.commands import ApplyDeclarations, SubmitWorkload, Tick
from broker.core.effects import Effect
from broker.core.state import State
from broker.log.record import Head, Record
from broker.log.sqlite import RESERVE_BYTES
from broker.runtime.clock import SystemClock
from broker.runtime.loop import Loop
from tests.support.builders import cloud, job
from tests.support.until import until_async
from tidegate.model.errors import Broken, NotFound, Unavailable


class SlowLog:
    """A log whose sync returns when the test says so, or fails."""

    def __init__(self) -> None:
        self.head = Head()
        self.runs: list[Sequence[Record]] = []
        self.synced = asyncio.Event()
        self.synced.set()
        self.failure: Exception | None = None

    async def append(self, records: Sequence[Record]) -> int:
        self.runs.append(records)
        await self.synced.wait()
        if self.failure is not None:
            raise self.failure
        return len(records)


@pytest.fixture
async def setting():
    log, effects = SlowLog(), []

    def start(some: list[Effect]) -> None:
        effects.extend(some)

    loop = Loop(State(), log, SystemClock(), start, lambda offset: None, waiting=4)
    yield loop, log, effects


async def test_nobody_hears_before_the_sync(setting):
    loop, log, effects = setting
    running = asyncio.create_task(loop.run())
    log.synced.clear()
    asked = asyncio.create_task(loop.ask(ApplyDeclarations(0, (cloud(),))))
    await until_async(lambda: log.runs, 5)
    read = asyncio.create_task(loop.read(lambda state, at: list(state.sites)))
    await asyncio.sleep(0)
    assert not asked.done() and not read.done() and effects == []
    log.synced.set()
    assert (await asked).declared[0].outcome == "created"
    assert await read == ["burst-us"] and effects
    loop.stop()
    await running


async def test_what_waits_shares_one_sync(setting):
    loop, log, _ = setting
    asked = [asyncio.create_task(loop.ask(ApplyDeclarations(0, (cloud(f"c{n}"),)))) for n in range(4)]
    await asyncio.sleep(0)
    running = asyncio.create_task(loop.run())
    await asyncio.gather(*asked)
    assert [len(run) for run in log.runs] == [4]
    loop.stop()
    await running


async def test_the_queue_is_bounded_and_says_when_to_come_back(setting):
    loop, _, _ = setting
    asked = [asyncio.create_task(loop.read(lambda state, at: at)) for _ in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as refused:
        await loop.read(lambda state, at: at)
    assert refused.value.retry_after_ms
    running = asyncio.create_task(loop.run())
    assert all(await asyncio.gather(*asked))
    loop.stop()
    await running
    with pytest.raises(Unavailable):
        await loop.read(lambda state, at: at)


async def test_a_failed_write_ends_the_loop_and_nobody_hears(setting):
    loop, log, effects = setting
    log.failure = Broken("the disk is gone")
    asked = asyncio.create_task(loop.ask(ApplyDeclarations(0, (cloud(),))))
    with pytest.raises(Broken):
        await loop.run()
    assert not asked.done() and effects == []
    asked.cancel()


async def test_a_request_that_breaks_is_answered_and_the_next_one_too(setting):
    loop, log, effects = setting
    running = asyncio.create_task(loop.run())
    with pytest.raises(Broken):
        await loop.read(lambda state, at: state.sites["nowhere"])
    assert [effect.story for effect in effects] == ["KeyError('nowhere')"]
    with pytest.raises(NotFound):
        await loop.read(_not_found)
    assert log.runs == []
    loop.stop()
    await running


async def test_a_full_disk_refuses_what_adds_and_nothing_else(setting):
    loop, _, _ = setting
    running = asyncio.create_task(loop.run())
    loop.full = True
    with pytest.raises(Unavailable):
        await loop.ask(SubmitWorkload(0, job()))
    assert await loop.read(lambda state, at: state.offset) == 0
    loop.stop()
    await running


async def test_a_disk_without_room_is_not_written_to_until_it_has_some(setting):
    """Deciding first and finding no room then would end the process, and the next one, as long as the disk is full."""
    loop, log, _ = setting
    running = asyncio.create_task(loop.run())
    loop.has(-RESERVE_BYTES)
    with pytest.raises(Unavailable, match="is full"):
        await loop.ask(Tick(0))
    assert await loop.read(lambda state, at: state.offset) == 0
    assert log.runs == []
    loop.has(1)
    await loop.ask(ApplyDeclarations(0, (cloud(),)))
    assert log.runs
    loop.stop()
    await running


def _not_found(state: State, at: int) -> None:
    raise NotFound("no such workload")


async def test_large_events_do_not_all_go_into_one_append(setting, monkeypatch):
    """A run of them used to be more than the log takes at once, and that ended the broker."""
    monkeypatch.setattr("broker.runtime.loop.RUN_BYTES", 1_000)
    loop, log, _ = setting
    declared = [replace(cloud(f"c{n}"), labels={"note": "x" * 900}) for n in range(4)]
    asked = [asyncio.create_task(loop.ask(ApplyDeclarations(0, (one,)))) for one in declared]
    await asyncio.sleep(0)
    running = asyncio.create_task(loop.run())
    await asyncio.gather(*asked)
    assert sum(len(run) for run in log.runs) == 4 and max(len(run) for run in log.runs) < 4
    loop.stop()
    await running
