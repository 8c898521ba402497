"""One seed, from its start to its verdict.

    settings  drawn from the seed (`swarm`)
    history   people ask, faults happen, for `lasts_s` of simulated time
    peace     in a liveness seed: the core is mended, everybody of it who fell is started again, people stop asking, and
              within `PEACE_S` all of it must be at rest and stay so for `STILL_S`
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
from tests.simulation import checks, guards
from tests.simulation.agent import AgentMachine, AgentProcess, told_apart
from tests.simulation.breaking import strike
from tests.simulation.broker import OFTEN, BrokerMachine, BrokerProcess
from tests.simulation.clocks import AgentClock, BrokerClock
from tests.simulation.coverage import Covered
from tests.simulation.disk import SiteDisk
from tests.simulation.engine import Engine
from tests.simulation.faults import LONGEST_S, Fault
from tests.simulation.ground import declarations, location
from tests.simulation.loop import Deadlock, SimulatedLoop, elapse
from tests.simulation.network import Network
from tests.simulation.people import Engineer, History
from tests.simulation.store import LogDisk
from tests.simulation.swarm import Settings
from tidegate.model.registry import Artifact, ModelVersion

MODEL = b"the first model"
RESTART_S = 1.0
LONGEST_CPU_S = 30
"""Of a processor for a seed, which takes half of one."""
LAST_WORDS_S = 75.0
"""The longest that somebody's last request takes, all its tries included."""
PEACE_S = 150.0
"""The longest time after the last fault until everything is as it should be."""
STILL_S, LOOK_S = 8.0, 2.0


@dataclass
class Outcome:
    """What came of a seed."""

    settings: Settings
    found: list[str]
    digest: str
    did: Counter[str] = field(default_factory=Counter)
    cells: Counter[tuple[str, str]] = field(default_factory=Counter)
    story: list[str] = field(default_factory=list)
    """What happened, in the order of time: faults, requests and their answers."""


def run(settings: Settings) -> Outcome:
    """Live through one seed."""
    logging.disable(logging.CRITICAL)
    loop = SimulatedLoop()
    folder = Path(tempfile.mkdtemp(prefix="simulation-", dir=_fast()))
    world = World(settings, loop, folder)
    signal.signal(signal.SIGVTALRM, _never_ends)
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST_CPU_S)
    try:
        try:
            with guards.watched():
                loop.run_until_complete(world.live())
        except NeverEnds:
            world.findings.add(f"something never ends, at {loop.time():.3f} s")
        except Deadlock as deadlock:
            fallen = world.broker.process.failed if world.broker else None
            world.findings.add(f"deadlock: {deadlock}; the broker: {fallen!r}")
        except Exception as error:  # a world that cannot go on is a finding too
            world.findings.add(f"the world fell: {error!r}")
        story = [text for _, text in sorted(world.story + [(each.at, str(each)) for each in world.history.asked])]
        found = world.findings.found
        return Outcome(settings, found, world.digest.hexdigest(), world.did, world.covered.cells, story)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        with contextlib.suppress(NeverEnds):  # told once more by the task group that it ended
            loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        shutil.rmtree(folder)


class World:
    """Everything of one seed."""

    def __init__(self, settings: Settings, loop: SimulatedLoop, folder: Path) -> None:
        self.settings, self.loop = settings, loop
        self.findings = checks.Findings()
        self.history, self.story = History(), list[tuple[float, str]]()
        self.did: Counter[str] = Counter()
        self.covered = Covered()
        self.digest = hashlib.sha256()
        random = self.random = Random(settings.seed + 1)
        self.network = Network(Random(random.random()), self._told, settings.slowest_s)
        self.broker_machine = BrokerMachine(LogDisk(Random(random.random()), self._told), folder / "broker")
        self.broker_machine.folder.mkdir()
        if "snapshots" in settings.habits:
            self.broker_machine.snapshot_every = OFTEN
        if "threads" in settings.habits:
            loop.threads = Random(random.random())
        self.machines = [
            AgentMachine(
                name,
                location(number),
                edge=number % 2 == 0,
                folder=folder / name,
                engine=Engine(Random(random.random()), self._told),
                disk=SiteDisk(Random(random.random())),
            )
            for number, name in enumerate(settings.sites)
        ]
        self.core = [machine for machine in self.machines if machine.name in settings.core]
        self.agents: dict[str, AgentProcess] = {}
        self.people = {name: Engineer(name, self.network, settings, self.history) for name in settings.people}
        self.clocks: dict[str, Any] = {}
        self.broker: BrokerProcess | None = None
        self._checked = self._under_way = 0

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
        if self.settings.liveness:
            await self._make_peace()
        await self._judge()

    # Processes

    def _start_broker(self) -> None:
        clock = self.clocks["broker"] = BrokerClock(self.loop, self.broker_machine.pace, self.broker_machine.skew_ms)
        self.broker = BrokerProcess(
            self.broker_machine, self.network, clock, Random(self.random.random()), self._turned, self._broker_fell
        )
        self.broker.start()
        self.did["broker lives"] += 1

    def _start_agent(self, machine: AgentMachine) -> None:
        clock = AgentClock(self.loop, machine.pace, Random(self.random.random()), machine.skew_ms)
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
        self.network.run(self.without_broker(RESTART_S))

    def _agent_fell(self, name: str, error: BaseException) -> None:
        """By itself: a finding, unless its disk made it and it says so in a family's words."""
        agent = self.agents.get(name)
        if agent is not None and agent.may_fall(error):
            self.did["agent fell with its disk"] += 1
        else:
            self.findings.add(f"{name} fell: {_told_of(error)}")
        self.network.run(self.without_agent(name, RESTART_S, power=False))

    async def _declare(self, model: ModelVersion) -> None:
        assert self.broker is not None
        await self.broker.up.wait()
        assert self.broker.broker is not None
        loop = self.broker.broker.loop
        await loop.ask(ApplyDeclarations(0, declarations(self.settings)))
        await loop.ask(RegisterModel(0, model))

    # Faults

    async def _happen(self, fault: Fault) -> None:
        self.did[fault.kind] += 1
        self._told("fault", str(fault))
        self.story.append((fault.at, str(fault)))
        self.covered.happens(fault.kind, self.loop.time() + fault.seconds)
        self._under_way += 1
        try:
            await strike(self, fault)
        finally:
            self._under_way -= 1

    async def without_broker(self, seconds: float) -> None:
        """Kill it, and start it again after so long."""
        fallen = self.broker
        if fallen is None:
            return  # it lies already, and whoever felled it starts it again
        self.broker = None
        await fallen.kill()
        await elapse(seconds)
        self._start_broker()

    async def without_agent(self, name: str, seconds: float, *, power: bool) -> None:
        """Kill it, or cut its machine's power, and start it again after so long."""
        fallen, machine = self.agents.pop(name, None), self.machine(name)
        if fallen is None or machine is None:
            return
        await fallen.kill(power=power)
        await elapse(seconds)
        self._start_agent(machine)

    def machine(self, name: str) -> AgentMachine | None:
        return next((machine for machine in self.machines if machine.name == name), None)

    # The end

    async def _make_peace(self) -> None:
        """Let what is under way end, mend the core, leave the others broken, and wait for rest."""
        for engineer in self.people.values():
            engineer.stopping = True
        ends = self.loop.time() + max(LONGEST_S, LAST_WORDS_S)
        while self.loop.time() < ends and (self._under_way or not all(one.idle for one in self.people.values())):
            await elapse(0.5)
        for engineer in self.people.values():
            if engineer.process.failed is not None:
                self.findings.add(f"{engineer.process.name} fell: {engineer.process.failed!r}")
        for name in (*self.settings.core, *self.settings.people):
            self.network.mend(name)
        for machine in self.machines:
            machine.engine.trouble = 0.0
            machine.disk.mend()
            if machine not in self.core:
                await self._forsake(machine)
        began, still, lost = self.loop.time(), 0.0, self._times_lost()
        while still < STILL_S and self.loop.time() - began < PEACE_S:
            await elapse(LOOK_S)
            before, lost = lost, self._times_lost()
            still = still + LOOK_S if before == lost and not self._restless() else 0.0
        self.did["rest s"] += int(self.loop.time() - began)
        if still < STILL_S and not self._restless():
            self.findings.add(f"sites come and go: {lost} times lost, and no fault is left")

    def _times_lost(self) -> int:
        """How often a site was taken for silent, so far."""
        return sum(row.kind == "site_lost" for row in self.broker_machine.log.rows)

    async def _forsake(self, machine: AgentMachine) -> None:
        """It stays away for ever: behind a link that is not mended, or dead."""
        self.did["forsaken"] += 1
        if self.random.random() < 0.5:
            self.network.cut(machine.name, up=True, down=True)
        elif agent := self.agents.pop(machine.name, None):
            await agent.kill(power=True)

    def _restless(self) -> list[str]:
        """What is not at rest."""
        if self.broker is None or self.broker.broker is None or not self.broker.process.alive:
            return ["the broker is not up"]
        found = checks.Findings()
        checks.at_rest(self.broker.broker.state, self.clocks["broker"].now(), self.core, self.agents, found)
        return found.found

    async def _judge(self) -> None:
        for finding in self._restless() if self.settings.liveness else ():
            self.findings.add(finding)
        core = self.core if self.settings.liveness else []
        drained = {machine.name: machine.kept for machine in core}  # now: work may end while all this is judged
        checks.acknowledged(self.broker_machine, self.history, self.findings)
        live = self.broker.broker.state if self.settings.liveness and self.broker and self.broker.broker else None
        judged = await checks.replayed(self.broker_machine, self.history, live, self.findings)
        self.did["judged by brute force"] = judged
        await self._end_agents()
        for engineer in self.people.values():
            await engineer.process.kill()
        if self.broker is not None:
            await self.broker.kill()
        await self.network.close()
        await self._end_agents()  # one may have fallen, and begun anew, meanwhile
        checks.telemetry(self.broker_machine, self.machines, drained, self.findings)
        self.covered.ended(self.settings.liveness)
        self._count()

    async def _end_agents(self) -> None:
        while self.agents:
            await self.agents.pop(next(iter(self.agents))).kill()

    def _count(self) -> None:
        rows = Counter(row.kind for row in self.broker_machine.log.rows)
        self.did += Counter({f"event {kind}": count for kind, count in rows.items()})
        self.did += Counter(f"asked to {each.verb}" for each in self.history.acknowledged)
        self.did["seeds"] += 1
        self.did["events"] += rows.total()
        self.did["asked"] += len(self.history.asked)
        self.did["acknowledged"] += len(self.history.acknowledged)
        self.did["decisions"] += rows["workload_decided"] + rows["workload_queued"]
        self.did["work started"] += sum(machine.engine.started for machine in self.machines)
        self.did["spans"] += sum(machine.kept for machine in self.machines)
        self.did["calls of a disk failed"] += sum(machine.disk.failures for machine in self.machines)
        self.did["connections"] += self.network.opened
        self.did["simulated s"] += int(self.loop.time())

    # What is heard

    def _turned(self, state: State) -> None:
        if state.offset != self._checked:
            self._checked = state.offset
            checks.after_a_turn(state, self.findings)
            self.covered.checked(self.loop.time())

    def _told(self, where: str, what: Any) -> None:
        self.digest.update(f"{self.loop.time():.9f} {where} {what}\n".encode())


class NeverEnds(KeyboardInterrupt):  # the one family that a task lets through
    """One turn took so long that it is taken for one without an end."""


def _never_ends(*_: Any) -> None:
    raise NeverEnds


def _told_of(error: BaseException) -> str:
    return "; ".join(map(repr, told_apart(error)))


def _fast() -> str | None:
    """A folder in memory where the machine has one: these files are read again, never kept."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
