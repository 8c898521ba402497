"""Where one field alone would do it is found, whatever the misses say; and the auditor finds nothing wrong with it."""

from dataclasses import replace

from placement.audit.auditor import audit
from placement.fleet.fleet import Fleet
from placement.law.law import Law
from tests.placement.places import BOOK, GIB, HALL, LAW, decided, fleet, job, service
from tidegate.model.decision import Outcome, Slot
from tidegate.model.money import Price, PriceBook, Team
from tidegate.model.policy import Alternative, Expression, Operator, Policy, Rule
from tidegate.model.quantity import Resources
from tidegate.model.site import Engine, Offer, Pricing, Site
from tidegate.model.workload import Spread, Workload

NODE = Offer("node", Resources(0, 0, 8_000, 16 * GIB))
BAA = Expression("site.agreements", Operator.CONTAINS_ANY, ("baa",))


def hall(*offers: Offer, **changes: object) -> Site:
    return replace(HALL, engines=tuple(Engine), offers=offers, **changes)  # type: ignore[arg-type]


def told(work: Workload, places: Fleet, law: Law = LAW) -> dict[str, list[str]]:
    """By site, what the proposals change."""
    decision = decided(work, places, law)
    assert decision.outcome is Outcome.REFUSED
    assert audit(work, decision, places, law) == ()
    return {one.site: [f"{c.field} {c.before} -> {c.after}" for c in one.changes] for one in decision.relaxations}


def held(places: Fleet, offer: str, work: Workload) -> Fleet:
    places.take(f"{offer}-held", (Slot("hall", offer, 1),), work.demand)
    return places


def test_each_amount_could_be_had_but_not_all_of_them_on_one_unit() -> None:
    """One node has the CPUs and the other has the GPU, and nothing was proposed."""
    gpu = Offer("gpu", Resources(1, 24 * GIB, 4_000, 16 * GIB), gpu_model="a30")
    work = service(gpus=1, cpus_milli=6_000)
    assert told(work, fleet(hall(NODE, gpu))) == {"hall": ["demand.cpus 6 -> 4"]}
    places = held(fleet(hall(NODE, replace(gpu, resources=Resources(1, 24 * GIB, 8_000, 16 * GIB)))), "gpu", service())
    assert told(service(gpus=1, cpus_milli=8_000), places) == {"hall": ["demand.cpus 8 -> 7"]}


def test_copies_that_are_smaller_are_counted_anew() -> None:
    """One copy has room, so fewer were proposed; where that is not enough by itself, smaller ones may be."""
    law = Law((), PriceBook("b", 1, prices=(Price("node", 100_000),)))
    work = replace(service(copies=4, cpus_milli=5_000), max_cost_micros_per_hour=200_000)
    places = fleet(hall(replace(NODE, count=2), Offer("dear", NODE.resources, 2, True, Pricing.SPOT)))
    assert told(work, places, law) in ({"hall": ["demand.cpus 5 -> 4"]}, {"hall": ["replicas.min 4 -> 2"]})


def test_an_unlisted_price_is_avoided_by_fewer_copies() -> None:
    places = fleet(hall(replace(NODE, pricing=Pricing.RESERVED), replace(NODE, name="unlisted", pricing=Pricing.SPOT)))
    law = Law((), PriceBook("b", 1, prices=(Price("node", 100_000, pricing=Pricing.RESERVED),)))
    gang = replace(job(workers=16, memory_bytes=2 * GIB), max_cost_micros_per_hour=200_000)
    assert told(gang, places, law) == {"hall": ["training.workers 16 -> 8"]}


def test_an_offer_that_answers_later_has_room() -> None:
    """The promise holds at the fast offer, which is too small for all copies; so no rule named a time."""
    fast, slow = replace(NODE, device_class="fast"), replace(NODE, name="slow", count=4, device_class="slow")
    places = fleet(hall(fast, slow))
    for device_class, us in (("fast", 1_000), ("slow", 9_500)):
        places.put_service_time("m", device_class, us, 5, 400)
    work = service(copies=3, p99_us=5_000, cpus_milli=8_000, spread=Spread.NODE)
    decision = decided(work, places, model_digest="m")
    assert audit(work, decision, places, LAW, model_digest="m") == ()
    changes = {one.changes[0].field: one.changes[0].after for one in decision.relaxations if len(one.changes) == 1}
    assert changes in ({"latency.p99": "12ms"}, {"replicas.min": "1"})


def test_a_budget_is_met_by_less() -> None:
    """What is left of the month pays for some of the copies."""
    law = Law((), BOOK, (Team("lab", budget_micros_per_month=2_000_000_000),))
    places = fleet(hall(replace(NODE, name="g5", count=8, elastic=True, pricing=Pricing.SPOT)))
    work = replace(service(copies=16, cpus_milli=4_000), team="lab")
    ((change,),) = told(work, places, law).values()
    assert change.split()[0] in ("replicas.min", "demand.cpus")


def test_an_agreement_opens_the_offer_that_has_room() -> None:
    """The rule forbids one offer and not the other, so it refuses the site nothing."""
    agreed = Rule(
        "agreed",
        require_any=(
            Alternative((BAA,)),
            Alternative((Expression("offer.elastic", Operator.IN, ("false",)),)),
        ),
    )
    law = replace(LAW, policies=(Policy("p", 1, rules=(agreed,)),))
    small = replace(NODE, resources=Resources(0, 0, 500, 16 * GIB))
    places = fleet(hall(small, replace(NODE, name="large", elastic=True)))
    (changes,) = told(service(), places, law).values()
    assert len(changes) == 1


def test_an_agreement_that_exempts_is_one() -> None:
    """Only what a rule requires was looked at, not who it exempts."""
    far = Rule("far", require=(Expression("site.jurisdiction", Operator.IN, ("US",)),), unless=(BAA,))
    law = replace(LAW, policies=(Policy("p", 1, rules=(far,)),))
    assert told(service(), fleet(hall(NODE)), law) == {"hall": ["site.agreements  -> baa"]}


def test_of_quotas_on_models_the_most_copies_are_kept() -> None:
    """The bound that a miss named was of another guarantee than the one that two copies are within."""
    teams = (
        Team("vision", guaranteed_models={"l4": 1_000}, borrowing=False, parent="plant"),
        Team("plant", guaranteed=Resources(gpus=3, cpus_milli=4_000), guaranteed_models={"l4": 2_000}),
    )
    law = Law((), None, teams)
    gpu = Offer("gpu", Resources(1, 24 * GIB, 1_000, 2 * GIB), 3, gpu_model="l4")
    work = service(copies=3, cpus_milli=0, memory_bytes=0)
    work = replace(work, team="vision", demand=replace(work.demand, gpu_share_milli=400, cpu_fallback=True))
    assert told(work, fleet(hall(gpu)), law) == {"hall": ["replicas.min 3 -> 2"]}
