"""A reconnect storm: every agent at once, after a SIGKILL of the broker: `storm [--agents=1000,10000]`.

The broker is a process, the agents are another one, each over a connection of its own through the agents' own link
(`tests/support/residents.py`). First all join for the first time; then the broker is killed and started again at the
same address, `STORMS` times. Measured: until every agent is current, which means that in its new session it was told
what lies between the generation it holds and the one that stands; the broker's CPU and memory; and that nothing moved,
which means that the log has no decision and no lost site after the storm began.
"""

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from broker.core.state import State
from broker.log.sqlite import SqliteLog
from broker.runtime.history import to_recorded
from tests.bench.measure import Row
from tests.support.brokers import BrokerProcess
from tests.support.builders import book, cloud, job, press
from tests.support.until import until
from tidegate.client.aio import AsyncClient
from tidegate.model.site import Site

AGENTS = "1000,10000"
HEARTBEAT_MS = 10_000
"""What a fleet of ten thousand sets: a core answers some thousands of heartbeats a second, beside all else."""
JOBS = 40
STORMS = 2
SPARE_FILES = 500
PATIENCE_S = 240.0


@dataclass
class _Storm:
    """One of them, as it went."""

    seconds: float
    half_s: float
    cpu_s: float
    resident_mb: float
    agents_cpu_s: float


def rows(options: Sequence[str] = ()) -> list[Row]:
    """A row for the first joining, one for the storms and one for what they moved, for each size of fleet."""
    chosen = dict(option.removeprefix("--").split("=", 1) for option in options)
    found: list[Row] = []
    for agents in map(int, chosen.get("agents", AGENTS).split(",")):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if most < agents + SPARE_FILES:
            raise SystemExit(f"{agents} connections need `ulimit -n {agents + SPARE_FILES}`, and {most} are allowed")
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        with tempfile.TemporaryDirectory() as folder:
            found += _storms(Path(folder), agents)
    return found


def _storms(folder: Path, agents: int) -> list[Row]:
    sites = _sites(agents)
    broker = BrokerProcess(folder, "--heartbeat-ms", str(HEARTBEAT_MS)).start()
    broker.options = (*broker.options, "--listen", broker.address)
    asyncio.run(_declared(broker, sites))
    residents = _Residents(folder, broker.address, [site.name for site in sites])
    try:
        storms = [residents.storm(broker)]
        before = _head(broker)
        for _ in range(STORMS):
            broker.kill()
            broker.start()
            storms.append(residents.storm(broker))
        told = residents.told()
    finally:
        residents.end()
        broker.kill()
    moved, behind = _judged(folder / "data", before, told)
    first, *later = storms
    worst = max(later, key=lambda storm: storm.seconds)
    return [
        Row(
            f"{agents:,} agents join for the first time",
            f"all current in {first.seconds:.1f} s, half in {first.half_s:.1f} s",
            f"broker {first.cpu_s:.1f} s of CPU, agents {first.agents_cpu_s:.1f} s",
        ),
        Row(
            f"{agents:,} agents after SIGKILL of the broker",
            f"all current in {worst.seconds:.1f} s, half in {worst.half_s:.1f} s (worst of {len(later)})",
            f"broker {worst.cpu_s:.1f} s of CPU, {worst.resident_mb:,.0f} MB; agents {worst.agents_cpu_s:.1f} s",
        ),
        Row(
            "moved by that",
            f"{sum(moved.values()) - moved['SiteJoined']} of {JOBS} jobs; {behind} agents behind",
            ", ".join(f"{count} {kind}" for kind, count in sorted(moved.items())),
        ),
    ]


class _Residents:
    """The process of all agents."""

    def __init__(self, folder: Path, broker: str, sites: list[str]) -> None:
        self._told, self._agents = folder / "told", len(sites)
        (folder / "sites").write_text("\n".join(sites))
        command = [sys.executable, "-m", "tests.support.residents", "--broker", broker]
        command += ["--sites", str(folder / "sites"), "--told", str(self._told)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE)
        self._sessions: dict[str, int] = {}

    def told(self) -> dict[str, list[int]]:
        """Generation and number of sessions of each agent that is current."""
        try:
            found: dict[str, list[int]] = json.loads(self._told.read_text())
        except FileNotFoundError:
            return {}
        return found

    def storm(self, broker: BrokerProcess) -> _Storm:
        """From now until every agent is current in a session that it did not have before."""
        began, cpu, half_s = time.perf_counter(), self._cpu_s(), 0.0

        def current() -> bool:
            nonlocal half_s
            now = self.told()
            joined = sum(sessions > self._sessions.get(site, 0) for site, (_, sessions) in now.items())
            if not half_s and joined * 2 >= self._agents:
                half_s = time.perf_counter() - began
            assert self._process.poll() is None and broker.process and broker.process.poll() is None, broker.errors()
            return joined == self._agents

        until(current, PATIENCE_S, f"{self._agents} agents to be current")
        seconds = time.perf_counter() - began
        self._sessions = {site: sessions for site, (_, sessions) in self.told().items()}
        assert broker.process is not None
        taken = psutil.Process(broker.process.pid)
        times = taken.cpu_times()
        return _Storm(seconds, half_s, times.user + times.system, taken.memory_info().rss / 1e6, self._cpu_s() - cpu)

    def end(self) -> None:
        """All at once."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)

    def _cpu_s(self) -> float:
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)


async def _declared(broker: BrokerProcess, sites: list[Site]) -> None:
    """Jobs first, while the fleet is small: where they stand is not what is measured."""
    async with AsyncClient(broker.address) as client:
        await client.apply(*[site for site in sites if site.name.startswith("burst")], book())
        for number in range(JOBS):
            template = job(f"stands-{number}")
            assert template.training is not None
            await client.submit(replace(template, training=replace(template.training, code_digest="")))
        for start in range(0, len(sites), 1_000):
            await client.apply(*sites[start : start + 1_000])


def _sites(agents: int) -> list[Site]:
    clouds = [cloud(f"burst-{number}") for number in range(20)]
    return [*clouds, *(press(f"press-{number}") for number in range(agents - len(clouds)))]


def _head(broker: BrokerProcess) -> int:
    async def ask() -> int:
        async with AsyncClient(broker.address) as client:
            return (await client.verify()).offset

    return asyncio.run(ask())


def _judged(data: Path, after: int, told: dict[str, list[int]]) -> tuple[Counter[str], int]:
    """What happened since, by kind, and how many agents do not hold what the log says they should."""
    log, state, kinds = SqliteLog(data), State(), Counter[str](SiteJoined=0, SiteLost=0, WorkloadDecided=0)
    try:
        while rows := log.read(state.offset, 1_000):
            for row in rows:
                recorded = to_recorded(row)
                state.apply(recorded)
                if row.offset > after and row.kind != "broker_started":
                    kinds[type(recorded.event).__name__] += 1
    finally:
        log.close()
    behind = sum(told.get(name, [-1])[0] != record.generation for name, record in state.sites.items())
    return kinds, behind
