"""An agent as its own process, serving a real model through a real model server, its broker a stub behind a socket."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.support.broker_stub import BrokerStub
from tests.support.builders import service
from tests.support.models import plus_one
from tests.support.until import until_async
from tidegate.model.assignment import Assignment
from tidegate.model.registry import Artifact, ModelVersion

CHECKOUT = Path(__file__).resolve().parents[3]
SECONDS = 40.0


@pytest.fixture
def model_bytes() -> bytes:
    return plus_one()


class AgentProcess:
    """`python -m edge` over one data folder; killed and started at will."""

    def __init__(self, folder: Path, broker: str) -> None:
        self.folder = folder
        self.broker = broker
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "AgentProcess":
        command = [sys.executable, "-m", "edge", "--site", "press-7", "--broker", self.broker]
        command += ["--data-dir", str(self.folder / "data"), "--ready-file", str(self.folder / "ready.json")]
        with (self.folder / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=CHECKOUT, stdout=log, stderr=log)
        return self

    def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(20)

    def servers(self) -> list[psutil.Process]:
        """Model servers whose configuration lies in this agent's folder."""
        mine = str(self.folder / "data")
        return [
            each
            for each in psutil.process_iter(["cmdline"])
            if any(mine in part for part in each.info["cmdline"] or ()) and "edge.serving" in each.info["cmdline"]
        ]

    def clean(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.end()
        for server in self.servers():
            server.kill()


def assigned(model: ModelVersion, generation: int = 1) -> Assignment:
    return Assignment(
        "w-1", service("inspect"), "press-7", generation, model=model, traceparent=f"00-{'a' * 32}-{'b' * 16}-01"
    )


async def predicts(url: str) -> bool:
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}]}
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            answer = await client.post(f"{url}/v2/models/digits/infer", json=body)
        except httpx.HTTPError:
            return False
    return answer.status_code == 200 and answer.json()["outputs"][0]["data"] == [2, 3, 4, 5]


async def until_predicts(url: str) -> None:
    async def answers() -> bool:
        return await predicts(url)

    await until_async(answers, SECONDS)  # type: ignore[arg-type]  # mypy infers no type for a union with an awaitable


def running(broker: BrokerStub) -> str:
    """The URL where the service answers, once the agent says so."""
    status = broker.statuses.get("w-1")
    if status is None or status.phase.value != "running":
        return ""
    return next(f"http://{each.address}" for each in status.endpoints if each.protocol == "http")


async def test_a_service_is_served_through_the_death_of_agent_and_server_without_a_network(
    tmp_path: Path, model_bytes: bytes
) -> None:
    broker = await BrokerStub().start()
    digest = broker.keep(model_bytes)
    model = ModelVersion("digits", 1, Artifact(digest, len(model_bytes), "model.onnx"))
    agent = AgentProcess(tmp_path, broker.address).start()
    try:
        await broker.desire(assigned(model))
        url = await until_async(lambda: running(broker), SECONDS)
        assert await predicts(url)
        assert int(broker.statuses["w-1"].metrics["service_time_p99_us"]) > 0

        port = broker.port
        await broker.stop()
        assert await predicts(url), "the broker's death stops no prediction"
        held = tmp_path / "data" / "held.json"
        await until_async(lambda: json.loads(held.read_text())["body"]["away_since"], SECONDS)
        agent.end()
        assert await predicts(url), "the agent's death stops no prediction"
        for server in agent.servers():
            server.kill()
        agent.start()
        await until_predicts(url)

        await broker.start(port)
        await until_async(lambda: len(broker.hellos) > 1, SECONDS)
        assert broker.hellos[-1].held_generation == 1
        assert broker.hellos[-1].away_since > 0
        await until_async(lambda: any(b"away" in chunk.payload for chunk in spans(broker)), SECONDS)
        assert broker.duplicates == 0
        assert await until_async(lambda: running(broker), SECONDS) == url
        (socket_path,) = [each.address for each in broker.statuses["w-1"].endpoints if each.protocol == "unix"]
        assert Path(socket_path).parent.stat().st_mode & 0o777 == 0o700
        await broker.desire()
        await until_async(lambda: broker.statuses["w-1"].phase.value == "cancelled", SECONDS)
        assert not agent.servers()
        assert await asyncio.to_thread(agent.end, signal.SIGTERM) == 0
        assert not Path(socket_path).parent.exists()
    finally:
        agent.clean()
        await broker.stop()


def spans(broker: BrokerStub) -> list[Any]:
    return [chunk for stream in broker.received.values() for chunk in stream.values() if chunk.kind == "spans"]


async def test_sigterm_ends_the_agent_and_leaves_the_service(tmp_path: Path, model_bytes: bytes) -> None:
    broker = await BrokerStub().start()
    model = ModelVersion("digits", 1, Artifact(broker.keep(model_bytes), len(model_bytes), "model.onnx"))
    agent = AgentProcess(tmp_path, broker.address).start()
    try:
        await broker.desire(assigned(model))
        url = await until_async(lambda: running(broker), SECONDS)
        assert await asyncio.to_thread(agent.end, signal.SIGTERM) == 0
        assert await predicts(url)
        (before,) = agent.servers()
        agent.start()
        broker.statuses.clear()
        await until_async(lambda: running(broker), SECONDS)
        assert [each.pid for each in agent.servers()] == [before.pid], "the running server was adopted"
    finally:
        agent.clean()
        await broker.stop()


async def test_a_new_model_takes_over_without_a_gap_and_a_dead_server_comes_back(
    tmp_path: Path, model_bytes: bytes
) -> None:
    broker = await BrokerStub().start()
    other = model_bytes + b"\x0a\x00"  # the same model, other bytes: an empty field of the file's own schema
    first = ModelVersion("digits", 1, Artifact(broker.keep(model_bytes), len(model_bytes), "model.onnx"))
    second = ModelVersion("digits", 2, Artifact(broker.keep(other), len(other), "model.onnx"))
    agent = AgentProcess(tmp_path, broker.address).start()
    try:
        await broker.desire(assigned(first))
        old = await until_async(lambda: running(broker), SECONDS)
        await broker.desire(assigned(second, 2))

        def moved() -> bool:
            return broker.statuses["w-1"].generation == 2 and running(broker) not in ("", old)

        while not moved():
            assert await predicts(old) or await predicts(running(broker)), "some server answers at every moment"
        new = running(broker)
        assert await predicts(new)
        await until_async(lambda: len(agent.servers()) == 1, SECONDS)

        (server,) = agent.servers()
        server.kill()
        await until_predicts(new)
    finally:
        agent.clean()
        await broker.stop()


async def test_a_server_that_was_never_written_down_is_found_and_not_doubled(
    tmp_path: Path, model_bytes: bytes
) -> None:
    broker = await BrokerStub().start()
    model = ModelVersion("digits", 1, Artifact(broker.keep(model_bytes), len(model_bytes), "model.onnx"))
    agent = AgentProcess(tmp_path, broker.address).start()
    try:
        await broker.desire(assigned(model))
        await until_async(lambda: running(broker), SECONDS)
        (before,) = agent.servers()
        agent.end()
        (record,) = (tmp_path / "data" / "tasks").rglob("process.json")
        record.unlink()  # as if the agent had been killed right after it started the server
        broker.statuses.clear()
        agent.start()
        assert await predicts(await until_async(lambda: running(broker), SECONDS))
        assert [each.pid for each in agent.servers()] == [before.pid]
    finally:
        agent.clean()
        await broker.stop()


async def test_a_model_that_went_bad_on_the_disk_is_not_served_but_fetched_again(
    tmp_path: Path, model_bytes: bytes
) -> None:
    broker = await BrokerStub().start()
    digest = broker.keep(model_bytes)
    model = ModelVersion("digits", 1, Artifact(digest, len(model_bytes), "model.onnx"))
    agent = AgentProcess(tmp_path, broker.address).start()
    try:
        await broker.desire(assigned(model))
        url = await until_async(lambda: running(broker), SECONDS)
        cached = tmp_path / "data" / "cache" / digest
        cached.write_bytes(model_bytes[:-1] + b"?")
        (server,) = agent.servers()
        server.kill()
        await until_predicts(url)
        assert cached.read_bytes() == model_bytes
        assert len(broker.fetched_from) == 2
        assert "damaged on this disk" in (tmp_path / "agent.log").read_text()
    finally:
        agent.clean()
        await broker.stop()


async def test_a_port_that_somebody_else_took_meanwhile_is_given_up(tmp_path: Path, model_bytes: bytes) -> None:
    broker = await BrokerStub().start()
    model = ModelVersion("digits", 1, Artifact(broker.keep(model_bytes), len(model_bytes), "model.onnx"))
    agent = AgentProcess(tmp_path, broker.address).start()
    try:
        await broker.desire(assigned(model))
        before = await until_async(lambda: running(broker), SECONDS)
        agent.end()
        for server in agent.servers():
            server.kill()
            server.wait(10)
        with socket.create_server(("127.0.0.1", int(before.rpartition(":")[2]))):
            broker.statuses.clear()
            agent.start()
            after = await until_async(lambda: running(broker), SECONDS)
            assert after != before
            assert await predicts(after)
    finally:
        agent.clean()
        await broker.stop()
