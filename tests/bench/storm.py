"""A reconnect storm: every agent at once, after a SIGKILL of the broker and after a cut: `storm [--agents=1000,10000]`.

The broker is a process, the agents are another one, each over a connection of its own through the agents' own link
(`tests/support/residents.py`), at the far end of a wire (`tests/support/wires.py`: a network namespace where root has
one, a relay otherwise). First all join for the first time. Then the broker is killed and started again at the same
address, `STORMS` times. Then the broker lives and the wire is cut, until the broker has given up every site and every
agent its session, and heals; for a while it may then hold a dead connection of each agent beside the new one, so this
part is left out where it may not have so many files open.

Measured: until every agent is current, which means that in its new session it was told what lies between the
generation it holds and the one that stands; the broker's CPU and memory; and that nothing moved, which means that the
log has no decision after the storm began, and no lost site where none was cut off.
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
from tests.support.wires import Cut, Namespace, Pipe
from tidegate.client.aio import AsyncClient
from tidegate.model.site import Site

AGENTS = "1000,10000"
HEARTBEAT_MS = 10_000
"""What a fleet of ten thousand sets: a core answers some thousands of heartbeats a second, beside all else."""
JOBS = 40
STORMS = 2
SPARE_FILES = 500
PATIENCE_S = 240.0
CUT_OFF_S = 120.0
"""For both sides to notice: three heartbeats and a little, and what ten thousand agents' own process is late by."""


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
    wire: Namespace | Pipe = Pipe() if Namespace.missing() else Namespace()
    sites = _sites(agents)
    options = ("--heartbeat-ms", str(HEARTBEAT_MS), "--insecure-listen")
    broker = BrokerProcess(folder, *options, "--listen", f"{wire.listen}:0")
    residents = None
    try:
        broker.start()
        broker.options = (*options, "--listen", broker.address)
        asyncio.run(_declared(broker, sites))
        residents = _Residents(folder, wire, broker.address, [site.name for site in sites])
        storms = [residents.storm(broker)]
        before = _head(broker)
        for _ in range(STORMS):
            broker.kill()
            broker.start()
            storms.append(residents.storm(broker))
        quiet, head = residents.told(), _head(broker)
        healed, cut_s, had = None, 0.0, 0.0
        if resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 2 * agents + SPARE_FILES:
            cut_s, had = _cut_off(wire, broker, residents, head), _cpu_s(broker)
            wire.heal()
            healed = residents.storm(broker)
        told = residents.told()
    finally:
        if residents is not None:
            residents.end()
        broker.kill()
        wire.close()
    moved, behind = _judged(folder / "data", before, head, quiet)
    cut_moved, cut_behind = _judged(folder / "data", head, 0, told)
    first, *later = storms
    worst = max(later, key=lambda storm: storm.seconds)
    found = [
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
            _listed(moved),
        ),
    ]
    if healed is None:
        needed = f"needs `ulimit -n {2 * agents + SPARE_FILES}`"
        return [*found, Row(f"{agents:,} agents after a cut heals", "not measured", needed)]
    return [
        *found,
        Row(
            f"{agents:,} agents after a cut of {cut_s:.0f} s heals ({type(wire).__name__.lower()})",
            f"all current in {healed.seconds:.1f} s, half in {healed.half_s:.1f} s",
            f"broker {healed.cpu_s - had:.1f} s of CPU, {healed.resident_mb:,.0f} MB; "
            f"agents {healed.agents_cpu_s:.1f} s",
        ),
        Row(
            "moved by that",
            f"{sum(cut_moved.values()) - cut_moved['SiteJoined'] - cut_moved['SiteLost']} of {JOBS} jobs; "
            f"{cut_behind} agents behind",
            _listed(cut_moved),
        ),
    ]


def _listed(kinds: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def _cut_off(wire: Namespace | Pipe, broker: BrokerProcess, residents: "_Residents", head: int) -> float:
    """Cut, until neither side believes in the other any more; how long that took, s."""
    began, lost, seen = time.perf_counter(), 0, head
    wire.cut(Cut.BOTH)

    async def more() -> tuple[int, int]:
        async with AsyncClient(broker.address) as client:
            news = [(event.recorded.offset, event.kind) async for event in client.events(after=seen)]
        return sum(kind == "site_lost" for _, kind in news), max((offset for offset, _ in news), default=seen)

    def apart() -> bool:
        nonlocal lost, seen
        some, seen = asyncio.run(more())
        lost += some
        return lost == residents.agents and not residents.told()

    until(apart, CUT_OFF_S, "both sides to notice")
    return time.perf_counter() - began


class _Residents:
    """The process of all agents."""

    def __init__(self, folder: Path, wire: Namespace | Pipe, broker: str, sites: list[str]) -> None:
        self._told, self.agents = folder / "told", len(sites)
        (folder / "sites").write_text("\n".join(sites))
        command = [sys.executable, "-m", "tests.support.residents", "--broker", wire.dial(broker)]
        command += ["--sites", str(folder / "sites"), "--told", str(self._told)]
        self._process = subprocess.Popen(wire.command(command), stdin=subprocess.PIPE)
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
            if not half_s and joined * 2 >= self.agents:
                half_s = time.perf_counter() - began
            assert self._process.poll() is None and broker.process and broker.process.poll() is None, broker.errors()
            return joined == self.agents

        until(current, PATIENCE_S, f"{self.agents} agents to be current")
        seconds = time.perf_counter() - began
        self._sessions = {site: sessions for site, (_, sessions) in self.told().items()}
        assert broker.process is not None
        resident_mb = psutil.Process(broker.process.pid).memory_info().rss / 1e6
        return _Storm(seconds, half_s, _cpu_s(broker), resident_mb, self._cpu_s() - cpu)

    def end(self) -> None:
        """All at once."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)

    def _cpu_s(self) -> float:
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)


def _cpu_s(broker: BrokerProcess) -> float:
    """Since its start."""
    assert broker.process is not None
    times = psutil.Process(broker.process.pid).cpu_times()
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


def _judged(data: Path, after: int, upto: int, told: dict[str, list[int]]) -> tuple[Counter[str], int]:
    """What happened since (`upto` 0: to the end), by kind, and how many agents do not hold what they should have."""
    log, state, kinds = SqliteLog(data), State(), Counter[str](SiteJoined=0, SiteLost=0, WorkloadDecided=0)
    try:
        while rows := log.read(state.offset, 1_000):
            for row in rows:
                if upto and row.offset > upto:
                    break
                recorded = to_recorded(row)
                state.apply(recorded)
                if row.offset > after and row.kind != "broker_started":
                    kinds[type(recorded.event).__name__] += 1
            if upto and rows[-1].offset >= upto:
                break
    finally:
        log.close()
    behind = sum(told.get(name, [-1])[0] != record.generation for name, record in state.sites.items())
    return kinds, behind
