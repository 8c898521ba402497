"""What each fault does to the world, and how it passes. Whatever lasts is undone here, at the latest in the peace."""

from random import Random
from typing import TYPE_CHECKING

from tests.simulation.agent import AgentMachine
from tests.simulation.faults import Fault
from tests.simulation.loop import elapse
from tests.simulation.network import Network
from tests.simulation.store import LogDisk

if TYPE_CHECKING:
    from tests.simulation.world import World

DRIFT = 0.1
"""So much too fast or too slow a clock may go; everything has to hold within it."""
TURNED_OFF = 0.5
"""So often a machine with a bad disk is turned off before the disk is mended."""
OFF_S = 2.0
STALLS_S, AWAITED_S, LOOK_S = 0.5, 10.0, 0.02
"""How long a disk stalls, how long a write is waited for, and how often it is looked."""
WAITED_FOR = 0.75
"""So often it is a write that an engineer waits for."""
LINKS = ("cut link", "cut engineers", "cut up", "cut down", "slow link", "reset", "reset all")
LOGS = ("failing log", "full log", "slow log", "damage snapshot", "no artifacts", "no telemetry")
CLOCKS = ("set clock", "drift")


async def strike(world: "World", fault: Fault) -> None:
    """Break what it breaks, wait for as long as it lasts, and mend it."""
    machine = world.machine(fault.whom)
    match fault.kind:
        case "kill broker":
            await world.without_broker(fault.seconds)
        case "kill broker in a write":
            await _in_a_write(world.broker_machine.log, fault)
            await world.without_broker(fault.seconds)
        case "kill agent" | "cut power":
            await world.without_agent(fault.whom, fault.seconds, power=fault.kind == "cut power")
        case "suspend":
            one = world.broker if fault.whom == "broker" else world.agents.get(fault.whom)
            if one is not None:
                one.process.suspend()
                await elapse(fault.seconds)
                one.process.resume()
        case kind if kind in LINKS:
            await _on_the_way(world, world.network, fault)
        case kind if kind in LOGS:
            await _of_the_broker(world, fault)
        case kind if kind in CLOCKS:
            _of_a_clock(world, machine, fault)
        case "engine trouble":
            assert machine is not None
            machine.engine.trouble = fault.amount * 0.8
            await elapse(fault.seconds)
            machine.engine.trouble = 0.0
        case _:
            assert machine is not None, fault.kind
            await _of_a_disk(world, machine, fault)


async def _in_a_write(log: LogDisk, fault: Fault) -> None:
    """Until somewhere in a sync, of a disk that stalls, mostly one that somebody waits for; or until nothing comes."""
    chance = Random(fault.amount)
    asked = chance.random() < WAITED_FOR
    log.stalls_s = STALLS_S
    for _ in range(int(AWAITED_S / LOOK_S)):
        if "workload_submitted" in log.syncing or (log.syncing and not asked):
            await elapse(chance.random() * STALLS_S)
            break
        await elapse(LOOK_S)
    log.stalls_s = 0.0


async def _on_the_way(world: "World", network: Network, fault: Fault) -> None:
    match fault.kind:
        case "slow link":
            network.slow(fault.whom, fault.amount)
            await elapse(fault.seconds)
            network.slow(fault.whom, 0.0)
        case "reset":
            network.reset(fault.whom)
        case "reset all":
            for name in (*world.settings.sites, *world.settings.people):
                network.reset(name)
        case _:
            network.cut(fault.whom, up=fault.kind != "cut down", down=fault.kind != "cut up")
            await elapse(fault.seconds)
            network.mend(fault.whom)


async def _of_the_broker(world: "World", fault: Fault) -> None:
    """Its log, its snapshots and the stores beside them."""
    machine = world.broker_machine
    log = machine.log
    match fault.kind:
        case "failing log":
            log.failing = True
            await elapse(fault.seconds)
            log.failing = False
        case "full log":
            log.full = True
            await elapse(fault.seconds)
            log.full = False
        case "slow log":
            log.slow_s = fault.amount
            await elapse(fault.seconds)
            log.slow_s = 0.0
        case "damage snapshot":
            world.did["snapshot damaged"] += machine.snapshots.damage(Random(fault.amount))
        case _:
            machine.away.add(fault.kind)
            await elapse(fault.seconds)
            machine.away.discard(fault.kind)


def _of_a_clock(world: "World", machine: AgentMachine | None, fault: Fault) -> None:
    """A site's, or the broker's."""
    of = machine or world.broker_machine
    if fault.kind == "drift":
        of.pace.go(1 + (fault.amount - 0.5) * 2 * DRIFT, world.loop.true_s)
    else:
        of.skew_ms = world.clocks[fault.whom].skew_ms = int((fault.amount - 0.5) * 7_200_000)


async def _of_a_disk(world: "World", machine: AgentMachine, fault: Fault) -> None:
    """An agent's. One that is full or fails may lose its power before it is mended: what it never took is then gone."""
    disk = machine.disk
    match fault.kind:
        case "full disk":
            disk.fill(fault.amount)
        case "failing disk":
            disk.break_calls(fault.amount)
        case "disk error":
            disk.break_once(fault.amount)
            return
        case _:
            world.did["bytes rotten"] += disk.rot_somewhere(fault.amount)
            return
    await elapse(fault.seconds)
    if Random(fault.amount).random() < TURNED_OFF:
        await world.without_agent(machine.name, OFF_S, power=True)
    if fault.kind == "full disk":
        disk.room = None
    else:
        disk.failing = frozenset()
