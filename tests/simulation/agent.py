"""An agent process on simulated ports: the assembly of `agents.main`, edges included; and the machine it runs on."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from agents.cache import ContentCache
from agents.core.machine import ran_out
from agents.link.session import Identity, Link
from agents.main import LinkHooks
from agents.runtime.site import Site
from agents.spool import Limits, SpoolReader, SpoolWriter
from agents.store import HeldStore
from agents.telemetry import SpanRecorder, Timed
from edge.main import hooks as edge_hooks
from tests.simulation.broker import ADDRESS
from tests.simulation.clocks import AgentClock
from tests.simulation.engine import Engine, SimulatedDriver
from tests.simulation.loop import Process, elapse
from tests.simulation.network import Network
from tests.simulation.transport import SimulatedChannel
from tests.support.power import SimulatedDisk
from tidegate.model.workload import WorkloadKind

LIMITS = Limits(max_bytes=64 * 1024, segment_bytes=4 * 1024)


@dataclass
class AgentMachine:
    """What outlives an agent's process."""

    name: str
    location: str
    edge: bool
    folder: Path
    engine: Engine
    disk: SimulatedDisk = field(default_factory=SimulatedDisk)
    skew_ms: int = 0
    asked: int = 0
    """Spans handed to the spool."""
    kept: int = 0
    """Those of which the spool said that they are durable."""
    highest: int = 0
    """The highest generation that was ever held durably here."""


class AgentProcess:
    """One life of an agent. `wrong` hears of a promise that it broke."""

    def __init__(
        self,
        machine: AgentMachine,
        network: Network,
        clock: AgentClock,
        wrong: Callable[[str], None],
        on_fall: Callable[[BaseException], None],
    ) -> None:
        self.process = Process(machine.name, on_fall)
        self.site: Site | None = None
        self._machine, self._network, self._clock, self._wrong = machine, network, clock, wrong

    def start(self) -> None:
        self.process.start(self._main())

    async def kill(self, *, power: Random | None = None) -> None:
        """As SIGKILL, or with the power cut: then the disk forgets what it may, and nothing runs on."""
        await self.process.kill()
        self._network.died(self.process)
        if power is None:
            self._machine.disk.killed()
        else:
            self._machine.disk.cut(lambda most: power.randint(0, most))
            self._machine.engine.power_cut()

    async def _main(self) -> None:
        machine, clock = self._machine, self._clock
        machine.disk.before = lambda operation: self.process.check()
        loop = asyncio.get_running_loop()
        with SpoolWriter(machine.disk, "spool", "agent", LIMITS) as spool:
            spans = _Counted(spool, machine, clock)
            driver = SimulatedDriver(machine.engine, self.process, loop.time, self._stopped)
            site = self.site = Site(
                HeldStore(machine.disk, "held", machine.name),
                ContentCache(machine.folder / "cache", reserve_bytes=0),
                dict.fromkeys(WorkloadKind, driver),
                spans,
                machine.folder / "tasks",
                clock,
            )
            if site.held.generation < machine.highest:
                self._wrong(f"{machine.name} went back from generation {machine.highest} to {site.held.generation}")
            reader = SpoolReader(machine.disk, "spool")
            hooks = edge_hooks(None, clock, site, spans, reader) if machine.edge else LinkHooks()  # type: ignore[arg-type]
            identity = Identity(machine.name, clock.token(4).hex(), "", machine.location)
            link = Link(
                ADDRESS,
                identity,
                site,
                reader,
                clock,
                dial=lambda address: SimulatedChannel(self._network, self.process, machine.name, address),  # type: ignore[arg-type,return-value]
                joined=hooks.joined,
                lost=hooks.lost,
                share=hooks.share,
            )
            async with asyncio.TaskGroup() as group:
                group.create_task(site.run())
                group.create_task(link.run())
                group.create_task(self._look(site))

    async def _look(self, site: Site) -> None:
        """What is held never goes back, not even over restarts."""
        while True:
            await elapse(0.2)
            if site.held.generation < self._machine.highest:
                self._wrong(
                    f"{self._machine.name} went back from generation {self._machine.highest} to {site.held.generation}"
                )
            self._machine.highest = max(self._machine.highest, site.held.generation)

    def _stopped(self, workload_id: str) -> None:
        """Work is stopped by a newer word or by its own block, never by silence."""
        assert self.site is not None
        held = self.site.held
        assignment = held.assignments.get(workload_id)
        if assignment is not None and not ran_out(assignment, self.site.away_ms):
            self._wrong(f"{self._machine.name} stopped {workload_id}, which it still holds at {held.generation}")


class _Counted(SpanRecorder):
    """The agent's own recorder; it also keeps count, for the check that each span arrives once."""

    def __init__(self, spool: SpoolWriter, machine: AgentMachine, clock: AgentClock) -> None:
        super().__init__(spool, machine.name, clock)
        self._writer, self._machine = spool, machine

    def record(self, timed: Timed) -> None:
        before = self._writer.last_seq
        self._machine.asked += 1
        super().record(timed)
        self._machine.kept += self._writer.last_seq > before
