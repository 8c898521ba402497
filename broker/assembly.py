"""A broker's parts, put together over whatever ports they are given: the machine's own, or simulated ones.

Everything here lives in one event loop and starts nothing: `main` listens, turns the loop and watches the time.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from broker.core.effects import Effect
from broker.core.state import State
from broker.log.interface import Log
from broker.log.snapshots import Snapshots
from broker.rpc.agents import Agents
from broker.rpc.artifacts import Artifacts
from broker.rpc.events import Events
from broker.rpc.fleet import Fleet
from broker.rpc.law import Law
from broker.rpc.server import Servicers
from broker.rpc.traces import Traces
from broker.rpc.tracing import Tracing
from broker.rpc.workloads import Workloads
from broker.runtime.bells import Bells
from broker.runtime.clock import Clock
from broker.runtime.contents import Contents
from broker.runtime.executors import Executors
from broker.runtime.gathered import RoundTrips
from broker.runtime.history import restore, to_record
from broker.runtime.loop import Loop
from broker.runtime.planner import Planner
from broker.runtime.pricing import Pricing
from broker.runtime.sessions import Sessions
from broker.solver.process import NoSolver, Solver
from broker.telemetry.embedded import Telemetry
from broker.trial.process import Trials
from tidegate.model.errors import Unavailable
from tidegate.model.event import BrokerStarted, Recorded

logger = logging.getLogger(__name__)

Turned = Callable[[State, list[Effect]], None]


@dataclass(frozen=True, slots=True)
class Ports:
    """What a broker touches the world through."""

    clock: Clock
    log: Log
    snapshots: Snapshots
    telemetry: Telemetry
    contents: Contents
    tracing: Tracing
    solver: Solver = field(default_factory=NoSolver)


@dataclass(frozen=True, slots=True)
class Broker:
    """The parts, over the state that the log gave."""

    state: State
    loop: Loop
    sessions: Sessions
    epoch: int
    servicers: Servicers
    pricing: Pricing
    since: int
    """The offset of the snapshot that it began with; 0 for none."""


async def assemble(
    ports: Ports,
    *,
    heartbeat_ms: int,
    telemetry_bytes_per_s: int = 0,
    turned: Turned = lambda state, effects: None,
) -> Broker:
    """Fold the log and put everything around it. `turned` hears of each durable turn before anybody else does."""
    clock, log, bells = ports.clock, ports.log, Bells()
    began = clock.elapsed()
    state, since = await restore(log, ports.snapshots)
    logger.info("folded offset=%d from=%d seconds=%.3f", state.offset, since, clock.elapsed() - began)
    epoch = await take_up(state, log, clock.now())
    sessions = Sessions(clock, epoch=epoch, heartbeat_ms=heartbeat_ms, telemetry_bytes_per_s=telemetry_bytes_per_s)
    executors = Executors(state, sessions, bells)

    def start(effects: list[Effect]) -> None:
        turned(state, effects)
        executors.start(effects)

    loop = Loop(state, log, clock, start, executors.spoken)
    loop.has(await log.room())
    round_trips = RoundTrips()
    servicers = Servicers(
        workloads=Workloads(loop, log, sessions, bells, ports.tracing),
        fleet=Fleet(loop, sessions, clock, round_trips, Planner(loop, ports.solver, clock)),
        agents=Agents(loop, sessions, ports.telemetry, clock, round_trips),
        artifacts=Artifacts(ports.contents),
        events=Events(loop, log, bells),
        traces=Traces(loop, ports.telemetry),
        law=Law(loop, Trials(loop, log)),
    )
    return Broker(state, loop, sessions, epoch, servicers, Pricing(loop, ports.solver, clock), since)


async def take_up(state: State, log: Log, now: int) -> int:
    """This broker's epoch, durable before anybody is told it: above all earlier ones, whatever the clock says.

    Without room for it the broker starts all the same, since what frees room has to be asked of it. It then takes the
    lowest that agents listen to: what is not in the log must not be above what the next broker takes from there, which
    the agents would refuse as an older one if the clock was set back in between.
    """
    event = BrokerStarted(now, max(now, state.epoch + 1))
    try:
        offset = await log.append([to_record(event)])
    except Unavailable as error:
        logger.warning("the epoch is not recorded because=%s", error)
        return state.epoch + 1
    state.apply(Recorded(offset, event))
    return event.epoch
