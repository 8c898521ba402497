"""An agent process on simulated ports: the assembly of `agents.main`, edges included; and the machine it runs on."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agents.cache import ContentCache
from agents.core.machine import ran_out
from agents.link.session import Identity, Link
from agents.main import LinkHooks
from agents.runtime.site import Site
from agents.spool import Limits, SpoolFull, SpoolReader, SpoolWriter
from agents.store import HeldStore
from agents.telemetry import SpanRecorder, Timed
from edge.main import hooks as edge_hooks
from tests.disks.files import PlatterFiles
from tests.simulation.broker import ADDRESS
from tests.simulation.clocks import AgentClock
from tests.simulation.disk import SiteDisk
from tests.simulation.engine import Engine, SimulatedDriver
from tests.simulation.loop import Pace, Process, elapse
from tests.simulation.network import Network
from tests.simulation.transport import SimulatedChannel
from tidegate.model.errors import Broken, Unavailable
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
    disk: SiteDisk
    pace: Pace = field(default_factory=Pace)
    skew_ms: int = 0
    asked: int = 0
    """Spans handed to the spool."""
    kept: int = 0
    """Those of which the spool said that they are durable."""
    highest: int = 0
    """The highest generation that was ever held durably here."""
    ended: set[tuple[str, int]] = field(default_factory=set)
    """What the broker was told to have ended, by id and generation."""

    @property
    def files(self) -> PlatterFiles:
        """What an agent has of its disk."""
        return PlatterFiles(self.disk)


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
        self.process = Process(machine.name, on_fall, machine.pace)
        self.site: Site | None = None
        self._failures = machine.disk.failures
        self._machine, self._network, self._clock, self._wrong = machine, network, clock, wrong

    def start(self) -> None:
        self.process.start(self._main())

    def may_fall(self, error: BaseException) -> bool:
        """Whether its disk is reason enough for its end. A full one is a reason not to start, and none to end."""
        families = set(map(type, told_apart(error)))
        if self._machine.disk.failures > self._failures:
            return families <= {Broken, Unavailable}
        return self.site is None and self._machine.disk.room is not None and families <= {Unavailable, SpoolFull}

    async def kill(self, *, power: bool = False) -> None:
        """As SIGKILL, or with the power cut: then the disk forgets what it may, and nothing runs on."""
        await self.process.kill()
        self._network.died(self.process)
        if power:
            self._machine.disk.cut()
            self._machine.engine.power_cut()
        else:
            self._machine.disk.killed()

    async def _main(self) -> None:
        machine, clock, files = self._machine, self._clock, self._machine.files
        machine.disk.process = self.process
        loop = asyncio.get_running_loop()
        with SpoolWriter(files, "/spool", "agent", LIMITS) as spool:
            spans = _Counted(spool, machine, clock)
            driver = SimulatedDriver(machine.engine, self.process, loop.time, self._starts, self._stops)
            site = self.site = Site(
                HeldStore(files, "/held", machine.name),
                ContentCache(Path("/cache"), 0, files),
                dict.fromkeys(WorkloadKind, driver),
                spans,
                machine.folder / "tasks",
                clock,
            )
            if site.held.generation < machine.highest:
                self._wrong(f"{machine.name} went back from generation {machine.highest} to {site.held.generation}")
            reader = SpoolReader(files, "/spool")
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
        """What is held never goes back, not even over restarts; nor does what was told."""
        while True:
            await elapse(0.2)
            self._hear(site)
            if site.held.generation < self._machine.highest:
                self._wrong(
                    f"{self._machine.name} went back from generation {self._machine.highest} to {site.held.generation}"
                )
            self._machine.highest = max(self._machine.highest, site.held.generation)

    def _hear(self, site: Site) -> None:
        """What the broker is being told."""
        ended = {(one.workload_id, one.generation) for _, one in site.pending.values() if one.phase.ended}
        self._machine.ended |= ended

    def _starts(self, workload_id: str) -> None:
        """What was told to have ended never runs again: a newer word is needed for that."""
        assert self.site is not None
        self._hear(self.site)
        assignment = self.site.held.assignments.get(workload_id)
        if assignment is not None and (workload_id, assignment.generation) in self._machine.ended:
            at = assignment.generation
            self._wrong(f"{self._machine.name} starts {workload_id} again, which it told to have ended at {at}")

    def _stops(self, workload_id: str) -> None:
        """Work is stopped by a newer word or by its own block, never by silence."""
        assert self.site is not None
        held = self.site.held
        assignment = held.assignments.get(workload_id)
        if assignment is not None and not ran_out(assignment, self.site.away_ms):
            self._wrong(f"{self._machine.name} stopped {workload_id}, which it still holds at {held.generation}")


def told_apart(error: BaseException) -> list[BaseException]:
    """What a task group gathered."""
    if isinstance(error, BaseExceptionGroup):
        return [one for each in error.exceptions for one in told_apart(each)]
    return [error]


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
