"""How long one decision takes, explanation included, against the size of the fleet."""

from pathlib import Path

from placement.audit import audit
from placement.engine import decide
from placement.fleet import Fleet
from placement.law import Law
from tests.bench.measure import Row, median_us
from tidegate import manifests
from tidegate.model.policy import Policy
from tidegate.model.quantity import Resources
from tidegate.model.site import Engine, Offer, Reach, Site, Tier
from tidegate.model.workload import Data, Demand, Inference, Latency, Workload, WorkloadKind

SIZES = (10, 100, 1_000, 10_000)


def rows() -> list[Row]:
    """One row per fleet size."""
    packs = manifests.load_files(sorted(Path("deploy/policies").glob("*.yaml")))
    law = Law(policies=tuple(noun for noun in packs if isinstance(noun, Policy)), price_book=None, teams=())
    found = []
    for size in SIZES:
        fleet = _fleet(size)
        workload = _workload()
        rounds = 7 if size <= 1_000 else 3
        taken = median_us(lambda: decide(workload, fleet, law, now=1, revision=1), rounds=rounds)
        decision = decide(workload, fleet, law, now=1, revision=1)
        judged = median_us(lambda: audit(workload, decision, fleet, law), rounds=3)
        found.append(
            Row(
                f"decision over {size:,} sites, full matrix",
                f"{taken / 1000:.2f} ms",
                f"the auditor's own pass {judged / 1000:.2f} ms; {len(decision.misses):,} misses recorded",
            )
        )
    return found


def _fleet(size: int) -> Fleet:
    fleet = Fleet()
    for number in range(size):
        country = ("DE", "US", "FR", "JP")[number % 4]
        offers = (Offer("node", Resources(0, 0, 8_000, 32 * 2**30), count=4),)
        site = Site(
            f"site-{number:05d}",
            Tier.ON_PREM,
            "self" if number % 3 else "hyperscaler",
            country,
            engines=(Engine.PROCESS,),
            offers=offers,
            reach=(Reach("plant", 1_000 + number % 90_000),),
        )
        fleet.put_site(site, reachable=True, cordoned=False)
    return fleet


def _workload() -> Workload:
    return Workload(
        "camera",
        WorkloadKind.INFERENCE_SERVICE,
        Demand(Resources(0, 0, 500, 2**29)),
        data=Data(classes=("pii",), subjects=("DE",), origin="plant", bytes_per_day=2**31),
        latency=Latency(50_000, ("plant",)),
        inference=Inference("models:/camera/1"),
    )
