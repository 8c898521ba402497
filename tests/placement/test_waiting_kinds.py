"""What a refusal says of waiting: of what kind each rule's "no" is, where quotas and links are in the way."""

from dataclasses import replace

from broker.core.accounting import hopes_of
from placement.audit.auditor import audit
from placement.fleet.facts import Carried
from placement.law.law import Law
from placement.quota.ledger import Right
from tests.placement.places import BOOK, CLOUD, GIB, HALL, LAW, decided, fleet, job, misses, service
from tidegate.model.decision import Kind, Outcome, Slot
from tidegate.model.money import Team
from tidegate.model.quantity import Resources
from tidegate.model.site import Engine, Offer, Pricing, Site
from tidegate.model.workload import Spread

TEAM = "lab"
A100 = Offer("big", Resources(4, 40 * GIB, 64_000, 256 * GIB), gpu_model="a100", instance_type="node")
A30 = Offer("small", Resources(1, 24 * GIB, 32_000, 128 * GIB), gpu_model="a30", instance_type="node")


def hall(*offers: Offer, name: str = "hall") -> Site:
    return replace(HALL, name=name, engines=tuple(Engine), offers=offers)


def kind(decision, rule: str) -> Kind:
    return next(column.kind for column in decision.columns if column.rule == rule)


def test_a_model_that_the_team_has_used_up_is_waited_for_where_the_others_would_never_do() -> None:
    """Its packing was kept to the models that are left, so that the place seemed never to have had room."""
    law = Law((), BOOK, (Team(TEAM, limit_models={"a100": 2_000}),))
    places = fleet(hall(A100, A30))
    first = replace(job(gpus=1), team=TEAM)
    places.take("h@hall", (Slot("hall", "big", 1),), first.demand, TEAM)
    second = replace(job(gpus=2), team=TEAM)
    decision = decided(second, places, law)
    assert decision.outcome is Outcome.REFUSED
    assert hopes_of(decision, second) == ("hall",)
    assert "copies" not in misses(decision, "hall")
    places.release("h@hall")
    assert decided(second, places, law).outcome is Outcome.PLACED


def test_a_model_that_may_be_had_where_the_work_may_not_go_is_none_to_wait_for() -> None:
    law = Law((), BOOK, (Team(TEAM, limit_models={"a30": 500}),))
    places = fleet(hall(A30), replace(hall(A100, name="away"), engines=()))
    work = replace(job(gpus=1), team=TEAM)
    decision = decided(work, places, law)
    assert kind(decision, "team-limit") is Kind.SHAPE
    assert hopes_of(decision, work) == ()


def test_copies_that_stand_at_several_sites_wait_only_where_as_many_could_ever_be() -> None:
    law = Law((), BOOK, (Team(TEAM, limit_models={"a30": 500}),))
    places = fleet(hall(A30), hall(A100, name="other"))
    work = replace(service(copies=2, spread=Spread.SITE, gpus=1), team=TEAM)
    decision = decided(work, places, law)
    assert decision.outcome is Outcome.REFUSED
    assert hopes_of(decision, work) == ()


def test_a_budget_that_no_open_place_is_within_is_no_matter_of_waiting() -> None:
    """A place without any room costs nothing, and seemed to be one that the team could pay."""
    law = Law((), BOOK, (Team(TEAM, budget_micros_per_month=1_000_000),))
    places = fleet(CLOUD, replace(hall(), name="bare"))
    work = replace(job(), team=TEAM)
    decision = decided(work, places, law)
    assert kind(decision, "team-budget") is Kind.PRICE
    assert hopes_of(decision, work) == ()


def test_what_the_month_could_not_pay_where_there_is_room_does_not_wait_for_something_cheaper_there() -> None:
    """As with a ceiling: the price that the place has now counts."""
    law = Law((), BOOK, (Team(TEAM, budget_micros_per_month=1_000_000),))
    owned = Offer("device", Resources(0, 0, 1_000, GIB), pricing=Pricing.OWNED)
    places = fleet(hall(owned, Offer("g5", Resources(0, 0, 8_000, 32 * GIB), pricing=Pricing.SPOT)))
    work = replace(job(), team=TEAM)
    assert decided(work, places, law).outcome is Outcome.PLACED
    places.take("h@hall", (Slot("hall", "device", 1),), work.demand)
    decision = decided(work, places, law)
    assert kind(decision, "team-budget") is Kind.PRICE
    assert hopes_of(decision, work) == ()


def test_what_sends_nothing_is_not_kept_from_a_link_that_carries_too_much() -> None:
    places = fleet(replace(hall(A100), uplink_bytes_per_day=GIB))
    work = job()
    right, sent = Right(), (Carried("hall", 2 * GIB),)
    places.take("h@hall", (Slot("hall", "big", 1),), work.demand, carried=sent, right=right)
    assert decided(work, places).outcome is Outcome.PLACED
    talks = replace(service(), inference=replace(service().inference, requests_per_day=1_000))
    assert "volume-free" in misses(decided(talks, places), "hall")


def test_too_few_sites_is_said_by_one_rule() -> None:
    """What is taken now is not said of places of which there would be too few if nothing were."""
    plain = Offer("plain", Resources(0, 0, 64_000, 256 * GIB))
    places = fleet(replace(hall(A100, plain), engines=()))
    work = service(copies=2, spread=Spread.SITE, gpus=1, cpus_milli=40_000)
    places.take("h@hall", (Slot("hall", "big", 1),), replace(work.demand, resources=Resources(0, 0, 30_000, 0)))
    decision = decided(work, places)
    assert "spread" in misses(decision, "hall")
    assert "copies-free" not in misses(decision, "hall")
    assert audit(work, decision, places, LAW) == ()
