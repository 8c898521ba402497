"""What a refusal says of waiting: of what kind each rule's "no" is, where quotas and links are in the way."""

from dataclasses import replace

from broker.core.accounting import hopes_of
from placement.audit.auditor import audit
from placement.engine import decide
from placement.fleet.facts import Carried
from placement.law.law import Law
from placement.quota.accounts import Account, Charge
from placement.quota.ledger import Right
from tests.placement.places import BOOK, CLOUD, GIB, HALL, LAW, decided, fleet, job, misses, service
from tidegate.model.decision import Kind, Outcome, Slot
from tidegate.model.money import Team
from tidegate.model.quantity import Resources
from tidegate.model.site import Engine, Offer, Pricing, Site
from tidegate.model.workload import Gang, Spread

HOUR_MS = 3_600_000
TEAM = "lab"
A100 = Offer("big", Resources(4, 40 * GIB, 64_000, 256 * GIB), gpu_model="a100", instance_type="node")
A30 = Offer("small", Resources(1, 24 * GIB, 32_000, 128 * GIB), gpu_model="a30", instance_type="node")


def hall(*offers: Offer, name: str = "hall") -> Site:
    return replace(HALL, name=name, engines=tuple(Engine), offers=offers)


def bought(offer: Offer, instance_type: str) -> Offer:
    return replace(offer, pricing=Pricing.ON_DEMAND, instance_type=instance_type)


def audited(decision, work, places, law=LAW) -> bool:
    return audit(work, decision, places, law) == ()


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


def test_a_quota_at_one_place_and_the_month_at_the_other_leave_none_to_wait_for() -> None:
    """Each of the two rules left one place, so that each seemed to pass."""
    law = Law((), BOOK, (Team(TEAM, limit_models={"a30": 500}, budget_micros_per_month=1_000_000),))
    free = replace(A30, pricing=Pricing.OWNED, instance_type="ours")
    places = fleet(hall(free), hall(A100, name="other"))
    work = replace(job(gpus=1), team=TEAM)
    decision = decided(work, places, law)
    assert set(misses(decision, "hall")) == {"team-limit"}
    assert set(misses(decision, "other")) == {"team-budget"}
    assert hopes_of(decision, work) == ()
    assert audited(decision, work, places, law)


def test_a_place_whose_model_the_quota_never_allows_is_not_among_those_that_are_hoped_for() -> None:
    """It would be kept for who waits, in the end, though nothing of it could ever be had."""
    law = Law((), BOOK, (Team(TEAM, limit_models={"a30": 500, "a100": 1_000}),))
    places = fleet(hall(A30), hall(A100, name="other"))
    work = replace(job(gpus=1), team=TEAM)
    places.take("h@other", (Slot("other", "big", 1),), work.demand, TEAM)
    decision = decided(work, places, law)
    assert kind(decision, "team-limit") is Kind.QUOTA
    assert hopes_of(decision, work) == ("other",)
    assert audited(decision, work, places, law)


def test_a_price_is_of_the_models_that_the_team_could_have() -> None:
    """Where it may have none of them now, whichever was cheapest was held against its ceiling."""
    for of_a100, of_a30, hopes in (("c6", "node", ()), ("node", "c6", ("hall",))):
        law = Law((), BOOK, (Team(TEAM, limit_models={"a100": 500, "a30": 1_000}),))
        places = fleet(hall(bought(A100, of_a100), replace(bought(A30, of_a30), count=2)))
        work = replace(job(gpus=1), team=TEAM, max_cost_micros_per_hour=1_000_000)
        places.take("h@hall", (Slot("hall", "small", 1),), work.demand, TEAM)
        decision = decided(work, places, law)
        assert "team-limit" in misses(decision, "hall")
        assert hopes_of(decision, work) == hopes
        assert audited(decision, work, places, law)


def test_copies_that_would_stand_closer_are_not_priced_on_a_model_that_the_team_could_never_have() -> None:
    """They were at one place where they were at another as well, and else not."""
    law = Law((), BOOK, (Team(TEAM, limit_models={"a100": 500, "a30": 2_000}, budget_micros_per_month=1_000_000),))
    work = replace(job(workers=2, gpus=1), team=TEAM)
    work = replace(work, training=replace(work.training, gang=Gang.SPREAD))
    closer = hall(A100, name="closer")
    for others in ((), (closer,)):
        places = fleet(hall(A100, replace(A30, count=1)), *others)
        places.take("h@hall", (Slot("hall", "small", 1),), work.demand, TEAM)
        decision = decided(work, places, law)
        assert {"team-limit", "copies"} <= set(misses(decision, "hall"))
        assert "team-budget" not in misses(decision, "hall")
        assert audited(decision, work, places, law)


def test_what_falls_back_on_cpus_is_held_to_its_quota_where_there_is_no_gpu() -> None:
    """Quotas that speak of models were asked nothing there, so that a team could hold more than its limit."""
    bare = Offer("c6", Resources(0, 0, 8_000, 32 * GIB))
    places = fleet(hall(bare))
    team = Team(TEAM, limit=Resources(cpus_milli=1_000), limit_models={"a30": 1_000})
    law = Law((), BOOK, (team,))
    work = replace(job(gpus=1, cpus_milli=2_000), team=TEAM)
    work = replace(work, demand=replace(work.demand, cpu_fallback=True))
    decision = decided(work, places, law)
    assert set(misses(decision, "hall")) == {"team-limit"}
    assert hopes_of(decision, work) == ()
    assert audited(decision, work, places, law)
    enough = Law((), BOOK, (replace(team, limit=Resources(cpus_milli=2_000)),))
    assert decided(work, places, enough).outcome is Outcome.PLACED


def test_a_budget_that_pays_for_the_rest_of_this_month_and_for_no_whole_one_is_not_waited_for() -> None:
    """Each month began with a refusal, and it waited on."""
    days = 24 * HOUR_MS
    now, places, work = (
        21 * days,
        fleet(hall(bought(A100, "node"))),
        replace(job(gpus=1), team=TEAM),
    )  # 10 days are left, at 2 $/h
    for budget, owed, hopes in ((500, 400, ()), (500, 0, ("hall",)), (1_400, 1_400, ("hall",))):
        law = Law((), BOOK, (Team(TEAM, budget_micros_per_month=budget * 1_000_000),))
        running = {"h": Charge(1_000_000, now)}  # 240 $ more by the end of the month
        places.ledger.accounts = {TEAM: Account(running, {"1970-01": owed * 1_000_000 * HOUR_MS})}
        decision = decide(work, places, law, now=now, revision=9)
        assert set(misses(decision, "hall")) == {"team-budget"}
        assert hopes_of(decision, work) == hopes
        assert audited(decision, work, places, law)
