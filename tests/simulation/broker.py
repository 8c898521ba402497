"""A broker process on simulated ports: the assembly of `broker.main`, with the same loop, sessions and servicers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from broker.assembly import Broker, Ports, assemble
from broker.core import freeze
from broker.core.effects import Effect
from broker.core.state import State
from broker.log.snapshots import Snapshots
from broker.rpc.interceptors import Doorway, authorisation, identity, rate
from broker.runtime.contents import RETRY_FULL_MS, Contents
from broker.runtime.watch import watch
from broker.telemetry.embedded import Telemetry
from broker.telemetry.finding import TelemetryReader
from broker.telemetry.store import RETRY_AFTER_MS, TelemetryStore
from tests.simulation.clocks import BrokerClock
from tests.simulation.loop import Pace, Process
from tests.simulation.network import Network
from tests.simulation.solver import SimulatedSolver
from tests.simulation.store import InlineWorker, LogDisk, MemoryDirectory, SimulatedLog
from tests.simulation.transport import SimulatedServer
from tidegate.model.errors import Unavailable
from tidegate.model.session import Chunk, Receipt

ADDRESS = "broker"
HEARTBEAT_MS = 2_000
SNAPSHOT_EVERY = 40
"""Events; `OFTEN` in a seed that tries them hard."""
OFTEN = 8


@dataclass
class BrokerMachine:
    """What outlives a broker's process: its disks, and how fast its time goes."""

    log: LogDisk
    folder: Path
    snapshots: MemoryDirectory = field(default_factory=MemoryDirectory)
    away: set[str] = field(default_factory=set)
    """Of its stores beside the log, those that answer nothing now: `no artifacts`, `no telemetry`."""
    pace: Pace = field(default_factory=Pace)
    skew_ms: int = 0
    snapshot_every: int = SNAPSHOT_EVERY


class BrokerProcess:
    """One life of the broker. `turned` hears of the state after each durable turn."""

    def __init__(
        self,
        machine: BrokerMachine,
        network: Network,
        clock: BrokerClock,
        random: Random,
        turned: Callable[[State], None],
        on_fall: Callable[[BaseException], None],
    ) -> None:
        self.process = Process("broker", on_fall, machine.pace)
        self.broker: Broker | None = None
        self.up = asyncio.Event()
        self._machine, self._network, self._clock, self._turned = machine, network, clock, turned
        self._random = random
        self._stores: contextlib.ExitStack = contextlib.ExitStack()

    def start(self) -> None:
        self.process.start(self._main())

    async def kill(self) -> None:
        """As SIGKILL; what is on its disks stays."""
        await self.process.kill()
        self._network.died(self.process)
        self._stores.close()

    async def _main(self) -> None:
        machine, clock = self._machine, self._clock
        log = SimulatedLog(machine.log, self.process)
        machine.snapshots.process = self.process
        snapshots = Snapshots(machine.snapshots, freeze.FORMAT)
        contents = _Contents(machine)
        untraced: Any = _Untraced()
        telemetry = self._telemetry()
        broker = self.broker = await assemble(
            Ports(
                clock,
                log,
                snapshots,
                telemetry,
                contents,
                untraced,
                SimulatedSolver(self._random, self.process),
            ),
            heartbeat_ms=HEARTBEAT_MS,
            turned=self._turn,
        )
        loop, sessions = broker.loop, broker.sessions
        server = SimulatedServer(self.process, Doorway((identity, authorisation, rate(clock))))
        broker.servicers.register(server)
        self._network.listen(ADDRESS, self.process, server.accept)
        self.up.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(loop.run())
            group.create_task(
                watch(
                    *(loop, sessions, log, snapshots, broker.pricing, telemetry),
                    every_s=1.0,
                    snapshot_every=machine.snapshot_every,
                    kept=broker.since,
                )
            )

    def _turn(self, state: State, effects: list[Effect]) -> None:
        self.process.check()
        self._turned(state)

    def _telemetry(self) -> Telemetry:
        """The real store, in SQLite; its threads are the loop's own."""
        store = _Store(self._machine)
        self._stores.callback(store.close)
        reader = TelemetryReader(self._machine.folder)
        self._stores.callback(reader.close)
        writing, reading = InlineWorker("writing", self.process), InlineWorker("reading", self.process)
        return Telemetry(store, reader, writing, reading, self._clock.now)


class _Contents(Contents):
    """The real ones, in a store that may be away."""

    def __init__(self, machine: BrokerMachine) -> None:
        super().__init__(machine.folder / "artifacts", free=lambda _: 2**40)
        self._away = machine.away

    def held(self, digest: str) -> tuple[int, bool]:
        self._look()
        return super().held(digest)

    async def send(self, digest: str, offset: int, most_bytes: int = 0) -> AsyncIterator[tuple[int, bytes, int]]:
        async for piece in super().send(digest, offset, most_bytes):
            self._look()
            yield piece

    def _look(self) -> None:
        if "no artifacts" in self._away:
            raise Unavailable("the file cannot be looked at", retry_after_ms=RETRY_FULL_MS)


class _Store(TelemetryStore):
    """The real one, on a disk that may have no room."""

    def __init__(self, machine: BrokerMachine) -> None:
        super().__init__(machine.folder)
        self._away = machine.away

    def receive(self, site: str, stream: str, chunks: Sequence[Chunk], now_ms: int) -> Receipt:
        if "no telemetry" in self._away:
            raise Unavailable("no room for telemetry", retry_after_ms=RETRY_AFTER_MS)
        return super().receive(site, stream, chunks, now_ms)


class _Untraced:
    """In place of the broker's own spans, whose ids are drawn by a library and whose export is a thread."""

    traceparent = ""

    @contextlib.contextmanager
    def call(self, name: str, context: Any) -> Generator["_Untraced"]:
        yield self

    def watch(self, step: str, counts: dict[str, int]) -> None:
        return None

    def about(self, *, name: str = "", workload: str = "") -> None:
        return None

    def decided(self, decision: Any) -> None:
        return None
