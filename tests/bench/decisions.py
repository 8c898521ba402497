"""How long one explained decision takes: never seen before, of a class seen before, and after a node has changed.

The fleet, the law and the workloads are drawn from a seed (`tests.bench.fleets`). Every decision records its whole
matrix, and collector and memory are as in the broker (`broker.runtime.garbage`, `broker.runtime.pages`). Each figure
is time that the thread had a CPU, for the machine is shared; what passed on the wall stands beside. Decisions never
seen before are timed from the 41st of a process on; what they take when more have been made than are remembered stands
in a row of its own.

The reference is what NumPy alone takes for the least that any engine must do, in the same run: as many masks over the
sites as there are rules joined, and a price for every offer summed and ordered.
"""

import gc
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from broker.runtime import garbage, pages
from placement.engine import decide
from placement.fleet.fleet import Fleet
from placement.law.law import Law
from tests.bench.fleets import GIB, RULES, SITES, a_fleet, a_law, a_workload
from tests.bench.measure import Row, quantile
from tidegate.model.decision import Decision, Slot
from tidegate.model.quantity import Resources
from tidegate.model.workload import Demand, Workload

FEW = {10_000: 300, 100_000: 150}
"""Decisions that a figure is drawn from, by offers: the 99th percentile is the third and the second slowest."""
WARM = 40


def rows() -> list[Row]:
    """Six rows for each size of the fleet, and what it all holds in memory."""
    garbage.seldom()
    law, found = a_law(random.Random(1)), []
    for offers, few in FEW.items():
        dice = random.Random(2)
        fleet = a_fleet(dice, offers // SITES)
        garbage.keep()
        pages.at_hand()
        fresh = [a_workload(dice, number) for number in range(WARM + 2 * few)]
        for workload in fresh[:WARM]:
            explain(workload, fleet, law)
        reference = bare(offers)
        taken = timed([lambda w=w: explain(w, fleet, law) for w in fresh[WARM : WARM + few]])
        later = timed([lambda w=w: explain(w, fleet, law) for w in fresh[WARM + few :]])
        what = f"decision never seen before, {SITES:,} sites x {offers:,} offers x {RULES} rules"
        found.append(row(what, taken, f"; NumPy alone {reference:,.0f} us, {quantile(taken[0], 0.5) / reference:.1f}x"))
        found.append(row("... after as many more", later))
        again = [replace(workload, name=f"again-{workload.name}") for workload in fresh[-20:] * (few // 20)]
        found.append(row("... of a class seen before", timed([lambda w=w: explain(w, fleet, law) for w in again])))
        found.append(changed(fleet, law, again))
        asked = too_much(fresh[WARM:])
        found.append(row("... refused, not advised", timed([lambda w=w: explain(w, fleet, law, False) for w in asked])))
        asked = too_much(fresh[-20:])
        found.append(
            row(
                "... refused, with the smallest changes tried",
                timed([lambda w=w: explain(w, fleet, law) for w in asked]),
            )
        )
    return [*found, memory()]


def explain(workload: Workload, fleet: Fleet, law: Law, advise: bool = True) -> Decision:
    """One decision, its matrix recorded."""
    return decide(workload, fleet, law, now=1, revision=1, advise=advise)


def too_much(asked: list[Workload]) -> list[Workload]:
    """The same, asking for more CPUs than any unit has, each a little more than the last."""
    return [
        replace(one, demand=replace(one.demand, resources=replace(one.demand.resources, cpus_milli=200_000 + number)))
        for number, one in enumerate(asked)
    ]


def bare(offers: int) -> float:
    """The reference: median microseconds."""
    dice = np.random.default_rng(1)
    masks = dice.random((RULES, SITES)) < 0.9
    per_hour, units = dice.integers(1, 10**7, (2, offers))
    site = np.repeat(np.arange(SITES), offers // SITES)

    def least() -> None:
        np.argsort(np.where(np.logical_and.reduce(masks)[site], per_hour * units, 2**62), kind="stable")

    return quantile(timed([least] * 50)[0], 0.5)


def memory() -> Row:
    """What a fresh process holds for 100,000 offers and 50,000 workloads, decided upon and standing."""
    script = "from tests.bench.decisions import hold; hold()"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    what = f"memory, {SITES:,} sites x 100,000 offers, 50,000 workloads, {RULES} rules"
    return Row(what, f"{int(told[1]) - int(told[0]):,} MB", f"the process {told[1]} MB, {told[0]} of them before")


def hold() -> None:
    """Prints the megabytes of this process before and after it holds a fleet under load and has decided upon it."""
    before = _peak_mb()
    pages.at_hand()
    dice = random.Random(2)
    fleet, law = a_fleet(dice, 100_000 // SITES, standing=0), a_law(dice)
    offers = [(site, offer) for site, known in fleet.sites.items() for offer in known.offers]
    for number in range(50_000):
        site, offer = offers[number * 2 % len(offers)]
        demand = Demand(Resources(0, 0, dice.choice((1_000, 2_000)), 4 * GIB))
        fleet.take(f"w{number}", (Slot(site, offer.name, 1),), demand, f"team-{number % 8}")
    for number in range(400):
        explain(a_workload(dice, number), fleet, law)
    print(before, _peak_mb())


def changed(fleet: Fleet, law: Law, again: list[Workload]) -> Row:
    """Classes seen before, one node taken or given back between any two decisions; and what the change itself takes."""
    dice = random.Random(3)
    offers = [(site, offer.name) for site, known in fleet.sites.items() for offer in known.offers]

    def change(number: int) -> None:
        if number % 2:
            fleet.release(f"change-{number - 1}")
        else:
            fleet.take(f"change-{number}", (Slot(*dice.choice(offers), 1),), Demand(Resources(0, 0, 100, 2**20)))

    work: list[Callable[[], object]] = []
    for number, workload in enumerate(again):
        work += [lambda n=number: change(n), lambda w=workload: explain(w, fleet, law)]
    cpu, wall = timed(work)
    return row("... and a node changed before each", (cpu[1::2], wall[1::2]), f"; the change itself {told(cpu[::2])}")


def timed(work: list[Callable[[], object]]) -> tuple[list[float], list[float]]:
    """Microseconds of each: on the CPU, and on the wall."""
    cpu, wall = [], []
    gc.collect()
    for one in work:
        began, had = time.perf_counter_ns(), time.thread_time_ns()
        one()
        cpu.append((time.thread_time_ns() - had) / 1000)
        wall.append((time.perf_counter_ns() - began) / 1000)
    return cpu, wall


def row(what: str, taken: tuple[list[float], list[float]], more: str = "") -> Row:
    """One row of the table."""
    cpu, wall = taken
    return Row(what, told(cpu), f"of {len(cpu):,}, on the wall {told(wall)}{more}")


def told(taken: list[float]) -> str:
    """Median and 99th percentile."""
    unit, size = ("us", 1) if quantile(taken, 0.5) < 10_000 else ("ms", 1_000)
    return f"p50 {quantile(taken, 0.5) / size:,.0f} {unit}, p99 {quantile(taken, 0.99) / size:,.0f} {unit}"


def _peak_mb() -> int:
    """The most that this process has held, since it began as this programme."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024
