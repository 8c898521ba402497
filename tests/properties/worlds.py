"""Random worlds for the placement properties: small fleets, laws and workloads in which things really collide."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from placement.fleet.fleet import Fleet
from placement.law.law import Law
from tidegate.model.money import Availability, EgressPrice, Ownership, Price, PriceBook, Quota, Team, Uplift
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
    Spread,
    Training,
    Workload,
    WorkloadKind,
)

GIB = 2**30
ORIGINS = ("plant", "branch")
CLASSES = ("pii", "phi", "public", "unknown")
COUNTRIES = ("DE", "US", "CH", "NO")
NOW, MODEL = 5, "m"
TYPES = ("small", "large", "unlisted")
AVAILABILITY = (
    Availability(interruptions_ppm_per_hour=20_001, restart_ms=300_001, lost_work_ms=1_800_000),
    Availability(instance_type="small", interruptions_ppm_per_hour=900_000, restart_ms=3_600_000),
    Availability(Pricing.OWNED, region="r1", available_ppm=990_000),
    Availability(Pricing.ON_DEMAND, "small", "r1", available_ppm=999_999, interruptions_ppm_per_hour=1, restart_ms=1),
)

resources = st.builds(
    Resources,
    gpus=st.sampled_from((0, 0, 1, 2, 4)),
    gpu_memory_bytes=st.sampled_from((0, 16 * GIB, 24 * GIB)),
    cpus_milli=st.sampled_from((1000, 2000, 4000, 8000)),
    memory_bytes=st.sampled_from((2 * GIB, 8 * GIB, 16 * GIB)),
)


@st.composite
def gpu_offers(draw: st.DrawFn) -> dict[str, Any]:
    """What an offer says of GPUs and their sharing, a layout that stands among it; often it shares nothing."""
    model, sharing = draw(
        st.sampled_from(
            (
                ("", GpuSharing.NONE),
                ("l4", GpuSharing.NONE),
                ("a10", GpuSharing.NONE),
                ("l4", GpuSharing.FRACTION),
                ("a10", GpuSharing.TIME_SLICING),
                ("a30", GpuSharing.MIG),
            )
        )
    )
    layout: list[MigInstance] = []
    if sharing is GpuSharing.MIG and draw(st.booleans()):
        places = [MigInstance(0, "1g.6gb", 3), MigInstance(0, "2g.12gb", 0), MigInstance(1, "4g.24gb", 0)]
        layout = draw(st.lists(st.sampled_from(places), unique=True))
    return {"gpu_model": model, "gpu_sharing": sharing, "mig_layout": tuple(layout)}


@st.composite
def offers(draw: st.DrawFn) -> tuple[Offer, ...]:
    """None to three offers of one site, of different names."""
    pricing = st.sampled_from(tuple(Pricing))
    return tuple(
        Offer(
            name=f"o{number}",
            resources=draw(resources),
            count=draw(st.integers(0, 3)),
            elastic=draw(st.booleans()),
            pricing=draw(pricing),
            instance_type=draw(st.sampled_from(TYPES)),
            device_class=draw(st.sampled_from(("cpu", "gpu", ""))),
            zone=draw(st.sampled_from(("", "a", "b"))),
            **draw(gpu_offers()),
        )
        for number in range(draw(st.integers(0, 3)))
    )


@st.composite
def sites(draw: st.DrawFn, name: str) -> Site:
    """One site of that name."""
    reach = draw(st.lists(st.sampled_from(ORIGINS), unique=True))
    country = draw(st.sampled_from(COUNTRIES))
    return Site(
        name=name,
        tier=draw(st.sampled_from(tuple(Tier))),
        operator=draw(st.sampled_from(("self", "aws"))),
        jurisdiction=country,
        jurisdiction_region=draw(st.sampled_from(("", f"{country}-CA"))) if country == "US" else "",
        operator_jurisdiction=draw(st.sampled_from(("", "US"))),
        region=draw(st.sampled_from(("", "r1", "r2"))),
        location=draw(st.sampled_from(("", *ORIGINS))),
        engines=tuple(draw(st.lists(st.sampled_from(tuple(Engine)), unique=True, min_size=1))),
        offers=draw(offers()),
        agreements=draw(st.sampled_from(((), ("baa",), ("baa", "scc")))),
        reach=tuple(Reach(origin, draw(st.sampled_from((5_000, 60_000)))) for origin in reach),
        uplink_bytes_per_day=draw(st.sampled_from((0, GIB))),
        labels=draw(st.sampled_from(({}, {"floor": "2"}))),
        home=draw(st.integers(0, 11)) == 0,
    )


EXPRESSIONS = (
    Expression("data.classes", Operator.CONTAINS_ANY, ("pii", "phi")),
    Expression("data.classes", Operator.IN, ("public",)),
    Expression("data.classes", Operator.CONTAINS_ALL, ("phi",)),
    Expression("data.subjects", Operator.CONTAINS_ANY, ("EU",)),
    Expression("data.deidentified", Operator.IN, ("false",)),
    Expression("data.bytesPerDay", Operator.GT, ("0",)),
    Expression("workload.kind", Operator.IN, ("TrainingJob",)),
    Expression("labels.risk", Operator.EXISTS),
    Expression("site.jurisdiction", Operator.IN, ("EEA",)),
    Expression("site.operatorJurisdiction", Operator.NOT_IN, ("US",)),
    Expression("site.operator", Operator.IN, ("self",)),
    Expression("site.tier", Operator.NOT_IN, ("cloud",)),
    Expression("site.agreements", Operator.CONTAINS_ALL, ("baa",)),
    Expression("site.agreements", Operator.CONTAINS_ANY, ("baa", "scc")),
    Expression("site.labels.floor", Operator.GE, ("2",)),
    Expression("site.region", Operator.DOES_NOT_EXIST),
    Expression("site.jurisdiction", Operator.NOT_IN, ("US-CA",)),
    Expression("data.subjects", Operator.IN, ("DE", "US-CA")),
    Expression("data.deidentified", Operator.IN, ("true",)),
    Expression("data.origin", Operator.IN, ("plant",)),
    Expression("offer.pricing", Operator.NOT_IN, ("spot",)),
    Expression("offer.gpuModel", Operator.IN, ("l4",)),
    Expression("offer.zone", Operator.EXISTS),
    Expression("operator.jurisdiction", Operator.IN, ("EEA",)),
    Expression("team.labels.unit", Operator.IN, ("research",)),
    Expression("team.name", Operator.EXISTS),
)
expressions = st.lists(st.sampled_from(EXPRESSIONS), max_size=2).map(tuple)


@st.composite
def rules(draw: st.DrawFn, name: str) -> Rule:
    """One rule that requires something."""
    ways = draw(st.lists(st.lists(st.sampled_from(EXPRESSIONS), min_size=1, max_size=2).map(tuple), max_size=2))
    require = draw(expressions) or (() if ways else (EXPRESSIONS[10],))
    effect = draw(st.sampled_from((Effect.ENFORCE, Effect.ENFORCE, Effect.WARN, Effect.PREFER)))
    return Rule(
        name=name,
        when=draw(expressions),
        unless=draw(expressions) if draw(st.booleans()) else (),
        require=require,
        require_any=tuple(Alternative(way) for way in ways),
        effect=effect,
        penalty_micros_per_hour=draw(st.sampled_from((1, 250_000, 10**9))) if effect is Effect.PREFER else 0,
    )


@st.composite
def teams(draw: st.DrawFn) -> tuple[Team, ...]:
    """The team that workloads are of, alone or below another, with neighbours; quotas of everything."""
    limit = draw(st.sampled_from((None, Resources(gpus=1), Resources(cpus_milli=3000))))
    alone = Team(
        "vision",
        limit=limit,
        budget_micros_per_month=draw(st.sampled_from((0, 3 * 10**8))),
        labels={"unit": "research"},
    )
    if draw(st.booleans()):
        return (alone,)
    few = draw(st.sampled_from((Quota(Resources(gpus=1)), Quota(Resources(cpus_milli=1500), {"l4": 500}), None)))
    borrows = draw(st.booleans())
    vision = Team(
        "vision",
        Resources(draw(st.integers(0, 1)), 0, draw(st.sampled_from((0, 2000)))),
        limit,
        borrows,
        parent="plant",
        guaranteed_models=draw(st.sampled_from(({}, {"l4": 1000}))),
        limit_models=draw(st.sampled_from(({}, {"l4": 1000}, {"a10": 2000}))),
        borrowing_limit=few if borrows else None,
    )
    plant = Team(
        "plant",
        Resources(3, 0, 4000),
        draw(st.sampled_from((None, Resources(gpus=4)))),
        budget_micros_per_month=draw(st.sampled_from((0, 10**9))),
        guaranteed_models={"l4": 2000},
    )
    keeps = draw(st.booleans())
    finance = Team(
        "finance",
        Resources(draw(st.integers(0, 3)), 0, 2000),
        guaranteed_models=draw(st.sampled_from(({}, {"a10": 1500}))),
        lends_nothing=keeps,
        lending_limit=None if keeps else few,
        parent=draw(st.sampled_from(("", "plant"))),
    )
    return vision, plant, finance


@st.composite
def laws(draw: st.DrawFn) -> Law:
    """None to two policies of one or two rules, perhaps a price book, perhaps a team with a limit."""
    policies = tuple(
        Policy(f"p{number}", 1, rules=tuple(draw(rules(f"r{r}")) for r in range(draw(st.integers(1, 2)))))
        for number in range(draw(st.integers(0, 2)))
    )
    book = PriceBook(
        "book",
        availability=draw(st.sampled_from(((), AVAILABILITY))),
        prices=(
            Price("small", 300_000),
            Price("small", 100_001, region="r1", pricing=Pricing.SPOT),
            Price("large", 7_000_000, region="r2"),
            Price("large", 5_000_000, pricing=Pricing.RESERVED),
        ),
        egress=(EgressPrice("r1", "", 90_000), EgressPrice("", "", 20_000)),
        uplifts=(Uplift("EU", 30_000), Uplift("US", 10_000), Uplift("", 7_000, data_class="phi")),
    )
    newer = PriceBook(
        "book",
        2,
        effective_from=draw(st.sampled_from((0, 5, 6))),
        prices=(Price("small", 300_001), Price("large", micros_per_month=100_000_000, region="r1")),
    )
    other = PriceBook(
        "other",
        effective_from=draw(st.sampled_from((0, 4))),
        precedence=draw(st.sampled_from((0, 1))),
        prices=(
            Price("small", pricing=Pricing.OWNED, owned=Ownership(9_000_000_007, 43_800, 700, 120_001, 1_300, 1)),
            Price(gpu_model="l4", micros_per_hour=800_001, pricing=draw(st.sampled_from(tuple(Pricing)))),
        ),
        egress=(EgressPrice("r1", "", micros_per_gb=80_001), EgressPrice("", "r2", 1)),
        uplifts=(Uplift("US", 12_001), Uplift("DE", 1)),
        idle_owned_ppm=70_000,
    )
    books = draw(st.sampled_from(((), (book,), (book, newer), (other, newer, book))))
    return Law(policies, draw(st.sampled_from((None, book, book))), draw(teams()), books)


@st.composite
def demands(draw: st.DrawFn) -> Demand:
    """Of one copy: whole GPUs, a share, a MIG instance, or none."""
    part = draw(st.sampled_from(("", "", "share", "mig")))
    return Demand(
        Resources(
            draw(st.sampled_from((0, 0, 1, 2))) if not part else 0,
            draw(st.sampled_from((0, 4 * GIB, 11 * GIB) if part else (0, 0, 20 * GIB))),
            draw(st.sampled_from((0, 500, 2000))),
            draw(st.sampled_from((0, GIB, 4 * GIB))),
        ),
        gpu_models=draw(st.sampled_from(((), (), ("l4",), ("a30", "a10")))),
        cpu_fallback=draw(st.booleans()),
        gpu_share_milli=draw(st.sampled_from((250, 400, 999))) if part == "share" else 0,
        mig_profile=draw(st.sampled_from(("1g.6gb", "1g.6gb+me", "2g.12gb", "3g.20gb"))) if part == "mig" else "",
        time_slicing=draw(st.booleans()),
    )


@st.composite
def workloads(draw: st.DrawFn) -> Workload:
    """A job or a service that asks for a little of everything."""
    training = draw(st.booleans())
    copies = draw(st.integers(1, 4))
    latency = draw(st.sampled_from((None, 10_000, 65_000)))
    origins = tuple(draw(st.lists(st.sampled_from(ORIGINS), unique=True)))
    spread = draw(st.sampled_from(tuple(Spread)))
    return Workload(
        name=draw(st.sampled_from(("a", "b"))),
        kind=WorkloadKind.TRAINING_JOB if training else WorkloadKind.INFERENCE_SERVICE,
        demand=draw(demands()),
        team=draw(st.sampled_from(("", "vision", "vision", "finance"))),
        data=Data(
            classes=(draw(st.sampled_from(CLASSES)),),
            subjects=draw(st.sampled_from(((), ("DE",), ("EU", "US"), ("US-CA",)))),
            deidentified=draw(st.booleans()),
            attestation=draw(st.sampled_from(("", "officer"))),
            origin=draw(st.sampled_from(("", *ORIGINS))),
            bytes_per_day=draw(st.sampled_from((0, GIB // 3, 3 * GIB))),
            size_bytes=draw(st.sampled_from((0, 7 * GIB))),
        ),
        latency=Latency(latency, origins, draw(st.sampled_from((0, 6_000)))) if latency else None,
        prefer=Prefer(draw(st.sampled_from(((), (Tier.EDGE,)))), draw(st.sampled_from(((), ("s1",))))),
        max_cost_micros_per_hour=draw(st.sampled_from((0, 0, 50_000, 2_000_000))),
        training=Training(
            "python train.py",
            workers=copies,
            checkpoint_every_ms=draw(st.sampled_from((0, 0, 1_199_999))),
            gang=draw(st.sampled_from(tuple(Gang))),
            timeout_ms=draw(st.sampled_from((0, 1, 5_400_000))),
        )
        if training
        else None,
        inference=None
        if training
        else Inference(
            "models:/m@latest",
            replicas=Replicas(copies, copies, spread),
            requests_per_day=draw(st.sampled_from((0, 400_000))),
            audit=draw(st.sampled_from(tuple(Audit))),
        ),
        labels=draw(st.sampled_from(({}, {"risk": "high"}))),
        carries=draw(st.sampled_from(((), (), (Data(),), (Data(("phi",), ("US",), True, "officer", "branch"),)))),
        preemptible=draw(st.booleans()),
    )


@dataclass(frozen=True)
class World:
    """What puts a fleet together, so that it can be put together again in another order."""

    sites: tuple[tuple[Site, bool, bool], ...]
    links: tuple[tuple[str, str, int, int, int], ...]
    service_times: tuple[tuple[str, str, int, int, int], ...]

    def fleet(self, *, backwards: bool = False) -> Fleet:
        """The fleet, from facts put in order or in reverse."""
        step = -1 if backwards else 1
        fleet = Fleet()
        for site, reachable, cordoned in self.sites[::step]:
            fleet.put_site(site, reachable=reachable, cordoned=cordoned)
        for link in self.links[::step]:
            fleet.put_link(*link)
        for service_time in self.service_times[::step]:
            fleet.put_service_time(*service_time)
        return fleet


measured = st.tuples(st.sampled_from((9, NOW - 1_800_001, NOW - 86_400_001)), st.sampled_from((1, 20, 400)))
"""When something was measured (new, old, too old) and with how many samples."""


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """None to five sites; some links and service times were measured."""
    names = [f"s{number}" for number in range(draw(st.integers(0, 5)))]
    known = tuple(
        (draw(sites(name)), draw(st.sampled_from((True, True, True, False))), draw(st.integers(0, 5)) == 0)
        for name in names
    )
    pairs = [(origin, name) for origin in ORIGINS for name in names if draw(st.booleans())]
    links = tuple((origin, name, draw(st.sampled_from((1_000, 58_000))), *draw(measured)) for origin, name in pairs)
    service_times = tuple(
        (MODEL, device_class, 2_001, *draw(measured)) for device_class in ("gpu", "cpu") if draw(st.booleans())
    )
    return World(known, links, service_times)
