"""A small fleet that the placement tests share: a press and a hall in Germany, and a cloud in the United States."""

from dataclasses import replace

from placement.engine import decide
from placement.fleet.fleet import Fleet
from placement.law.law import Law
from tidegate.model.decision import Decision, Miss
from tidegate.model.money import EgressPrice, Price, PriceBook
from tidegate.model.policy import Alternative, Expression, Operator, Policy, Rule
from tidegate.model.quantity import Resources
from tidegate.model.site import Engine, Offer, Pricing, Reach, Site, Tier
from tidegate.model.workload import Data, Demand, Inference, Latency, Replicas, Spread, Training, Workload, WorkloadKind

GIB = 2**30

PRESS = Site(
    name="press-7",
    tier=Tier.EDGE,
    operator="self",
    jurisdiction="DE",
    region="plant",
    location="plant",
    engines=(Engine.PROCESS,),
    offers=(Offer("device", Resources(0, 0, 4_000, 8 * GIB), instance_type="ipc"),),
)
HALL = Site(
    name="hall",
    tier=Tier.ON_PREM,
    operator="self",
    jurisdiction="DE",
    region="plant",
    engines=(Engine.PROCESS,),
    offers=(Offer("node", Resources(2, 20 * GIB, 32_000, 128 * GIB), count=2, gpu_model="l4", device_class="gpu-l4"),),
    reach=(Reach("plant", 2_000),),
)
CLOUD = Site(
    name="us-east-1",
    tier=Tier.CLOUD,
    operator="aws",
    jurisdiction="US",
    region="us-east-1",
    engines=(Engine.RAY, Engine.KUBERNETES),
    offers=(
        Offer("g5", Resources(1, 24 * GIB, 8_000, 32 * GIB), 10, True, Pricing.SPOT, gpu_model="a10g", zone="a"),
        Offer("c6", Resources(0, 0, 8_000, 16 * GIB), 10, True, Pricing.ON_DEMAND, zone="b"),
    ),
    reach=(Reach("plant", 95_000),),
    uplink_bytes_per_day=100 * GIB,
)
GDPR = Policy(
    "gdpr",
    2,
    because="Regulation (EU) 2016/679",
    rules=(
        Rule(
            "residency",
            when=(
                Expression("data.classes", Operator.CONTAINS_ANY, ("pii",)),
                Expression("data.deidentified", Operator.IN, ("false",)),
            ),
            require_any=(
                Alternative((Expression("site.jurisdiction", Operator.IN, ("EEA",)),)),
                Alternative((Expression("site.agreements", Operator.CONTAINS_ALL, ("scc",)),)),
            ),
        ),
    ),
)
BOOK = PriceBook(
    "list",
    3,
    prices=(
        Price("g5", 400_000, pricing=Pricing.SPOT),
        Price("c6", 340_000),
        Price("ipc", 100_000),
        Price("node", 2_000_000),
    ),
    egress=(EgressPrice("plant", "", 90_000),),
)
LAW = Law((GDPR,), BOOK)


def fleet(*sites: Site) -> Fleet:
    """All of them reachable; the three above where none is named."""
    answer = Fleet()
    for site in sites or (PRESS, HALL, CLOUD):
        answer.put_site(site, reachable=True, cordoned=False)
    return answer


def service(copies: int = 1, spread: Spread = Spread.NONE, p99_us: int = 0, **demand: int) -> Workload:
    """An inference service on public data; `demand` as in `Resources`."""
    return Workload(
        name="inspect",
        kind=WorkloadKind.INFERENCE_SERVICE,
        demand=Demand(replace(Resources(cpus_milli=1_000, memory_bytes=GIB), **demand)),
        data=Data(("public",)),
        latency=Latency(p99_us, ("plant",)) if p99_us else None,
        inference=Inference("models:/m@latest", replicas=Replicas(copies, copies, spread)),
    )


def job(workers: int = 1, **demand: int) -> Workload:
    """A training job on public data."""
    return Workload(
        name="train",
        kind=WorkloadKind.TRAINING_JOB,
        demand=Demand(replace(Resources(cpus_milli=1_000, memory_bytes=GIB), **demand)),
        data=Data(("public",)),
        training=Training("python train.py", workers=workers),
    )


def decided(workload: Workload, on: Fleet | None = None, law: Law = LAW, **how: object) -> Decision:
    """Decided at moment 5 and revision 9."""
    return decide(workload, on or fleet(), law, now=5, revision=9, **how)  # type: ignore[arg-type]


def misses(decision: Decision, site: str) -> dict[str, Miss]:
    """What refused a site, by rule."""
    return {miss.rule: miss for miss in decision.misses if miss.site == site}
