"""The processes of one world: a broker, a factory device and an on-prem host, each armed whenever it is started.

All of them are armed at once, and whichever dies is started again at once, armed for another point; so one world serves
for hundreds of kills, and two may be down together. A daemon that passes its point too seldom is killed where it is.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psutil

from tests.simulation.kills.points import AGENT, BROKER, POINTS, RAY_POINTS, Point

ROOT = Path(__file__).resolve().parents[3]
HEARTBEAT_MS = 300
SNAPSHOT_EVERY = 25
SITES = {"press-7": "edge", "rack-de": "agents"}
STANDIN = "tests.simulation.kills.standin"
ANYWHERE = "anywhere"
"""Where a daemon died whose point did not come up."""


@dataclass
class Death:
    """One kill: who died, and at which point."""

    daemon: str
    point: str


@dataclass
class Daemon:
    """One daemon over one folder, from life to life."""

    name: str
    kind: str
    arguments: list[str]
    folder: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    point: Point | None = None
    since: float = 0.0
    """When this life was first seen to be up; 0 before."""

    def start(self, point: Point | None, spared: int) -> None:
        """Armed for `point`; None: it lives."""
        self.point, self.since = point, 0.0
        self.died.unlink(missing_ok=True)
        self.ready.unlink(missing_ok=True)
        armed = [point.name if point else "-", str(spared)]
        command = [sys.executable, "-m", "tests.simulation.kills.doomed", *armed, *self.arguments]
        environment = os.environ | {"KILLS_DIED": str(self.died)}
        if self.kind == AGENT:
            environment["KILLS_LEDGER"] = str(self.folder / f"{self.name}.ledger")
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--ready-file", str(self.ready)], cwd=ROOT, env=environment, stdout=log, stderr=log
            )

    @property
    def died(self) -> Path:
        return self.folder / f"{self.name}.died"

    @property
    def ready(self) -> Path:
        return self.folder / f"{self.name}.ready.json"

    @property
    def up(self) -> bool:
        """Whether this life got as far as its ready file."""
        if not self.since and self.ready.exists():
            self.since = time.monotonic()
        return self.since > 0

    def ended(self) -> Death | None:
        """The death of this life, if it is over. AssertionError where it did not die by our hand."""
        assert self.process is not None
        code = self.process.poll()
        if code is None:
            return None
        assert code == -signal.SIGKILL, f"{self.name} ended with {code} by itself:\n{self.tail()}"
        return Death(self.name, self.died.read_text() if self.died.exists() else ANYWHERE)

    def kill(self) -> None:
        """Wherever it is now."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(20)

    def tail(self) -> str:
        """Its last lines."""
        lines = (self.folder / f"{self.name}.log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:])


@dataclass
class Fleet:
    """All daemons of a world, and where each should die next."""

    folder: Path
    random: Random
    daemons: list[Daemon] = field(default_factory=list)
    waiting: dict[str, list[Point]] = field(default_factory=dict)
    missed: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        broker = ["broker", "--data-dir", str(self.folder / "broker"), "--listen", self.address]
        broker += ["--heartbeat-ms", str(HEARTBEAT_MS), "--snapshot-every", str(SNAPSHOT_EVERY)]
        self.daemons.append(Daemon("broker", BROKER, broker, self.folder))
        for site, module in SITES.items():
            agent = [module, "--site", site, "--broker", self.address, "--data-dir", str(self.folder / site)]
            self.daemons.append(Daemon(site, AGENT, [*agent, "--serving-module", STANDIN], self.folder))

    @property
    def broker(self) -> Daemon:
        return self.daemons[0]

    @property
    def agents(self) -> list[Daemon]:
        return self.daemons[1:]

    def start(self, daemon: Daemon, *, armed: bool = True) -> None:
        """With the next point of its kind, all of them in turn and in another order each time."""
        point = self._next(daemon.kind) if armed else None
        daemon.start(point, self.random.randint(0, point.spared) if point else 0)

    def _next(self, kind: str) -> Point:
        waiting = self.waiting.setdefault(kind, [])
        if not waiting:
            waiting += [point for point in POINTS + RAY_POINTS if point.daemon == kind]
            self.random.shuffle(waiting)
        return waiting.pop()

    def put_off(self, daemon: Daemon) -> None:
        """Its point did not come up in time: it comes again later, at once."""
        if daemon.point is not None:
            self.missed[daemon.point.name] = self.missed.get(daemon.point.name, 0) + 1
            self.waiting.setdefault(daemon.kind, []).insert(0, daemon.point)
        daemon.kill()

    def servers(self, site: str) -> list[psutil.Process]:
        """What stands in for model servers at a site."""
        return standing_in(self.folder / site)

    def end(self) -> None:
        """Nothing of it is left."""
        for daemon in self.daemons:
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.kill()
        for site in SITES:
            for server in self.servers(site):
                server.kill()

    def ledger(self, site: str) -> tuple[int, int]:
        """Appends that began and appends that returned, in the spool of a site's agent, over all its lives."""
        written = (self.folder / f"{site}.ledger").read_bytes()
        return written.count(b"a"), written.count(b"k")

    def data(self, site: str) -> Path:
        return self.folder / site

    def told(self, daemon: Daemon) -> dict[str, object]:
        found: dict[str, object] = json.loads(daemon.ready.read_text())
        return found


def standing_in(folder: Path) -> list[psutil.Process]:
    """Every stand-in whose configuration lies under a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
            if line[1:3] == ["-m", STANDIN] and Path(line[4]).is_relative_to(folder):
                found += [process] if process.status() != psutil.STATUS_ZOMBIE else []
        except psutil.Error:
            continue
    return found
