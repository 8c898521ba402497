"""The fleet, the law and the workloads that decisions are timed on, drawn from a seed.

200 rules over 1,000 sites, one to a hundred offers a site, a third of them in use; workloads of which no two are of one
class.
"""

import random

from placement.fleet.fleet import Fleet
from placement.law.law import Law
from tidegate.model.decision import Slot
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


def a_fleet(dice: random.Random, each: int, standing: float = 0.33) -> Fleet:
    """Of the offers, that share has a copy standing on it.

    All sites are declared before anything is taken: a declaration makes the columns be built again.
    """
    fleet, stood = Fleet(), []
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
                stood.append((f"w{number}-{index}", (Slot(site.name, offer.name, 1),), taken))
    for name, slots, taken in stood:
        fleet.take(name, slots, taken, "team-0")
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
