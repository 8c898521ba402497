"""What would help is the least that would: nothing needless, nothing missed, judged in the fleet that there is."""

from dataclasses import replace

from placement.audit.auditor import audit
from placement.law.law import Law
from placement.quota.ledger import Right
from tests.placement.places import BOOK, GIB, HALL, LAW, decided, fleet, job, service
from tidegate.model.decision import Decision, Outcome, Slot
from tidegate.model.money import Price, PriceBook, Team
from tidegate.model.policy import Alternative, Expression, Operator, Policy, Rule
from tidegate.model.quantity import Resources
from tidegate.model.site import Engine, Offer, Pricing, Site
from tidegate.model.workload import Prefer, Spread

TEAM = "lab"
NODE = Offer("node", Resources(2, 24 * GIB, 32_000, 128 * GIB), gpu_model="a30")


def hall(*offers: Offer, name: str = "hall", **changes: object) -> Site:
    return replace(HALL, name=name, engines=tuple(Engine), offers=offers, **changes)  # type: ignore[arg-type]


def told(decision: Decision) -> dict[str, list[str]]:
    """By site, what the proposals change, fewest first."""
    assert decision.outcome is Outcome.REFUSED
    return {one.site: [f"{c.field} {c.before} -> {c.after}" for c in one.changes] for one in decision.relaxations}


def test_copies_that_become_few_enough_need_not_stand_closer() -> None:
    """Two changes were proposed where either alone leads on to the other, and the second would do."""
    places = fleet(hall(replace(NODE, zone="a"), replace(NODE, name="other", zone="a")))
    work = service(copies=3, spread=Spread.ZONE, gpus=2)
    assert told(decided(work, places)) == {"hall": ["replicas.min 3 -> 1"]}


def test_a_limit_is_met_by_fewer_copies_or_by_less() -> None:
    law = Law((), BOOK, (Team(TEAM, limit=Resources(gpus=2)),))
    places = fleet(hall(replace(NODE, count=3)))
    gang = replace(job(workers=3, gpus=1), team=TEAM)
    assert told(decided(gang, places, law)) == {"hall": ["training.workers 3 -> 2"]}
    one = replace(job(gpus=4), team=TEAM)
    large = fleet(hall(replace(NODE, resources=Resources(8, 24 * GIB, 32_000, 128 * GIB))))
    assert told(decided(one, large, law)) == {"hall": ["demand.gpus 4 -> 2"]}


def test_what_is_guaranteed_is_counted_in_the_whole_fleet() -> None:
    """A site by itself has not what others are guaranteed, and nothing would have helped there."""
    law = Law((), BOOK, (Team(TEAM, guaranteed=Resources(gpus=2)), Team("other")))
    places = fleet(hall(NODE), replace(hall(NODE, name="away"), engines=()))
    held = replace(service(cpus_milli=31_000), team="other")
    places.take("h@hall", (Slot("hall", "node", 1),), held.demand, "other", right=Right(yields=True))
    work = replace(service(gpus=2, cpus_milli=4_000), team="other")
    assert told(decided(work, places, law)) == {"hall": ["demand.cpus 4 -> 1"]}


def test_what_is_changed_is_lawful_where_it_comes_home() -> None:
    """De-identified data may come to the hall, but what is made of it may not come home: so that would not help."""
    only = Expression("data.deidentified", Operator.IN, ("true",))
    known = Expression("data.deidentified", Operator.IN, ("false",))
    away = Rule("away", when=(known, Expression("site.name", Operator.IN, ("hall",))), require=(only,))
    home = Rule("home", when=(only, Expression("site.name", Operator.IN, ("store",))), require=(known,))
    law = replace(LAW, policies=(Policy("p", 1, rules=(away, home)),))
    places = fleet(hall(NODE), hall(name="store", home=True))
    assert "hall" not in told(decided(service(), places, law))
    without = replace(LAW, policies=(Policy("p", 1, rules=(away,)),))
    assert "hall" in told(decided(service(), places, without))


def test_an_agreement_that_opens_no_offer_does_not_help() -> None:
    """The rule's offers stayed forbidden while it was tried, so that the work seemed to need no room."""
    agreed = Expression("site.agreements", Operator.CONTAINS_ANY, ("baa",))
    bought = Expression("offer.pricing", Operator.NOT_IN, ("spot",))
    rule = Rule("agreed", require=(agreed,), require_any=(Alternative((bought,)),))
    law = replace(LAW, policies=(Policy("p", 1, rules=(rule,)),))
    assert told(decided(service(gpus=1), fleet(hall(NODE)), law)) == {"hall": ["site.agreements  -> baa"]}
    (changes,) = told(decided(service(copies=3, gpus=1), fleet(hall(NODE)), law)).values()
    assert sorted(changes) == ["replicas.min 3 -> 2", "site.agreements  -> baa"]


def test_what_was_cheaper_all_along_is_no_price_of_a_rule() -> None:
    """The work leans to the dearer place; a rule on offers elsewhere does not make it so."""
    bought = Expression("offer.name", Operator.NOT_IN, ("node",))
    law = replace(LAW, policies=(Policy("p", 1, rules=(Rule("bought", require=(bought,)),)),))
    spot = Offer("g5", Resources(0, 0, 8_000, 32 * GIB), 1, True, Pricing.SPOT)
    cheaper = replace(spot, name="c6", pricing=Pricing.ON_DEMAND)
    places = fleet(hall(spot), hall(cheaper, name="other"), replace(hall(NODE, name="away"), engines=()))
    work = replace(service(), prefer=Prefer(sites=("hall",)))
    decision = decided(work, places, law)
    assert audit(work, decision, places, law) == ()
    assert decision.sites == ("hall",)
    assert decision.cost.total > next(one.cost.total for one in decision.ranked if one.site == "other")
    assert "p/bought" not in {one.rule for one in decision.rule_prices if one.micros_per_hour}


def test_a_change_that_was_replaced_is_not_taken_back_twice() -> None:
    """One copy took the place of two that stand closer; when two was taken back, one stayed in the list of changes."""
    node = replace(NODE, resources=Resources(4, 24 * GIB, 4_000, 4 * GIB), instance_type="large")
    law = Law((), PriceBook("b", 1, prices=(Price("large", 6_849_316),), idle_owned_ppm=50_000))
    places = fleet(hall(node))
    places.take("h@hall", (Slot("hall", "node", 1),), service(cpus_milli=2_000).demand)
    work = replace(service(copies=3, spread=Spread.ZONE, gpus=1), max_cost_micros_per_hour=60_000)
    work = replace(work, demand=replace(work.demand, resources=Resources(1, 0, 1_000, 0)))
    decision = decided(work, places, law)
    assert audit(work, decision, places, law) == ()
    assert set(told(decision)["hall"]) == {"replicas.min 3 -> 1", "maxCost 0.06 -> 0.085617"}


def test_fewer_copies_may_be_within_what_is_guaranteed() -> None:
    """Three are beyond the team's guarantee, and what is lent has one; two are within it."""
    teams = (
        Team(TEAM, guaranteed=Resources(gpus=2, cpus_milli=2_000)),
        Team("press", guaranteed=Resources(gpus=1, cpus_milli=1_000), borrowing=False, parent=TEAM, lends_nothing=True),
    )
    law = Law((), BOOK, teams)
    small = replace(NODE, resources=Resources(3, 24 * GIB, 16_000, 64 * GIB))
    gang = replace(job(workers=3, gpus=1), team=TEAM)
    places = fleet(hall(small))
    places.take("h@hall", (Slot("hall", "node", 1),), job(gpus=1).demand, "other", right=Right(yields=False))
    decision = decided(gang, places, law)
    assert audit(gang, decision, places, law) == ()
    assert told(decision) == {"hall": ["training.workers 3 -> 2"]}
