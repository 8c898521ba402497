"""How long one explained decision takes: never seen before, of a class seen before, and after a node has changed.

The fleet, the law and the workloads are drawn from a seed: 200 rules over 1,000 sites, ten or a hundred offers a site,
a third of them in use. Every decision records its whole matrix. The auditor's own pass stands beside.
"""

import gc
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from placement.audit import audit
from placement.engine import decide
from placement.fleet import Fleet
from placement.law import Law
from tests.bench.measure import Row, quantile
from tidegate.model.decision import Decision, Slot
from tidegate.model.money import EgressPrice, Price, PriceBook, Team, Uplift
from tidegate.model.policy import Alternative, Expression, Operator, Policy, Rule
from tidegate.model.quantity import Resources
from tidegate.model.site import Engine, Offer, Pricing, Reach, Site, Tier
from tidegate.model.workload import Data, Demand, Inference, Latency, Replicas, Training, Workload, WorkloadKind

GIB = 2**30
SITES = 1_000
RULES = 200
COUNTRIES = ("DE", "US", "FR", "JP", "CH", "IE", "GB", "SG")
CLASSES = ("pii", "phi", "pci", "financial", "trade-secret", "public")
PLANTS = tuple(f"plant-{number}" for number in range(12))
SHAPES = (
    ("cpu-8", Resources(0, 0, 8_000, 32 * GIB), ""),
    ("cpu-32", Resources(0, 0, 32_000, 128 * GIB), ""),
    ("l4-1", Resources(1, 24 * GIB, 16_000, 64 * GIB), "l4"),
    ("l4-4", Resources(4, 24 * GIB, 48_000, 192 * GIB), "l4"),
    ("a100-8", Resources(8, 80 * GIB, 96_000, 1024 * GIB), "a100"),
    ("h100-8", Resources(8, 80 * GIB, 192_000, 2048 * GIB), "h100"),
)


def rows() -> list[Row]:
    """Three rows for each size of the fleet, and one for the auditor."""
    law, found = a_law(random.Random(1)), []
    for offers in (10_000, 100_000):
        dice = random.Random(2)
        fleet = a_fleet(dice, offers // SITES)
        size = f"{SITES:,} sites x {offers:,} offers x {RULES} rules"
        few = 300 if offers <= 10_000 else 60
        fresh = [a_workload(dice, number) for number in range(few + 40)]
        for workload in fresh[:40]:
            explain(workload, fleet, law)
        found.append(
            row(f"decision never seen before, {size}", [lambda w=w: explain(w, fleet, law) for w in fresh[40:]])
        )
        again = [replace(workload, name=f"again-{workload.name}") for workload in fresh[-20:] * (few // 20)]
        found.append(row("... of a class seen before", [lambda w=w: explain(w, fleet, law) for w in again]))
        found.append(changed(fleet, law, again))
        found.append(
            row("... refused, not advised", [lambda w=w: explain(w, fleet, law, False) for w in too_much(fresh[40:])])
        )
        asked = too_much(fresh[-20:])
        found.append(
            row("... refused, with the smallest changes tried", [lambda w=w: explain(w, fleet, law) for w in asked])
        )
        decision = explain(fresh[-1], fleet, law)
        began = time.perf_counter_ns()
        assert audit(fresh[-1], decision, fleet, law) == ()
        taken = (time.perf_counter_ns() - began) / 1e6
        found.append(Row("... judged by the auditor", f"{taken:.0f} ms", f"{len(decision.misses):,} misses"))
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


def memory() -> Row:
    """What a fresh process holds for 100,000 offers and 50,000 workloads, decided upon and standing."""
    script = "from tests.bench.decisions import hold; hold()"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    what = f"memory, {SITES:,} sites x 100,000 offers, 50,000 workloads, {RULES} rules"
    return Row(what, f"{int(told[1]) - int(told[0]):,} MB", f"the process {told[1]} MB, {told[0]} of them before")


def hold() -> None:
    """Prints the megabytes of this process before and after it holds a fleet under load and has decided upon it."""
    before = _peak_mb()
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
    dice, changes = random.Random(3), []
    offers = [(site, offer.name) for site, known in fleet.sites.items() for offer in known.offers]

    def change(number: int) -> None:
        if number % 2:
            fleet.release(f"change-{number - 1}")
        else:
            fleet.take(f"change-{number}", (Slot(*dice.choice(offers), 1),), Demand(Resources(0, 0, 100, 2**20)))

    taken = []
    for number, workload in enumerate(again):
        began = time.perf_counter_ns()
        change(number)
        changes.append((time.perf_counter_ns() - began) / 1000)
        began = time.perf_counter_ns()
        explain(workload, fleet, law)
        taken.append((time.perf_counter_ns() - began) / 1000)
    return Row("... and a node changed before each", told(taken), f"the change itself {told(changes)}")


def row(what: str, work: list[Callable[[], object]]) -> Row:
    """One timing for each, without the collector's pauses; beside it the time that the thread had a CPU."""
    taken, cpu = [], []
    gc.collect()
    gc.disable()
    try:
        for one in work:
            began, had = time.perf_counter_ns(), time.thread_time_ns()
            one()
            cpu.append((time.thread_time_ns() - had) / 1000)
            taken.append((time.perf_counter_ns() - began) / 1000)
    finally:
        gc.enable()
    return Row(what, told(taken), f"on the CPU {told(cpu)}; {len(taken):,} decisions")


def told(taken: list[float]) -> str:
    """Median and 99th percentile."""
    return f"p50 {quantile(taken, 0.5):,.0f} us, p99 {quantile(taken, 0.99):,.0f} us"


def _peak_mb() -> int:
    """The most that this process has held, since it began as this programme."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def a_fleet(dice: random.Random, each: int, standing: float = 0.33) -> Fleet:
    """Of the offers, that share has a copy standing on it."""
    fleet = Fleet()
    for number in range(SITES):
        tier = dice.choice(tuple(Tier))
        offers = []
        for index in range(each):
            kind, resources, model = dice.choice(SHAPES)
            pricing = dice.choice((Pricing.ON_DEMAND, Pricing.SPOT)) if tier is Tier.CLOUD else Pricing.OWNED
            offers.append(
                Offer(
                    f"{kind}-{index}",
                    resources,
                    count=dice.choice((1, 1, 2, 4)),
                    pricing=pricing,
                    instance_type=kind,
                    gpu_model=model,
                    device_class=f"gpu-{model}" if model else "cpu-x86",
                    zone=dice.choice("abc"),
                )
            )
        site = Site(
            f"site-{number:05d}",
            tier,
            dice.choice(("self", "aws", "gcp", "azure")),
            dice.choice(COUNTRIES),
            operator_jurisdiction=dice.choice(("", "", "US")),
            region=f"region-{number % 40}",
            location=f"plant-{number}" if number < len(PLANTS) else "",
            engines=dice.choice(((Engine.PROCESS,), (Engine.KUBERNETES,), (Engine.RAY, Engine.PROCESS))),
            offers=tuple(offers),
            agreements=dice.choice(((), ("dpa",), ("baa", "dpa"), ("dpa", "scc"))),
            certifications=dice.choice(((), ("iso27001",), ("iso27001", "pci-dss"))),
            reach=tuple(Reach(plant, dice.randrange(1_000, 120_000)) for plant in dice.sample(PLANTS, 8)),
            uplink_bytes_per_day=dice.choice((0, 0, 2**38, 2**42)),
            labels={"floor": str(dice.randrange(5)), "owner": f"unit-{dice.randrange(9)}"},
        )
        fleet.put_site(site, reachable=dice.random() < 0.97, cordoned=dice.random() < 0.02)
        for index, offer in enumerate(offers):
            if dice.random() < standing:
                taken = Demand(Resources(0, 0, dice.choice((1_000, 2_000)), 4 * GIB))
                fleet.take(f"w{number}-{index}", (Slot(site.name, offer.name, 1),), taken, "team-0")
    return fleet


def a_law(dice: random.Random) -> Law:
    """Forty policies of five rules that any of the workloads may come under."""
    policies = tuple(
        Policy(f"policy-{number:02d}", 1, rules=tuple(_rule(dice, f"rule-{index}") for index in range(5)))
        for number in range(RULES // 5)
    )
    prices = tuple(
        Price(kind, dice.randrange(200_000, 30_000_000), region, pricing)
        for kind, _, _ in SHAPES
        for region in ("", *(f"region-{number}" for number in range(0, 40, 3)))
        for pricing in (Pricing.ON_DEMAND, Pricing.SPOT)
    )
    book = PriceBook("book", prices=prices, egress=(EgressPrice("", "", 20_000),), uplifts=(Uplift("EU", 30_000),))
    return Law(policies, book, tuple(Team(f"team-{number}") for number in range(8)))


def _rule(dice: random.Random, name: str) -> Rule:
    when = (
        Expression("data.classes", Operator.CONTAINS_ANY, tuple(dice.sample(CLASSES[:5], 2))),
        dice.choice(
            (
                Expression("data.deidentified", Operator.IN, ("false",)),
                Expression("data.subjects", Operator.CONTAINS_ANY, (dice.choice(COUNTRIES),)),
                Expression("data.bytesPerDay", Operator.GT, (str(dice.randrange(1, 64) * 2**30),)),
                Expression("workload.kind", Operator.IN, ("TrainingJob",)),
                Expression("labels.risk", Operator.IN, ("high",)),
                Expression("team", Operator.IN, (f"team-{dice.randrange(8)}",)),
            )
        ),
    )
    most = tuple(sorted({*dice.sample(COUNTRIES, 6), "DE"}))
    ways = (
        (Expression("site.operator", Operator.IN, ("self",)),),
        (Expression("site.jurisdiction", Operator.IN, most),),
        (Expression("site.agreements", Operator.CONTAINS_ALL, ("dpa",)),),
        (Expression("site.labels.floor", Operator.GE, ("1",)), Expression("site.tier", Operator.NOT_IN, ("edge",))),
        (Expression("site.certifications", Operator.CONTAINS_ANY, ("iso27001",)),),
        (Expression("site.labels.owner", Operator.NOT_IN, (f"unit-{dice.randrange(9)}",)),),
    )
    chosen = tuple(Alternative(way) for way in dice.sample(ways, 3))
    return Rule(name, because="an act, article 7", when=when, require_any=chosen)


def a_workload(dice: random.Random, number: int) -> Workload:
    """No two are of one class: amounts and volumes are drawn finely."""
    training = dice.random() < 0.3
    gpus = dice.choice((0, 0, 1, 1, 2, 4))
    demand = Demand(
        Resources(gpus, gpus and dice.choice((0, 16, 20, 40)) * GIB, dice.randrange(1, 80) * 100, number * 2**20 + GIB),
        gpu_models=dice.choice(((), (), ("l4", "a100"), ("h100",))) if gpus else (),
    )
    plant = dice.choice(PLANTS)
    return Workload(
        f"work-{number}",
        WorkloadKind.TRAINING_JOB if training else WorkloadKind.INFERENCE_SERVICE,
        demand,
        team=f"team-{dice.randrange(8)}",
        data=Data(
            classes=tuple(dice.sample(CLASSES, 2)),
            subjects=tuple(dice.sample(COUNTRIES, 2)),
            deidentified=dice.random() < 0.5,
            origin=plant,
            bytes_per_day=dice.randrange(2**30, 2**37),
        ),
        latency=None if training else Latency(dice.randrange(30, 120) * 1_000, (plant,), 5_000),
        max_cost_micros_per_hour=dice.choice((0, 0, 0, 40_000_000)),
        training=Training("python train.py", workers=dice.choice((1, 1, 2, 4))) if training else None,
        inference=None if training else Inference("models:/m/1", replicas=Replicas(dice.choice((1, 2, 3)), 4)),
        labels=dice.choice(({}, {"risk": "high"})),
    )
