"""Random small questions: up to four sites of up to two offers of up to three units, on which other work may stand.

Drawn so that things collide: few names, few sizes, limits that are nearly met. One seed gives one question.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from placement.facts import Carried, Copy, Holding
from placement.fleet import Fleet
from placement.law import Law
from tidegate.model.mig import gpu_milli
from tidegate.model.money import Availability, EgressPrice, Ownership, Price, PriceBook, Team, Uplift
from tidegate.model.policy import Alternative, Effect, Expression, Operator, Policy, Rule
from tidegate.model.quantity import Resources
from tidegate.model.site import Engine, GpuSharing, MigInstance, Offer, Pricing, Reach, Site, Tier
from tidegate.model.workload import (
    Audit,
    Data,
    Demand,
    Gang,
    Inference,
    Latency,
    Prefer,
    Replicas,
    Schedule,
    Spread,
    Training,
    Workload,
    WorkloadKind,
)

from . import room
from .judge import Question

GIB = 2**30
NOW, DIGEST = 10**12, "m"
T = TypeVar("T")

ORIGINS = ("plant", "branch")
ATTRIBUTES: tuple[tuple[str, Operator, tuple[str, ...]], ...] = (
    ("data.classes", Operator.CONTAINS_ANY, ("pii", "phi")),
    ("data.classes", Operator.IN, ("public",)),
    ("data.classes", Operator.NOT_IN, ("phi",)),
    ("data.classes", Operator.CONTAINS_ALL, ("unknown",)),
    ("data.subjects", Operator.CONTAINS_ANY, ("EU",)),
    ("data.subjects", Operator.CONTAINS_ANY, ("US-CA",)),
    ("data.subjects", Operator.CONTAINS_ALL, ("EU", "US")),
    ("data.subjects", Operator.IN, ("EEA", "US")),
    ("data.deidentified", Operator.IN, ("true",)),
    ("data.deidentified", Operator.IN, ("false",)),
    ("data.origin", Operator.NOT_IN, ("plant",)),
    ("data.bytesPerDay", Operator.GT, ("0",)),
    ("workload.kind", Operator.IN, ("TrainingJob",)),
    ("workload.audit", Operator.IN, ("every_prediction",)),
    ("labels.risk", Operator.EXISTS, ()),
    ("labels.risk", Operator.GE, ("2",)),
    ("team.name", Operator.IN, ("vision",)),
    ("team.labels.unit", Operator.IN, ("lab",)),
    ("site.jurisdiction", Operator.IN, ("EEA",)),
    ("site.jurisdiction", Operator.NOT_IN, ("US-CA",)),
    ("site.operatorJurisdiction", Operator.NOT_IN, ("US",)),
    ("operator.jurisdiction", Operator.IN, ("DE", "CH")),
    ("site.operator", Operator.IN, ("self",)),
    ("site.tier", Operator.NOT_IN, ("cloud",)),
    ("site.agreements", Operator.CONTAINS_ALL, ("baa",)),
    ("site.agreements", Operator.CONTAINS_ANY, ("baa", "scc")),
    ("site.labels.floor", Operator.GE, ("2",)),
    ("site.region", Operator.DOES_NOT_EXIST, ()),
    ("site.retentionDays", Operator.GE, ("2555",)),
    ("offer.pricing", Operator.NOT_IN, ("spot",)),
    ("offer.elastic", Operator.IN, ("false",)),
    ("offer.gpuModel", Operator.IN, ("a30", "l4")),
    ("offer.gpus", Operator.LE, ("1",)),
    ("offer.zone", Operator.EXISTS, ()),
)


@dataclass(frozen=True)
class Case:
    """A question as the oracle reads it and as the engine does."""

    question: Question
    fleet: Fleet
    law: Law


def case(seed: int) -> Case:
    """The question of a seed."""
    return _Drawing(random.Random(seed)).case()


class _Drawing:
    def __init__(self, dice: random.Random) -> None:
        self.dice = dice

    def one(self, *of: T) -> T:
        return self.dice.choice(of)

    def often(self, share: float = 0.5) -> bool:
        return self.dice.random() < share

    def some(self, of: Sequence[T], most: int) -> tuple[T, ...]:
        return tuple(self.dice.sample(of, self.dice.randint(0, min(most, len(of)))))

    def case(self) -> Case:
        sites = [self.site(f"s{number}") for number in range(self.dice.choice((0, 1, 2, 2, 3, 3, 4)))]
        work = self.workload()
        fleet = Fleet()
        for site in sites:
            fleet.put_site(site, reachable=self.often(0.93), cordoned=self.often(0.06))
        for origin in ORIGINS:
            for site in sites:
                if self.often(0.4):
                    fleet.put_link(origin, site.name, *self.measured(2_000, 9_000, 30_000))
        for device_class in ("cpu", "gpu", ""):
            if self.often(0.3):
                fleet.put_service_time(DIGEST, device_class, *self.measured(500, 3_000))
        for number in range(self.dice.choice((0, 0, 1, 2, 4))):
            self.stand(fleet, sites, f"h{number}")
        law = Law(
            tuple(self.policy(f"p{number}") for number in range(self.one(0, 0, 0, 1, 2))),
            books=tuple(self.book(number) for number in range(self.one(0, 1, 1, 2, 3))),
            teams=(
                Team("vision", limit=self.limit(), labels=self.one({}, {"unit": "lab"}), parent=self.one("", "lab")),
                Team("lab", limit=self.limit()),
                Team("press", parent="lab"),
            ),
        )
        sent: dict[str, int] = {}
        held: dict[str, tuple[int, int, int]] = {}
        for holding in fleet.holdings.values():
            for copy in holding.copies:
                gpus, cpus, memory = held.get(holding.team, (0, 0, 0))
                milli = copy.resources.gpus * 1000 + copy.gpu_share_milli + gpu_milli(copy.mig_profile)
                r = copy.resources
                held[holding.team] = (gpus + milli, cpus + r.cpus_milli, memory + r.memory_bytes)
            for one in holding.carried:
                sent[one.site] = sent.get(one.site, 0) + one.bytes_per_day
        question = Question(
            work,
            dict(fleet.sites),
            dict(fleet.links),
            dict(fleet.service_times),
            tuple(copy for holding in fleet.holdings.values() for copy in holding.copies),
            sent,
            held,
            law.policies,
            law.books,
            law.teams,
            DIGEST,
            NOW,
        )
        return Case(question, fleet, law)

    def measured(self, *us: int) -> tuple[int, int, int]:
        """Microseconds, when, samples."""
        at = NOW - self.one(0, 1_800_000, 1_800_001, 86_400_000, 86_400_001)
        return self.dice.choice(us), at, self.one(1, 19, 20, 400)

    def site(self, name: str) -> Site:
        country = self.one("DE", "US", "CH")
        offers = tuple(self.offer(f"o{number}") for number in range(self.one(0, 1, 1, 1, 2, 2, 2)))
        return Site(
            name=name,
            tier=self.one(*Tier),
            operator=self.one("self", "aws"),
            jurisdiction=country,
            operator_jurisdiction=self.one("", "US"),
            region=self.one("", "r1", "r2"),
            location=self.one("", *ORIGINS),
            engines=self.one((Engine.RAY,), (Engine.PROCESS,), (Engine.RAY, Engine.KUBERNETES), *(tuple(Engine),) * 5),
            offers=offers,
            agreements=self.one((), ("baa",), ("baa", "scc")),
            reach=tuple(Reach(origin, self.one(0, 3_000, 12_000)) for origin in self.some(ORIGINS, 2)),
            uplink_bytes_per_day=self.one(0, 0, 3 * GIB),
            labels=self.one({}, {"floor": "2"}, {"floor": "high"}),
            jurisdiction_region=self.one("", {"US": "US-CA", "DE": "DE-SN"}.get(country, "")),
            retention_days=self.one(0, 2555),
        )

    def offer(self, name: str) -> Offer:
        gpus = self.one(0, 0, 1, 1, 2, 4)
        model = self.one("a30", "a100", "l4") if gpus else ""
        sharing = self.one(*GpuSharing) if gpus else GpuSharing.NONE
        size = {"a30": 24, "a100": 40, "l4": 24}.get(model, 0) * GIB
        layout: tuple[MigInstance, ...] = ()
        if sharing is GpuSharing.MIG and self.often(0.3):
            names = ("1g.6gb", "2g.12gb") if model == "a30" else ("1g.5gb", "3g.20gb")
            layout = tuple(MigInstance(0, self.dice.choice(names), self.one(0, 2, 4)) for _ in range(self.one(1, 2)))
        return Offer(
            name=name,
            resources=Resources(gpus, size, self.one(1_000, 2_000, 4_000, 4_000), self.one(2, 4, 8, 8) * GIB),
            count=self.one(0, 1, 1, 2, 2, 3),
            elastic=self.often(0.3),
            pricing=self.one(*Pricing),
            instance_type=self.one("", "small", "large", "unlisted"),
            gpu_model=model,
            device_class=self.one("cpu", "gpu", ""),
            zone=self.one("", "a", "b"),
            gpu_sharing=sharing,
            mig_layout=layout,
        )

    def demand(self) -> Demand:
        form = self.one("none", "none", "whole", "whole", "share", "mig")
        r = Resources(0, 0, self.one(0, 500, 500, 1_000, 2_000), self.one(0, 1, 1, 2, 4) * GIB)
        fallback = self.often(0.2)
        if form == "whole":
            r = Resources(self.one(1, 1, 2), self.one(0, 20, 32) * GIB, r.cpus_milli, r.memory_bytes)
            return Demand(r, gpu_models=self.one((), (), ("l4",), ("a30", "a100")), cpu_fallback=fallback)
        if form == "share":
            r = Resources(0, self.one(0, 6, 10) * GIB, r.cpus_milli, r.memory_bytes)
            share = self.one(250, 500, 600)
            return Demand(r, cpu_fallback=fallback, gpu_share_milli=share, time_slicing=self.often())
        if form == "mig":
            r = Resources(0, self.one(0, 4, 9) * GIB, r.cpus_milli, r.memory_bytes)
            profile = self.one("1g.6gb", "2g.12gb", "1g.5gb", "1g.10gb", "2g.10gb", "3g.20gb", "1g.5gb+me", "7g.40gb")
            return Demand(r, cpu_fallback=fallback, mig_profile=profile)
        return Demand(r, cpu_fallback=fallback)

    def stand(self, fleet: Fleet, sites: list[Site], name: str) -> None:
        """One copy of other work, on a seat that is free."""
        offers = [(site, offer) for site in sites for offer in site.offers if offer.count]
        if not offers:
            return
        site, offer = self.dice.choice(offers)
        need, unit = room.needs_of(self.demand())[-1 if self.often(0.3) else 0], self.dice.randrange(offer.count)
        there = [
            copy
            for holding in fleet.holdings.values()
            for copy in holding.copies
            if (copy.site, copy.offer, copy.unit) == (site.name, offer.name, unit)
        ]
        seats = room.seats(offer, there, need)
        if not seats:
            return
        seat = self.dice.choice(seats)
        held = Resources(need.gpus, need.gpu_memory, need.cpus, need.memory)
        copy = Copy(site.name, offer.name, unit, held, seat.gpus, need.share, need.profile, seat.start)
        carried = (Carried(site.name, self.one(GIB, 2 * GIB)),) if self.often(0.4) else ()
        fleet.restore(Holding(name, self.one("", "vision", "press"), (copy,), carried))

    def limit(self) -> Resources | None:
        return self.one(None, None, Resources(gpus=1), Resources(cpus_milli=3_000), Resources(2, 0, 4_000, 8 * GIB))

    def data(self) -> Data:
        deidentified = self.often(0.3)
        return Data(
            classes=self.one(("pii",), ("phi", "pii"), ("public",), ("unknown",)),
            subjects=self.one((), ("DE",), ("US",), ("US-CA",), ("EU", "US")),
            deidentified=deidentified,
            attestation=self.one("", "board") if deidentified else "",
            origin=self.one("", *ORIGINS),
            bytes_per_day=self.one(0, GIB, 2 * GIB, 4 * GIB),
            size_bytes=self.one(0, 7 * GIB),
        )

    def workload(self) -> Workload:
        training, copies = self.often(0.4), self.one(1, 1, 1, 2, 2, 3, 4)
        latency = None
        if self.often(0.3):
            latency = Latency(self.one(4_000, 12_000, 33_000), self.some(ORIGINS, 2), self.one(0, 1_000))
        inference = Inference(
            "models:/m@latest",
            replicas=Replicas(copies, copies, self.one(*Spread)),
            requests_per_day=self.one(0, 0, 1_500_000),
            audit=self.one(*Audit),
        )
        gang = self.one(*Gang)
        job = Training(
            "python train.py",
            workers=copies,
            gang=gang,
            checkpoint_every_ms=self.one(0, 600_001),
            timeout_ms=self.one(0, 7_200_001),
            schedule=Schedule(run_ms=self.one(0, 59_999, 3_600_001)),
        )
        return Workload(
            name=self.one("a", "b"),
            kind=WorkloadKind.TRAINING_JOB if training else WorkloadKind.INFERENCE_SERVICE,
            demand=self.demand(),
            team=self.one("", "vision"),
            data=self.data(),
            latency=latency,
            prefer=Prefer(self.one((), (), (Tier.EDGE,)), self.one((), (), ("s1",))),
            max_cost_micros_per_hour=self.one(0, 0, 0, 60_000, 900_000),
            training=job if training else None,
            inference=None if training else inference,
            labels=self.one({}, {"risk": "high"}, {"risk": "3"}),
            carries=tuple(self.data() for _ in range(0 if training else self.one(0, 0, 0, 1))),
        )

    def expressions(self, most: int) -> tuple[Expression, ...]:
        return tuple(Expression(*one) for one in self.some(ATTRIBUTES, most))

    def policy(self, name: str) -> Policy:
        return Policy(name, 1, rules=tuple(self.rule(f"r{number}") for number in range(self.one(1, 1, 2))))

    def rule(self, name: str) -> Rule:
        ways = tuple(
            Alternative((*self.expressions(1), Expression(*self.dice.choice(ATTRIBUTES))))
            for _ in range(self.one(0, 0, 1, 2))
        )
        require = self.expressions(2)
        if not require and not ways:
            require = (Expression(*self.dice.choice(ATTRIBUTES)),)
        effect = self.one(Effect.ENFORCE, Effect.ENFORCE, Effect.WARN, Effect.PREFER)
        return Rule(
            name,
            when=self.expressions(2),
            require=require,
            require_any=ways,
            effect=effect,
            unless=self.expressions(1) if self.often(0.3) else (),
            penalty_micros_per_hour=self.one(1, 70_000) if effect is Effect.PREFER else 0,
        )

    def book(self, number: int) -> PriceBook:
        prices = (
            Price("small", 300_001),
            Price("small", 100_001, region="r1", pricing=Pricing.SPOT),
            Price("large", micros_per_month=5_000_000_003, region="r2"),
            Price("large", 500_000, pricing=Pricing.RESERVED),
            Price("", 90_007, gpu_model="a30"),
            Price("", 80_000, gpu_model="l4", pricing=Pricing.SPOT, region="r1"),
            Price("large", pricing=Pricing.OWNED, owned=Ownership(9_000_000_007, 26_280, 400, 150_000, 1_300, 12_345)),
            Price("o0", 70_001, pricing=Pricing.OWNED),
        )
        return PriceBook(
            name=f"b{number}" if self.often(0.8) else "b0",
            version=number + 1,
            effective_from=NOW - self.one(5, 5, 0, -1),
            prices=self.some(prices, 6),
            egress=self.some(
                (EgressPrice("r1", "", 90_000), EgressPrice("", "", 20_000), EgressPrice("plant", "r2", 0, 70_001)), 3
            ),
            uplifts=self.some((Uplift("EU", 30_000), Uplift("US", 10_001), Uplift("", 7, data_class="pii")), 3),
            idle_owned_ppm=self.one(0, 50_000, 333_333),
            precedence=self.one(0, 0, 1),
            availability=self.some(
                (
                    Availability(Pricing.SPOT, "", "", 990_000, 50_000, 120_000, 900_000),
                    Availability(Pricing.SPOT, "small", "r1", 900_001, 3_000_000, 60_001),
                    Availability(Pricing.ON_DEMAND, "", "r2", 999_500),
                ),
                3,
            ),
        )
