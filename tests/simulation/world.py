"""One seed, from its start to its verdict.

    settings  drawn from the seed: sites, people, pace, how slow the wire is, which faults when
    history   people ask, faults happen, for `lasts_s` of simulated time
    peace     every fault is mended, everybody who fell is started again, people stop asking
    verdict   the checks of `checks`, and a hash of everything that happened

The same seed gives the same hash in any process. A run also says how much it did, since one in which nothing happened
proves nothing.
"""

import contextlib
import hashlib
import logging
import shutil
import signal
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from broker.core.commands import ApplyDeclarations, RegisterModel
from broker.core.state import State
from tests.simulation import checks, faults
from tests.simulation.agent import AgentMachine, AgentProcess
from tests.simulation.broker import BrokerMachine, BrokerProcess
from tests.simulation.clocks import AgentClock, BrokerClock
from tests.simulation.engine import Engine
from tests.simulation.faults import Fault
from tests.simulation.loop import Deadlock, SimulatedLoop, elapse
from tests.simulation.network import Network
from tests.simulation.people import Engineer, History
from tests.simulation.store import LogDisk
from tests.support.builders import book, cloud, press, rack
from tidegate.model.registry import Artifact, ModelVersion
from tidegate.model.site import Engine as Kind

MODEL = b"the first model"
RESTART_S = 1.0
LONGEST_REAL_S = 30
"""Real seconds for a seed, which takes one or two."""
PEACE_S = 150.0
"""The longest time after the last fault until everything is as it should be."""


@dataclass(frozen=True)
class Settings:
    """What a seed draws before anything happens."""

    seed: int
    sites: tuple[str, ...]
    people: tuple[str, ...]
    pace_s: float
    slowest_s: float
    lasts_s: float
    plan: tuple[Fault, ...]

    @staticmethod
    def draw(seed: int) -> "Settings":
        random = Random(seed)
        sites = tuple(f"site-{number}" for number in range(random.randint(1, 5)))
        people = tuple(f"engineer-{number}" for number in range(random.randint(1, 3)))
        lasts_s = random.choice((30.0, 60.0, 120.0))
        return Settings(
            seed=seed,
            sites=sites,
            people=people,
            pace_s=random.choice((1.0, 2.0, 5.0)),
            slowest_s=random.choice((0.002, 0.02, 0.2)),
            lasts_s=lasts_s,
            plan=tuple(faults.draw(random, lasts_s, sites, people)),
        )


@dataclass
class Outcome:
    """What came of a seed."""

    settings: Settings
    found: list[str]
    digest: str
    did: Counter[str] = field(default_factory=Counter)


def run(settings: Settings) -> Outcome:
    """Live through one seed."""
    logging.disable(logging.CRITICAL)
    loop = SimulatedLoop()
    folder = Path(tempfile.mkdtemp(prefix="simulation-", dir=_fast()))
    world = World(settings, loop, folder)
    signal.signal(signal.SIGALRM, _never_ends)
    signal.alarm(LONGEST_REAL_S)
    try:
        try:
            loop.run_until_complete(world.live())
        except NeverEnds:
            world.findings.add(f"something never ends, at {loop.time():.3f} s")
        except Deadlock as deadlock:
            fallen = world.broker.process.failed if world.broker else None
            world.findings.add(f"deadlock: {deadlock}; the broker: {fallen!r}")
        except Exception as error:  # a world that cannot go on is a finding too
            world.findings.add(f"the world fell: {error!r}")
        return Outcome(settings, world.findings.found, world.digest.hexdigest(), world.did)
    finally:
        signal.alarm(0)
        with contextlib.suppress(NeverEnds):  # told once more by the task group that it ended
            loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        shutil.rmtree(folder)


class World:
    """Everything of one seed."""

    def __init__(self, settings: Settings, loop: SimulatedLoop, folder: Path) -> None:
        self.settings, self.loop = settings, loop
        self.findings = checks.Findings()
        self.history = History()
        self.did: Counter[str] = Counter()
        self.digest = hashlib.sha256()
        random = self.random = Random(settings.seed + 1)
        self.network = Network(Random(random.random()), self._told, settings.slowest_s)
        self.broker_machine = BrokerMachine(LogDisk(Random(random.random()), self._told), folder / "broker")
        self.broker_machine.folder.mkdir()
        self.machines = [
            AgentMachine(
                name,
                "plant" if number % 2 == 0 else name,
                edge=number % 2 == 0,
                folder=folder / name,
                engine=Engine(Random(random.random()), self._told),
            )
            for number, name in enumerate(settings.sites)
        ]
        self.agents: dict[str, AgentProcess] = {}
        self.people = {
            name: Engineer(name, self.network, Random(random.random()), self.history, settings.sites, settings.pace_s)
            for name in settings.people
        }
        self.clocks: dict[str, Any] = {}
        self.broker: BrokerProcess | None = None

    async def live(self) -> None:
        """The whole history."""
        digest = hashlib.sha256(MODEL).hexdigest()
        (self.broker_machine.folder / "artifacts").mkdir()
        (self.broker_machine.folder / "artifacts" / digest).write_bytes(MODEL)
        self._start_broker()
        await self._declare(ModelVersion("digits", 0, Artifact(digest, len(MODEL), "model.onnx")))
        for machine in self.machines:
            machine.folder.mkdir()
            self._start_agent(machine)
        for engineer in self.people.values():
            engineer.start()
        for fault in self.settings.plan:
            await elapse(max(0.0, fault.at - self.loop.time()))
            self.network.run(self._happen(fault))
        await elapse(max(0.0, self.settings.lasts_s - self.loop.time()))
        await self._make_peace()
        await self._judge()

    # Processes

    def _start_broker(self) -> None:
        clock = self.clocks["broker"] = BrokerClock(self.loop, self.broker_machine.skew_ms)
        self.broker = BrokerProcess(self.broker_machine, self.network, clock, self._turned, self._broker_fell)
        self.broker.start()
        self.did["broker lives"] += 1

    def _start_agent(self, machine: AgentMachine) -> None:
        clock = AgentClock(self.loop, Random(self.random.random()), machine.skew_ms)
        self.clocks[machine.name] = clock
        agent = self.agents[machine.name] = AgentProcess(
            machine, self.network, clock, self.findings.add, lambda error: self._agent_fell(machine.name, error)
        )
        agent.start()
        self.did["agent lives"] += 1

    def _broker_fell(self, error: BaseException) -> None:
        """By itself: a finding, unless its disk made it. Its supervisor starts it again."""
        disk = self.broker_machine.log
        if disk.failing or disk.full:
            self.did["broker fell with its disk"] += 1
        else:
            self.findings.add(f"the broker fell: {_told_of(error)}")
        self.network.run(self._without_broker(RESTART_S))

    def _agent_fell(self, name: str, error: BaseException) -> None:
        self.findings.add(f"{name} fell: {_told_of(error)}")
        self.network.run(self._without_agent(name, RESTART_S, power=False))

    async def _declare(self, model: ModelVersion) -> None:
        assert self.broker is not None
        await self.broker.up.wait()
        assert self.broker.broker is not None
        loop = self.broker.broker.loop
        shapes = (press, rack, cloud)
        both = (Kind.PROCESS, Kind.RAY)
        sites = tuple(
            shapes[number % 3](machine.name, engines=both, location=machine.location)
            for number, machine in enumerate(self.machines)
        )
        await loop.ask(ApplyDeclarations(0, (*sites, book())))
        await loop.ask(RegisterModel(0, model))

    # Faults

    async def _happen(self, fault: Fault) -> None:
        self.did[fault.kind] += 1
        self._told("fault", str(fault))
        match fault.kind:
            case "kill broker":
                await self._without_broker(fault.seconds)
            case "failing log":
                self.broker_machine.log.failing = True
                await elapse(fault.seconds)
                self.broker_machine.log.failing = False
            case "full log":
                self.broker_machine.log.full = True
                await elapse(fault.seconds)
                self.broker_machine.log.full = False
            case "kill agent" | "cut power":
                await self._without_agent(fault.whom, fault.seconds, power=fault.kind == "cut power")
            case "cut link" | "cut engineers" | "cut up" | "cut down":
                self.network.cut(fault.whom, up=fault.kind != "cut down", down=fault.kind != "cut up")
                await elapse(fault.seconds)
                self.network.mend(fault.whom)
            case "slow link":
                self.network.slow(fault.whom, fault.amount)
                await elapse(fault.seconds)
                self.network.slow(fault.whom, 0.0)
            case "reset":
                self.network.reset(fault.whom)
            case "engine trouble":
                machine = self._machine(fault.whom)
                machine.engine.trouble = fault.amount * 0.8
                await elapse(fault.seconds)
                machine.engine.trouble = 0.0
            case "set clock":
                self._set_clock(fault)

    async def _without_broker(self, seconds: float) -> None:
        fallen = self.broker
        if fallen is None:
            return  # it lies already, and whoever felled it starts it again
        self.broker = None
        await fallen.kill()
        await elapse(seconds)
        self._start_broker()

    async def _without_agent(self, name: str, seconds: float, *, power: bool) -> None:
        fallen = self.agents.pop(name, None)
        if fallen is None:
            return
        await fallen.kill(power=self.random if power else None)
        await elapse(seconds)
        self._start_agent(self._machine(name))

    def _set_clock(self, fault: Fault) -> None:
        skew_ms = int((fault.amount - 0.5) * 7_200_000)
        if fault.whom == "broker":
            self.broker_machine.skew_ms = skew_ms
        else:
            self._machine(fault.whom).skew_ms = skew_ms
        self.clocks[fault.whom].skew_ms = skew_ms

    def _machine(self, name: str) -> AgentMachine:
        return next(machine for machine in self.machines if machine.name == name)

    # The end

    async def _make_peace(self) -> None:
        """Mend what is broken, wait for those who are to be started again, start what fell by itself."""
        for engineer in self.people.values():
            engineer.stopping = True
        await elapse(45)  # the longest fault, and the last request's patience
        for name in (*self.settings.sites, *self.settings.people):
            self.network.mend(name)
        for machine in self.machines:
            machine.engine.trouble = 0.0
        for engineer in self.people.values():
            if engineer.process.failed is not None:
                self.findings.add(f"{engineer.process.name} fell: {engineer.process.failed!r}")
        await elapse(PEACE_S)

    async def _judge(self) -> None:
        assert self.broker is not None and self.broker.broker is not None
        state = self.broker.broker.state
        checks.after_a_turn(state, self.findings)
        checks.acknowledged(self.broker_machine, self.history, self.findings)
        checks.at_rest(state, self.machines, self.agents, self.findings)
        checks.replayed(self.broker_machine, state, self.findings)
        for agent in self.agents.values():
            await agent.kill()
        for engineer in self.people.values():
            await engineer.process.kill()
        await self.broker.kill()
        await self.network.close()
        checks.telemetry(self.broker_machine, self.machines, self.findings)
        self.did["events"] += len(self.broker_machine.log.rows)
        self.did["asked"] += len(self.history.asked)
        self.did["acknowledged"] += len(self.history.acknowledged)
        self.did["placements"] += sum(row.kind == "workload_decided" for row in self.broker_machine.log.rows)
        self.did["work started"] += sum(machine.engine.started for machine in self.machines)
        self.did["spans"] += sum(machine.kept for machine in self.machines)
        self.did["connections"] += self.network.opened
        self.did["simulated s"] += int(self.loop.time())

    # What is heard

    def _turned(self, state: State) -> None:
        checks.after_a_turn(state, self.findings)

    def _told(self, where: str, what: Any) -> None:
        self.digest.update(f"{self.loop.time():.9f} {where} {what}\n".encode())


class NeverEnds(KeyboardInterrupt):  # the one family that a task lets through
    """One turn took so long that it is taken for one without an end."""


def _never_ends(*_: Any) -> None:
    raise NeverEnds


def _told_of(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_told_of(each) for each in error.exceptions)
    return repr(error)


def _fast() -> str | None:
    """A folder in memory where the machine has one: these files are read again, never kept."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
