"""Rules that prefer some offers steer which of a place's offers copies stand on, at their price and no more."""

from dataclasses import replace

import pytest

from placement.audit.auditor import audit
from placement.classes import consider
from placement.fleet.fleet import Fleet
from placement.law.law import Law
from placement.verdicts import Question
from tests.placement.places import CLOUD, GIB, decided, fleet, job, misses
from tidegate.model.decision import Outcome
from tidegate.model.money import Price, PriceBook, Team
from tidegate.model.policy import Effect, Expression, Operator, Policy, Rule
from tidegate.model.quantity import Resources
from tidegate.model.site import Offer, Pricing, Site
from tidegate.model.workload import Workload

HALF = Resources(0, 0, 4_000, 16 * GIB)
SPOT, FIRM = 100_000, 150_000
BOOK = PriceBook("list", 1, prices=(Price("spot", SPOT, pricing=Pricing.SPOT), Price("firm", FIRM)))
REGION = replace(
    CLOUD,
    name="region",
    offers=(
        Offer("spot", HALF, 10, True, Pricing.SPOT, zone="a"),
        Offer("firm", HALF, 1, True, Pricing.ON_DEMAND, zone="a"),
        Offer("firm-b", HALF, 1, True, Pricing.ON_DEMAND, instance_type="firm", zone="b"),
    ),
)


def law(micros: int, *more: Rule, teams: tuple[Team, ...] = ()) -> Law:
    """It would rather not have spot capacity, for so much."""
    firm = (Expression("offer.pricing", Operator.NOT_IN, ("spot",)),)
    rule = Rule("firm", require=firm, effect=Effect.PREFER, penalty_micros_per_hour=micros)
    return Law((Policy("p", 1, rules=(rule, *more)),), BOOK, teams=teams)


def offers(workload: Workload, in_force: Law, on: Fleet | None = None) -> list[tuple[str, int]]:
    """Where copies stand; the auditor has passed it."""
    places = on or fleet(REGION)
    decision = decided(workload, places, in_force)
    assert audit(workload, decision, places, in_force) == ()
    return [(slot.offer, slot.count) for slot in decision.slots]


def large(workers: int = 1, **changes: object) -> Workload:
    """A machine each."""
    return replace(job(workers, cpus_milli=4_000), **changes)  # type: ignore[arg-type]


def test_the_cheapest_offer_by_score_and_not_by_price_alone():
    apart = FIRM - SPOT
    assert offers(large(), law(apart - 1)) == [("spot", 1)]
    assert offers(large(), law(apart)) == [("firm", 1)], "of equals, what less is against"
    assert offers(large(), law(apart + 1)) == [("firm", 1)]
    (one,) = decided(large(), fleet(REGION), law(apart + 1)).ranked
    assert (one.cost.total, one.penalty_micros_per_hour, one.score.cost_micros_per_hour) == (FIRM, 0, FIRM)
    (one,) = decided(large(), fleet(REGION), law(apart - 1)).ranked
    assert (one.cost.total, one.penalty_micros_per_hour, one.score.cost_micros_per_hour) == (SPOT, apart - 1, FIRM - 1)


def test_several_offers_that_are_liked_before_one_that_is_not():
    apart = 2 * (FIRM - SPOT)
    assert offers(large(2), law(apart + 1)) == [("firm", 1), ("firm-b", 1)]
    assert offers(large(2), law(apart - 1)) == [("spot", 2)]
    assert offers(large(3), law(10**12)) == [("spot", 3)], "where some would stand on it anyway, all may"


def test_a_place_wins_by_what_it_would_cost_with_its_liked_offers():
    other = replace(REGION, name="other", offers=(Offer("firm", HALF, 1, True, Pricing.ON_DEMAND),))
    cheap = replace(REGION, name="spots", offers=(Offer("spot", HALF, 1, True, Pricing.SPOT),))
    places = fleet(cheap, other)
    assert decided(large(), places, law(1)).sites == ("spots",)
    assert decided(large(), places, law(FIRM)).sites == ("other",)
    decision = decided(large(), fleet(cheap, REGION), law(FIRM))
    assert decision.sites == ("region",)
    assert decision.margin_micros_per_hour == SPOT - FIRM, "in money alone, which it gives up"


@pytest.mark.parametrize("bound", ["ceiling", "budget"])
def test_no_preference_outbids_what_is_enforced(bound: str):
    teams = (Team("ml", budget_micros_per_month=FIRM * 31 * 24 - 1),) if bound == "budget" else ()
    work = large(max_cost_micros_per_hour=FIRM - 1) if bound == "ceiling" else large(team="ml")
    assert offers(work, law(10**12, teams=teams)) == [("spot", 1)], "there is room for what can be paid"
    forbidden = Rule("spot", require=(Expression("offer.pricing", Operator.IN, ("spot",)),))
    assert offers(large(), law(10**12, forbidden)) == [("spot", 1)]


def test_nobody_falls_back_on_cpus_for_a_preference():
    gpu = Offer("g", replace(HALF, gpus=1, gpu_memory_bytes=GIB), 1, True, Pricing.SPOT, instance_type="spot")
    places = fleet(replace(REGION, offers=(gpu, REGION.offers[1])))
    demand = replace(job(gpus=1).demand, cpu_fallback=True)
    assert offers(replace(job(), demand=demand), law(10**12), places) == [("g", 1)]


def test_what_rules_cost_is_told_of_the_cheapest_offers():
    away = replace(REGION, name="away", jurisdiction="DE")
    home = Rule("home", require=(Expression("site.jurisdiction", Operator.IN, ("DE",)),))
    dear = replace(away, offers=(replace(REGION.offers[1], instance_type="dear"),))
    book = replace(BOOK, prices=(*BOOK.prices, Price("dear", 400_000)))
    one = law(10**12, home)
    decision = decided(large(), fleet(REGION, dear), Law(one.policies, book))
    assert [(price.rule, price.micros_per_hour) for price in decision.rule_prices] == [("p/home", 400_000 - SPOT)]
    assert misses(decision, "region").keys() == {"p/home"}


def test_several_rules_at_once_and_one_that_does_not_apply():
    zone = Rule(
        "zone",
        require=(Expression("offer.zone", Operator.IN, ("b",)),),
        effect=Effect.PREFER,
        penalty_micros_per_hour=7,
    )
    assert offers(large(), law(FIRM, zone)) == [("firm-b", 1)]
    quiet = replace(zone, when=(Expression("workload.name", Operator.IN, ("nobody",)),))
    assert offers(large(), law(FIRM, quiet)) == [("firm", 1)]


def test_the_auditor_knows_a_standing_that_is_liked_better():
    in_force, places = law(FIRM), fleet(REGION)
    cheapest = decided(large(), places, law(1))
    said = replace(decided(large(), places, in_force), ranking=cheapest.ranking, slots=cheapest.slots)
    assert any("another standing scores" in one for one in audit(large(), said, places, in_force))


def test_what_is_not_liked_follows_what_comes_and_goes():
    in_force, places = law(FIRM), fleet(REGION)
    for number, expected in enumerate(("firm", "firm-b", "spot")):
        decision = decided(large(), places, in_force)
        assert [slot.offer for slot in decision.slots] == [expected]
        places.take(f"w{number}", decision.slots, large().demand)
    places.release("w0")
    assert [slot.offer for slot in decided(large(), places, in_force).slots] == ["firm"]


def test_work_to_which_no_such_rule_speaks_pays_nothing():
    def stands(in_force: Law, site: Site = REGION) -> bool:
        considered = consider(large(), fleet(site), Question(in_force))
        return considered.placing is considered.verdicts

    site_alone = Rule(
        "near",
        require=(Expression("site.tier", Operator.IN, ("edge",)),),
        effect=Effect.PREFER,
        penalty_micros_per_hour=1,
    )
    assert stands(Law((Policy("p", 1, rules=(site_alone,)),), BOOK))
    assert not stands(law(FIRM))
    assert stands(law(1)), "what costs too much is not chosen"
    assert decided(large(), fleet(replace(REGION, offers=())), law(1)).outcome is Outcome.REFUSED
