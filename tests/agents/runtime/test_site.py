"""A site and its link in this process, over a real socket; the engine is scripted, the disk is real."""

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from agents.cache import ContentCache
from agents.clock import SystemClock
from agents.drivers.base import LogChunk, Task, TaskPhase
from agents.gpu.nvml import Gpu
from agents.link.session import Identity, Link
from agents.runtime import site as runtime
from agents.runtime.site import Site
from agents.spool import RealFiles, SpoolReader, SpoolWriter
from agents.store import HeldStore
from agents.telemetry import SpanRecorder
from tests.disks.files import PlatterFiles
from tests.disks.platter import Platter
from tests.support.broker_stub import BrokerStub
from tests.support.builders import job
from tests.support.scripted_driver import ScriptedDriver
from tests.support.until import until_async
from tidegate.model import session as says
from tidegate.model.assignment import Assignment
from tidegate.model.errors import Unavailable
from tidegate.model.workload import Disconnect, Training, WorkloadKind


def assigned(generation: int = 1, **changes: Any) -> Assignment:
    return Assignment("w-1", job(**{"training": Training("true"), **changes}), "burst-us", generation)


@asynccontextmanager
async def attached(
    folder: Path, broker: BrokerStub, driver: ScriptedDriver, gpus: tuple[Gpu, ...] = ()
) -> AsyncIterator[Site]:
    """An agent's parts over that folder, from their start to their sudden end."""
    files, spool = RealFiles(), str(folder / "spool")
    with SpoolWriter(files, spool, "agent") as writer:
        site = Site(
            HeldStore(files, str(folder), "burst-us"),
            ContentCache(folder / "cache", reserve_bytes=0),
            {WorkloadKind.TRAINING_JOB: driver},
            SpanRecorder(writer, "burst-us", SystemClock()),
            folder / "tasks",
            SystemClock(),
            gpus=gpus,
        )
        identity = Identity("burst-us", "boot", "127.0.0.1:1", "us")
        link = Link(broker.address, identity, site, SpoolReader(files, spool), SystemClock())
        tasks = [asyncio.create_task(site.run()), asyncio.create_task(link.run())]
        try:
            yield site
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def phase(broker: BrokerStub) -> str:
    status = broker.statuses.get("w-1")
    return status.phase.value if status else ""


async def ran_and_was_taken_back(broker: BrokerStub) -> None:
    await broker.desire(assigned())
    await until_async(lambda: phase(broker) == "running")
    await broker.desire()
    await until_async(lambda: phase(broker) == "cancelled")


async def test_success_is_told_after_the_outputs_and_never_runs_twice(tmp_path: Path) -> None:
    broker, driver = await BrokerStub().start(), ScriptedDriver(TaskPhase.RUNNING)
    try:
        async with attached(tmp_path, broker, driver):
            await broker.desire(assigned())
            await until_async(lambda: phase(broker) == "running")
            out = tmp_path / "tasks" / "w-1" / "out"
            out.mkdir()
            (out / "metrics.json").write_text('{"accuracy": 0.97, "nested": {}}')
            (out / "model.onnx").write_bytes(b"model")
            (out.parent / "work").write_text("succeeded")
            await until_async(lambda: phase(broker) == "succeeded")
            status = broker.statuses["w-1"]
            assert [each.name for each in status.outputs] == ["metrics.json", "model.onnx"]
            assert all(each.digest in broker.files for each in status.outputs)
            assert status.metrics == {"run_ms": "5", "accuracy": "0.97"}
        broker.statuses.clear()
        again = ScriptedDriver(TaskPhase.RUNNING)
        async with attached(tmp_path, broker, again):
            await until_async(lambda: phase(broker) == "succeeded")
            assert broker.statuses["w-1"] == status
            assert again.calls == []
    finally:
        await broker.stop()


async def test_an_explicit_newer_generation_stops_work_and_an_older_one_changes_nothing(tmp_path: Path) -> None:
    broker, driver = await BrokerStub().start(), ScriptedDriver(TaskPhase.RUNNING)
    broker.generation = 6
    try:
        async with attached(tmp_path, broker, driver) as site:
            await broker.desire(assigned(7))
            await until_async(lambda: phase(broker) == "running")
            hellos = len(broker.hellos)
            await broker.send(says.Difference(0, 3, True))
            await until_async(lambda: len(broker.hellos) > hellos)
            assert site.held.generation == 7
            assert "stop" not in driver.calls
            await until_async(lambda: broker.streams == 1)
            await broker.desire()
            await until_async(lambda: phase(broker) == "cancelled")
            assert driver.calls[-2:] == ["stop", "remove"]
            assert not (tmp_path / "tasks" / "w-1").exists()
    finally:
        await broker.stop()


async def test_a_difference_for_another_state_brings_the_whole(tmp_path: Path) -> None:
    broker, driver = await BrokerStub().start(), ScriptedDriver(TaskPhase.RUNNING)
    try:
        async with attached(tmp_path, broker, driver) as site:
            await broker.desire(assigned(1))
            await until_async(lambda: phase(broker) == "running")
            broker.generation = 9
            await broker.send(says.Difference(8, 9, False))
            await until_async(lambda: site.held.generation == 9)
            assert broker.hellos[-1].held_generation == 0
            assert sorted(site.held.assignments) == ["w-1"]
    finally:
        await broker.stop()


async def test_work_with_a_bound_of_its_own_ends_alone_and_other_silence_ends_nothing(tmp_path: Path) -> None:
    broker, driver = await BrokerStub().start(), ScriptedDriver(TaskPhase.RUNNING)
    try:
        async with attached(tmp_path, broker, driver):
            await broker.desire(assigned(1, disconnect=Disconnect(serve_for_ms=300)))
            await until_async(lambda: phase(broker) == "running")
            await broker.stop()
            await until_async(lambda: "remove" in driver.calls)
            broker.statuses.clear()
            await broker.start(broker.port)
            await until_async(lambda: phase(broker) == "running")
    finally:
        await broker.stop()


async def test_what_was_given_and_taken_back_while_the_site_was_away_is_let_go(tmp_path: Path) -> None:
    broker, driver = await BrokerStub().start(), ScriptedDriver(TaskPhase.RUNNING)
    try:
        async with attached(tmp_path, broker, driver):
            await until_async(lambda: broker.streams)
            await broker.send(says.Difference(0, 2, True, removals=("w-1",)))
            await until_async(lambda: phase(broker) == "cancelled")
            assert "start" not in driver.calls
    finally:
        await broker.stop()


async def test_logs_are_read_from_an_offset(tmp_path: Path) -> None:
    broker, driver = await BrokerStub().start(), ScriptedDriver(TaskPhase.RUNNING)
    try:
        async with attached(tmp_path, broker, driver):
            await broker.desire(assigned())
            await until_async(lambda: phase(broker) == "running")
            await broker.send(says.LogRequest(1, "w-1", 4))
            await broker.send(says.LogRequest(2, "nobody", 0))
            await until_async(lambda: len(broker.lines) == 2)
            told = {each.request: each for each in broker.lines}
            assert (told[1].text, told[1].next_offset, told[1].complete) == ("line\n", 9, True)
            assert "no log" in told[2].error
    finally:
        await broker.stop()


async def test_a_log_that_the_disk_does_not_give_is_said_to_be_unreadable(tmp_path: Path) -> None:
    broker, driver = await BrokerStub().start(), ScriptedDriver(TaskPhase.RUNNING)
    try:
        async with attached(tmp_path, broker, driver):
            await ran_and_was_taken_back(broker)
            (kept,) = (tmp_path / "logs").iterdir()
            kept.unlink()
            kept.mkdir()
            await broker.send(says.LogRequest(1, "w-1", 0))
            await until_async(lambda: broker.lines)
            assert "cannot be read" in broker.lines[0].error
    finally:
        await broker.stop()


async def test_a_log_outlives_its_work_and_the_agent(tmp_path: Path) -> None:
    broker, driver = await BrokerStub().start(), ScriptedDriver(TaskPhase.RUNNING)
    try:
        async with attached(tmp_path, broker, driver):
            await ran_and_was_taken_back(broker)
        async with attached(tmp_path, broker, driver) as site:
            assert await site.logs("w-1", 4) == LogChunk("line\n", 9, True)
    finally:
        await broker.stop()


async def test_many_services_end_together_at_the_end(tmp_path: Path) -> None:
    class Together(ScriptedDriver):
        """Each stop waits until all have begun: one after the other would never end."""

        def __init__(self) -> None:
            super().__init__(TaskPhase.RUNNING)
            self.all_asked = asyncio.Barrier(3)

        async def stop(self, task: Task, grace_s: float) -> None:
            await self.all_asked.wait()
            await super().stop(task, grace_s)

    broker, driver = await BrokerStub().start(), Together()
    try:
        async with attached(tmp_path, broker, driver) as site:
            jobs = [replace(assigned(), workload_id=f"w-{number}") for number in range(3)]
            await broker.desire(*jobs)
            await until_async(lambda: len(site.running) == 3)
            async with asyncio.timeout(10):
                await site.stop_all(WorkloadKind.TRAINING_JOB)
            assert driver.calls.count("stop") == 3
    finally:
        await broker.stop()


async def test_outputs_are_pushed_as_soon_as_the_broker_is_back(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(runtime, "delay_ms", lambda *_: 3_600_000)
    broker, driver = await BrokerStub().start(), ScriptedDriver(TaskPhase.RUNNING)
    try:
        async with attached(tmp_path, broker, driver) as site:
            await broker.desire(assigned())
            await until_async(lambda: phase(broker) == "running")
            port = broker.port
            await broker.stop()
            await until_async(lambda: site.carrier is None)
            out = tmp_path / "tasks" / "w-1" / "out"
            out.mkdir()
            (out / "model.onnx").write_bytes(b"model")
            (out.parent / "work").write_text("succeeded")
            await until_async(lambda: "collect" in site.pending["w-1"][1].detail if site.pending else False)
            await broker.start(port)
            await until_async(lambda: phase(broker) == "succeeded", 30)
    finally:
        await broker.stop()


async def test_work_that_does_not_stay_up_is_started_with_growing_waits_and_from_the_first_once_it_did(
    tmp_path: Path, monkeypatch: Any
) -> None:
    waits: list[int] = []

    def told(attempt: int, *_: object) -> int:
        waits.append(attempt)
        return 0

    monkeypatch.setattr(runtime, "delay_ms", told)
    monkeypatch.setattr(runtime, "LOOK_SECONDS", 0.01)
    broker, driver = await BrokerStub().start(), ScriptedDriver(TaskPhase.ABSENT)
    work = tmp_path / "tasks" / "w-1" / "work"
    try:
        async with attached(tmp_path, broker, driver):
            await broker.desire(assigned())
            await until_async(lambda: len(waits) >= 3)
            work.write_text("running")
            await until_async(lambda: phase(broker) == "running")
            failed = len(waits)
            work.write_text("absent")
            await until_async(lambda: len(waits) > failed + 1)
            assert waits[:failed] == list(range(failed))
            assert waits[failed : failed + 2] == [0, 1]
    finally:
        await broker.stop()


async def test_a_full_disk_ends_no_tending_and_the_end_is_told_when_it_is_written(tmp_path: Path) -> None:
    """It used to end the agent: at an edge nobody then tended anything, for as long as the disk was full."""
    files, driver = PlatterFiles(Platter(Random(1))), ScriptedDriver(TaskPhase.RUNNING)
    with SpoolWriter(files, "/spool", "agent") as writer:
        site = Site(
            HeldStore(files, "/held", "burst-us"),
            ContentCache(tmp_path / "cache", reserve_bytes=0),
            {WorkloadKind.TRAINING_JOB: driver},
            SpanRecorder(writer, "burst-us", SystemClock()),
            tmp_path / "tasks",
            SystemClock(),
        )
        site.told(says.Difference(base=0, generation=1, whole=True, upserts=(assigned(),)))
        running = asyncio.create_task(site.run())
        await until_async(lambda: site.running)
        refused: list[str] = []

        def full(call: str, path: str) -> int:
            refused.extend([path] if call == "write" else [])
            return errno.ENOSPC if call == "write" else 0

        files.platter.faulty = full
        site.lost(at=5)
        assert site.held.away_since == 5
        before = len(refused)
        (tmp_path / "tasks" / "w-1" / "work").write_text(TaskPhase.FAILED.value)
        await until_async(lambda: not site.running and any("/held" in path for path in refused[before:]))
        assert not running.done() and not site.held.ended
        assert not any(status.phase.ended for _, status in site.pending.values())
        files.platter.faulty = None
        await until_async(lambda: site.held.ended)
        assert HeldStore(files, "/held", "burst-us").read() == site.held
        running.cancel()


def test_a_word_that_the_disk_does_not_take_is_not_held(tmp_path: Path) -> None:
    """It used to be held in memory: the site then named a generation that the next power cut took back."""
    files = PlatterFiles(Platter(Random(1)))
    with SpoolWriter(files, "/spool", "agent") as writer:
        site = Site(
            HeldStore(files, "/held", "burst-us"),
            ContentCache(tmp_path / "cache", reserve_bytes=0),
            {},
            SpanRecorder(writer, "burst-us", SystemClock()),
            tmp_path / "tasks",
            SystemClock(),
        )
        files.platter.faulty = lambda call, path: errno.ENOSPC if call == "write" else 0
        with pytest.raises(Unavailable, match="held"):
            site.told(says.Difference(base=0, generation=7, whole=True))
        assert site.held.generation == 0
        files.platter.faulty = None
        site.told(says.Difference(base=0, generation=7, whole=True))
        assert site.held.generation == HeldStore(files, "/held", "burst-us").read().generation == 7


class SetClock(SystemClock):
    """A clock whose hands the test moves."""

    def __init__(self) -> None:
        self.wall_ms, self.steady_us = 1_000_000, 0

    def now_ms(self) -> int:
        return self.wall_ms

    def monotonic_us(self) -> int:
        return self.steady_us


def test_an_absence_is_counted_by_a_clock_that_is_never_set_and_over_restarts(tmp_path: Path) -> None:
    clock = SetClock()

    def started() -> Site:
        clock.steady_us = 0  # as after a reboot
        spans = SpanRecorder(SpoolWriter(PlatterFiles(Platter(Random(1))), "spool", "agent"), "press-7", clock)
        return Site(HeldStore(files, "held", "press-7"), ContentCache(tmp_path), {}, spans, tmp_path / "tasks", clock)

    files = PlatterFiles(Platter(Random(1)))
    site = started()
    assert site.away_ms == 0
    site.lost(clock.now_ms())
    clock.wall_ms += 10 * 365 * 86_400_000
    clock.steady_us += 40_000_000
    site.lost(clock.now_ms())
    assert site.away_ms == 40_000
    clock.steady_us += 5_000_000
    assert site.away_ms == 45_000

    site = started()
    assert site.away_ms == 40_000, "the last seconds were not written: work lives longer, never shorter"
    clock.wall_ms = 0
    clock.steady_us += 1_000_000
    assert site.away_ms == 41_000
    site.greeted(1)
    assert site.away_ms == 0 and site.held.away_ms == 0
