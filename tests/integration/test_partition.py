"""The wire between a broker and a device is cut, both ways or one, and heals: real processes, a real wire.

What must hold: the device goes on serving, the broker learns of the silence, nothing moves and nothing is stopped, and
once the wire is whole the device is told what it missed and everything it recorded arrives, once.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.telemetry.finding import TelemetryReader
from tests.simulation.kills.fleet import STANDIN, standing_in
from tests.support.brokers import BrokerProcess
from tests.support.builders import press, service
from tests.support.until import until
from tests.support.wires import Cut, Namespace, Pipe
from tidegate.client.client import Client
from tidegate.model.registry import Artifact
from tidegate.model.workload import Inference, Workload

HEARTBEAT_MS = 300
SECONDS = 60.0
CONTENT = b"a model" * 3_000


class Device:
    """`python -m edge` at the far end of a wire; its spool's appends are counted, as in `tests.simulation.kills`."""

    def __init__(self, folder: Path, wire: Any, broker: str) -> None:
        self.folder, self._ledger = folder, folder / "ledger"
        command = [sys.executable, "-m", "tests.simulation.kills.doomed", "-", "0", "edge", "--site", "press-7"]
        command += ["--broker", wire.dial(broker), "--data-dir", str(folder / "press-7"), "--serving-module", STANDIN]
        environment = os.environ | {"KILLS_LEDGER": str(self._ledger)}
        with (folder / "device.log").open("ab") as log:
            self._process = subprocess.Popen(wire.command(command), env=environment, stdout=log, stderr=log)

    def servers(self) -> list[int]:
        """Pids of what serves there."""
        return sorted(process.pid for process in standing_in(self.folder))

    def kept(self) -> int:
        """Records of which its spool said that they are durable."""
        return self._ledger.read_bytes().count(b"k")

    def away_since(self) -> int:
        return int(json.loads((self.folder / "press-7" / "held.json").read_text())["body"]["away_since"])

    def end(self) -> None:
        self._process.kill()
        self._process.wait(20)
        for pid in self.servers():
            os.kill(pid, 9)


@pytest.fixture(params=[Namespace, Pipe], ids=["namespace", "relay"])
def world(request: Any, tmp_path: Path) -> Iterator[tuple[Any, BrokerProcess, Device]]:
    kind: Any = request.param
    if because := kind.missing():
        pytest.skip(because)
    wire = kind()
    options = ("--heartbeat-ms", str(HEARTBEAT_MS), "--listen", f"{wire.listen}:0", "--insecure-listen")
    broker, device = BrokerProcess(tmp_path, *options), None
    try:
        broker.start()
        with Client(broker.address) as client:
            client.apply(press())
        device = Device(tmp_path, wire, broker.address)
        yield wire, broker, device
    finally:
        if device is not None:
            device.end()
        broker.kill()
        wire.close()


def state(client: Client) -> str:
    (view,) = client.sites()
    return view.state


def serves(client: Client, name: str) -> bool:
    return client.get(name).phase == "running"


def asked(name: str, client: Client) -> Workload:
    artifact = Artifact(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), "model.onnx")
    client.push_artifact(artifact, CONTENT)
    wanted = service(name, inference=Inference(f"sha256:{artifact.digest}"), latency=None)
    return replace(wanted, carries=(wanted.data,))


def arrived(broker: BrokerProcess) -> int:
    reader = TelemetryReader(broker.directory / "data")
    try:
        assert not reader.gaps("press-7")
        return reader.counts("press-7").spans
    finally:
        reader.close()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("what", list(Cut), ids=lambda what: what.value.replace(" ", "-"))
def test_a_cut_wire_stops_nothing_moves_nothing_and_loses_nothing(world: Any, what: Cut) -> None:
    wire, broker, device = world
    with Client(broker.address) as client:
        until(lambda: state(client) == "joined", SECONDS, "the device to join")
        for name in ("inspect", "goes"):
            client.submit(asked(name, client))
        until(lambda: serves(client, "inspect") and serves(client, "goes"), SECONDS, "the services to run")
        before = device.servers()
        assert len(before) == 2

        wire.cut(what)
        until(lambda: state(client) == "unknown", SECONDS, "the broker to learn of the silence")
        until(device.away_since, SECONDS, "the device to learn that it is alone")
        client.cancel("goes")
        assert client.get("goes").phase == "stopping", "it stands until its site has let go"
        assert device.servers() == before, "the device goes on serving"
        assert serves(client, "inspect")

        wire.heal()
        until(lambda: state(client) == "joined", SECONDS, "the device to come back")
        until(lambda: client.get("goes").phase == "cancelled", SECONDS, "the device to hear what it missed")
        until(lambda: arrived(broker) == device.kept(), SECONDS, "everything recorded to arrive")
        (left,) = device.servers()
        assert left in before and serves(client, "inspect")
        kinds = Counter(event.kind for event in client.events())
        assert kinds["site_lost"] >= 1 and kinds["workload_decided"] == kinds["workload_submitted"] == 2
        assert not client.verify().findings


@pytest.mark.timeout(240)
def test_a_slow_wire_is_no_silence(world: Any) -> None:
    """However long a model takes: it comes in pieces, and words go between them (`test_thin_link`)."""
    wire, broker, device = world
    with Client(broker.address) as client:
        until(lambda: state(client) == "joined", SECONDS, "the device to join")
        wire.slow(150)
        client.submit(asked("inspect", client))
        until(lambda: serves(client, "inspect"), SECONDS, "the service to run")
        until(lambda: arrived(broker) == device.kept(), SECONDS, "everything recorded to arrive")
        assert (device.folder / "device.log").read_text().count("joined ") == 1
        assert not [event for event in client.events() if event.kind == "site_lost"]
