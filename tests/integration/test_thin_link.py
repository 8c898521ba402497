"""An agent behind a thin link: a real broker, the agent's own parts, and a relay that carries a few kilobytes a second.

Heartbeats are short in proportion: at 150 kbit/s with a beat of 300 ms, what takes a beat here takes one of two seconds
at 22 kbit/s. What must hold: everything arrives, words overtake files, and neither side takes the other for gone.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.cache import ContentCache
from agents.clock import SystemClock
from agents.drivers.base import LogChunk, Task, TaskPhase
from agents.link.session import Identity, Link
from agents.runtime.site import Site
from agents.spool import Fact, Kind, RealFiles, ShedClass, SpoolReader, SpoolWriter
from agents.store import HeldStore
from agents.telemetry import SpanRecorder
from tests.support.brokers import BrokerProcess
from tests.support.builders import ORDINARY, book, cloud, job, press, service
from tests.support.scripted_driver import ScriptedDriver
from tests.support.until import until_async
from tests.support.wires import Cut, Pipe
from tidegate.client.aio import AsyncClient
from tidegate.model.registry import Artifact
from tidegate.model.workload import Inference, Training, WorkloadKind

HEARTBEAT_MS = 300
KBIT_S = 150
MODEL_BYTES = 60_000
BACKLOG = 40
SECONDS = 60.0


class Counting(ContentCache):
    """How many bytes of files ever came."""

    came = 0

    def append(self, digest: str, offset: int, data: bytes, size_bytes: int) -> None:
        super().append(digest, offset, data, size_bytes)
        self.came += len(data)


class Verbose(ScriptedDriver):
    """Its work has said a lot."""

    async def logs(self, task: Task, offset: int) -> LogChunk:
        text = ("a line of what it said\n" * 2_000)[offset:]
        return LogChunk(text, offset + len(text), True)


class Agent:
    """An agent's parts in this process, behind a relay."""

    def __init__(self, folder: Path, site: str, wire: Pipe, broker: BrokerProcess, driver: ScriptedDriver) -> None:
        files, clock, spool = RealFiles(), SystemClock(), str(folder / "spool")
        self.folder, self.joined = folder, 0
        self.cache = Counting(folder / "cache", reserve_bytes=0)
        self.spool = SpoolWriter(files, spool, "agent")
        self.site = Site(
            HeldStore(files, str(folder), site),
            self.cache,
            dict.fromkeys(WorkloadKind, driver),
            SpanRecorder(self.spool, site, clock),
            folder / "tasks",
            clock,
        )
        reader, identity = SpoolReader(files, spool), Identity(site, "boot", "", "")
        self.reader = reader
        self.link = Link(wire.dial(broker.address), identity, self.site, reader, clock, joined=self._joins)

    def _joins(self) -> None:
        self.joined += 1

    def waiting(self) -> int:
        """Records that the broker has not acknowledged."""
        return sum(each.records for each in self.reader.backlog().values())

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        with self.spool:
            tasks = [asyncio.create_task(self.site.run()), asyncio.create_task(self.link.run())]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def wire() -> Any:
    pipe = Pipe()
    yield pipe
    pipe.close()


@pytest.fixture
def broker(tmp_path: Path) -> Any:
    process = BrokerProcess(tmp_path, "--heartbeat-ms", str(HEARTBEAT_MS)).start()
    yield process
    process.kill()


async def deployed(client: AsyncClient, name: str) -> str:
    """A service of a model of its own; the model's digest."""
    content = os.urandom(MODEL_BYTES)
    artifact = Artifact(hashlib.sha256(content).hexdigest(), len(content), "model.onnx")
    await client.push_artifact(artifact, content)
    wanted = service(name, inference=Inference(f"sha256:{artifact.digest}"), latency=None)
    await client.submit(replace(wanted, carries=(ORDINARY,)))
    return artifact.digest


async def phase(client: AsyncClient, name: str) -> str:
    return str((await client.get(name)).phase)


async def lost(client: AsyncClient) -> int:
    """How often the broker took a site for gone."""
    return len([event async for event in client.events() if event.kind == "site_lost"])


async def test_models_arrive_and_words_overtake_them(tmp_path: Path, wire: Pipe, broker: BrokerProcess) -> None:
    agent = Agent(tmp_path / "press-7", "press-7", wire, broker, ScriptedDriver(TaskPhase.READY))
    async with AsyncClient(broker.address) as client, agent.alive():
        await client.apply(press())
        await until_async(lambda: agent.joined, SECONDS, "the agent to join")
        wire.slow(KBIT_S)
        inspect, goes = await deployed(client, "inspect"), await deployed(client, "goes")
        await until_async(lambda: agent.cache.held_bytes(inspect), SECONDS, "the file to begin")
        await client.cancel("goes")
        await until_async(lambda: _is(client, "goes", "cancelled"), SECONDS, "the word to overtake the files")
        assert await phase(client, "inspect") == "preparing"
        assert not agent.cache.has(goes), "what is not wanted any more is not fetched"
        await until_async(lambda: _is(client, "inspect", "running"), SECONDS, "the model to arrive")
        assert agent.joined == 1
        assert await lost(client) == 0


async def test_a_file_goes_on_from_what_arrived_before_a_cut(tmp_path: Path, wire: Pipe, broker: BrokerProcess) -> None:
    agent = Agent(tmp_path / "press-7", "press-7", wire, broker, ScriptedDriver(TaskPhase.READY))
    async with AsyncClient(broker.address) as client, agent.alive():
        await client.apply(press())
        await until_async(lambda: agent.joined, SECONDS, "the agent to join")
        wire.slow(KBIT_S)
        digest = await deployed(client, "inspect")
        await until_async(lambda: agent.cache.held_bytes(digest) > MODEL_BYTES // 4, SECONDS, "a part of the file")
        wire.cut(Cut.BOTH)
        await until_async(lambda: agent.site.carrier is None, SECONDS, "the agent to notice")
        wire.heal()
        wire.slow(KBIT_S)
        await until_async(lambda: _is(client, "inspect", "running"), SECONDS, "the model to arrive")
        assert agent.cache.came == MODEL_BYTES


async def test_outputs_logs_and_a_backlog_cost_no_session(tmp_path: Path, wire: Pipe, broker: BrokerProcess) -> None:
    agent = Agent(tmp_path / "burst-us", "burst-us", wire, broker, Verbose(TaskPhase.RUNNING))
    async with AsyncClient(broker.address) as client, agent.alive():
        await client.apply(cloud(), book())
        await until_async(lambda: agent.joined, SECONDS, "the agent to join")
        await client.submit(job(training=Training("true")))
        await until_async(lambda: _is(client, "train", "running"), SECONDS, "the job to run")
        wire.slow(KBIT_S)
        for _ in range(BACKLOG):
            agent.spool.append([Fact(Kind.PREDICTIONS, ShedClass.AUDIT, 1, 1, os.urandom(1_000))])
        (task,) = (agent.folder / "tasks").iterdir()
        (task / "out").mkdir()
        (task / "out" / "model.onnx").write_bytes(os.urandom(MODEL_BYTES))
        (task / "work").write_text("succeeded")
        first = [piece.text async for piece in client.logs("train")]
        assert "".join(first) == "a line of what it said\n" * 2_000
        await until_async(lambda: _is(client, "train", "succeeded"), SECONDS, "the outputs to arrive")
        await until_async(lambda: agent.waiting() == 0, SECONDS, "the backlog to arrive")
        assert agent.joined == 1
        assert await lost(client) == 0


async def _is(client: AsyncClient, name: str, wanted: str) -> bool:
    return await phase(client, name) == wanted
