"""What the law may say, how it is read, and what a policy's own examples find."""

from dataclasses import replace

import pytest

from placement.fleet.fleet import Fleet
from placement.law.law import Law, check_data, check_policy, check_site
from placement.law.policy_test import run
from placement.rules.law import warnings
from tests.placement.places import BOOK, CLOUD, GDPR, HALL, PRESS, decided, fleet, job, misses, service
from tidegate.model.decision import Outcome, RulePrice, Slot
from tidegate.model.errors import Refused
from tidegate.model.explanation import summarise
from tidegate.model.money import Price, Team
from tidegate.model.policy import Alternative, Effect, Expression, Operator, Policy, PolicyTest, Rule
from tidegate.model.quantity import Resources
from tidegate.model.site import Pricing, Site
from tidegate.model.workload import Data, Demand

DEARER = replace(HALL.offers[0], instance_type="dear")


def policy(*require: Expression, **rule: object) -> Policy:
    return Policy("p", 1, rules=(Rule("r", require=require, **rule),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("expression", "field", "says"),
    [
        (Expression("site.juristiction", Operator.IN, ("DE",)), "key", "site.jurisdiction (did you mean that?)"),
        (Expression("site.operator_jurisdiction", Operator.IN, ("DE",)), "key", "site.operatorJurisdiction"),
        (Expression("colour", Operator.EXISTS), "key", "an attribute of workload"),
        (Expression("labels.", Operator.EXISTS), "key", "an attribute of workload"),
        (Expression("site.jurisdiction", Operator.GT, ("1",)), "operator", "one of DoesNotExist, Exists, In, NotIn"),
        (Expression("site.tier", Operator.CONTAINS_ANY, ("edge",)), "operator", "NotIn"),
        (Expression("site.tier", Operator.IN, ("edge", "moon")), "values[1]", "one of edge, on_prem, cloud"),
        (Expression("site.tier", Operator.IN, ("on-prem",)), "values[0]", "did you mean on_prem?"),
        (Expression("workload.kind", Operator.IN, ("Job",)), "values[0]", "TrainingJob"),
        (Expression("site.jurisdiction", Operator.IN, ("UK",)), "values[0]", "GB (did you mean that?)"),
        (Expression("site.jurisdiction", Operator.NOT_IN, ("DE", "EAA")), "values[1]", "EEA (did you mean that?)"),
        (Expression("site.jurisdiction", Operator.IN, ("US-CF",)), "values[0]", "US-SC"),
        (Expression("data.subjects", Operator.CONTAINS_ANY, ("XX",)), "values[0]", "a country such as DE"),
        (Expression("offer.pricing", Operator.NOT_IN, ("spots",)), "values[0]", "did you mean spot?"),
        (Expression("offer.gpumodel", Operator.IN, ("L4",)), "key", "offer.gpuModel (did you mean that?)"),
        (Expression("operator.jurisdiciton", Operator.IN, ("US",)), "key", "operator.jurisdiction"),
        (Expression("offer.elastic", Operator.IN, ("maybe",)), "values[0]", "true or false"),
        (Expression("data.deidentified", Operator.IN, ("yes",)), "values[0]", "true or false"),
        (Expression("data.bytesPerDay", Operator.LE, ("many",)), "values[0]", "a whole number"),
        (Expression("data.bytesPerDay", Operator.LE, ("1", "2")), "values", "one number"),
        (Expression("data.bytesPerDay", Operator.LE, ("9" * 5_000,)), "values[0]", "a whole number"),
        (Expression("site.region", Operator.EXISTS, ("x",)), "values", "no values"),
        (Expression("site.region", Operator.IN), "values", "at least one"),
    ],
)
def test_an_expression_that_means_nothing_is_refused_by_field(expression: Expression, field: str, says: str) -> None:
    with pytest.raises(Refused) as refused:
        check_policy(policy(expression))
    assert refused.value.field == f"rules[0].require[0].{field}"
    assert says in refused.value.wanted


def test_an_error_in_an_alternative_names_the_alternative() -> None:
    good, bad = Expression("site.region", Operator.EXISTS), Expression("nonsense", Operator.EXISTS)
    with pytest.raises(Refused) as refused:
        check_policy(policy(require_any=(Alternative((good,)), Alternative((good, bad)))))
    assert refused.value.field == "rules[0].requireAny[1][1].key"


def test_rules_that_nobody_can_have_meant_are_refused() -> None:
    exists = Expression("site.region", Operator.EXISTS)
    for wrong in (
        policy(),
        policy(require_any=(Alternative(()),)),
        Policy("p", 1, rules=(Rule("r", require=(exists,)), Rule("r", require=(exists,)))),
    ):
        with pytest.raises(Refused):
            check_policy(wrong)


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        (Expression("site.jurisdiction", Operator.IN, ("EU",)), {"press-7", "hall"}),
        (Expression("site.jurisdiction", Operator.NOT_IN, ("EEA",)), {"us-east-1"}),
        (Expression("site.operatorJurisdiction", Operator.IN, ("US",)), {"us-east-1"}),
        (Expression("site.location", Operator.EXISTS), {"press-7"}),
        (Expression("site.location", Operator.DOES_NOT_EXIST), {"hall", "us-east-1"}),
        (Expression("site.labels.floor", Operator.GE, ("2",)), {"hall"}),
        (Expression("site.certifications", Operator.CONTAINS_ANY, ("iso-27001", "c5")), {"us-east-1"}),
        (Expression("site.certifications", Operator.CONTAINS_ALL, ("soc2", "c5")), {"us-east-1"}),
        (Expression("site.certifications", Operator.IN, ("c5",)), set()),
        (Expression("site.certifications", Operator.NOT_IN, ("c5",)), {"press-7", "hall"}),
        (Expression("team", Operator.DOES_NOT_EXIST), {"press-7", "hall", "us-east-1"}),
        (Expression("data.subjects", Operator.CONTAINS_ANY, ("FR",)), {"press-7", "hall", "us-east-1"}),
    ],
)
def test_every_operator_on_sites_and_workloads(expression: Expression, allowed: set[str]) -> None:
    places = fleet(
        replace(PRESS, labels={"floor": "1"}),
        replace(HALL, labels={"floor": "2"}),
        replace(CLOUD, certifications=("soc2", "c5"), labels={"floor": "top"}),
    )
    work = replace(service(), data=Data(("public",), subjects=("EU",)))
    assert {one.site for one in decided(work, places, Law((policy(expression),))).ranked} == allowed


def test_a_label_of_more_digits_than_any_number_has_is_none() -> None:
    """It used to be taken and then to break every decision that met it."""
    places = fleet(replace(HALL, labels={"floor": "2"}), replace(CLOUD, labels={"floor": "9" * 5_000}))
    law = Law((policy(Expression("site.labels.floor", Operator.GE, ("2",))),))
    assert {one.site for one in decided(service(), places, law).ranked} == {"hall"}


def test_the_miss_cites_the_way_that_lacks_least() -> None:
    decision = decided(replace(service(), data=Data(("pii",))))
    miss = misses(decision, "us-east-1")["gdpr/residency"]
    assert (miss.key, miss.wanted, miss.found) == ("site.jurisdiction", ("EEA",), ("US",))


def test_a_rule_that_warns_is_told_and_removes_nothing() -> None:
    warns = replace(GDPR, rules=(replace(GDPR.rules[0], effect=Effect.WARN),))
    decision = decided(replace(service(), data=Data(("pii",))), fleet(CLOUD), Law((warns,)))
    assert decision.outcome is Outcome.PLACED
    assert "gdpr/residency" in misses(decision, "us-east-1")
    assert not decision.columns[0].enforced


def test_unknown_data_meets_a_requirement_only_where_it_is_named() -> None:
    work = replace(service(), data=Data())
    public = Law((policy(Expression("data.classes", Operator.IN, ("public",))),))
    named = Law((policy(Expression("data.classes", Operator.CONTAINS_ANY, ("unknown",))),))
    assert decided(work, law=public).outcome is Outcome.REFUSED
    assert decided(work, law=named).outcome is Outcome.PLACED


def test_a_policys_own_examples() -> None:
    tests = (
        PolicyTest("stays home", Data(("pii",)), allows=("hall",), forbids=("us-east-1",)),
        PolicyTest("wrong", Data(("pii",)), allows=("us-east-1",), forbids=("hall", "atlantis")),
        PolicyTest("training too", Data(("pii",), (), True, "the officer"), kind="TrainingJob", allows=("us-east-1",)),
    )
    good, wrong, training = run(replace(GDPR, tests=tests), (PRESS, HALL, CLOUD))
    assert good.passed and training.passed and not wrong.passed
    assert wrong.wrongly_refused == (("us-east-1", "gdpr/residency"),)
    assert wrong.wrongly_allowed == ("hall",)
    assert wrong.unknown_sites == ("atlantis",)


TWO = replace(BOOK, prices=(*BOOK.prices, Price("dear", 3_000_000)))
PUBLIC = Data(("public",))
IN, NOT_IN = Operator.IN, Operator.NOT_IN
ANY = Operator.CONTAINS_ANY


def allowed(law: Law, *, data: Data = PUBLIC, on: Fleet | None = None, team: str = "") -> set[str]:
    """The sites that the law alone allows."""
    work = replace(service(), data=data, team=team)
    places = on or fleet()
    answer = [rule.allows(work, places) for rule in law.rules if rule.enforced]
    return {name for row, name in enumerate(places.columns.names) if all(mask[row] for mask in answer)}


def test_what_exempts_must_hold_whole() -> None:
    exempt = (Expression("site.tier", IN, ("cloud",)), Expression("site.certifications", ANY, ("c5",)))
    law = Law((policy(Expression("site.operator", IN, ("self",)), unless=exempt),))
    certified = replace(CLOUD, certifications=("c5",))
    assert allowed(law) == {"press-7", "hall"}
    assert allowed(law, on=fleet(PRESS, certified)) == {"press-7", "us-east-1"}


def test_what_is_not_known_of_data_exempts_from_nothing() -> None:
    exempt = (Expression("data.deidentified", IN, ("true",)),)
    law = Law((policy(Expression("site.operator", IN, ("self",)), unless=exempt),))
    assert "us-east-1" in allowed(law, data=Data(("phi",), ("US",), True, "officer, record 3"))
    assert "us-east-1" not in allowed(law, data=Data(("phi",), ("US",), True))


def test_a_claim_without_an_attestation_is_neither_true_nor_false() -> None:
    claimed = Data(("pii",), ("DE",), True)
    for wanted in ("true", "false"):
        about = Expression("data.deidentified", IN, (wanted,))
        assert allowed(Law((policy(about),)), data=claimed) == set()
        law = Law((policy(Expression("site.operator", IN, ("self",)), when=(about,)),))
        assert allowed(law, data=claimed) == {"press-7", "hall"}


def test_people_of_whom_nothing_was_said_may_be_anybody() -> None:
    law = Law(
        (policy(Expression("site.jurisdiction", IN, ("EEA",)), when=(Expression("data.subjects", ANY, ("DE",)),)),)
    )
    assert allowed(law, data=Data(("pii",))) == {"press-7", "hall"}
    assert "us-east-1" in allowed(law, data=Data(("pii",), ("US",)))


@pytest.mark.parametrize(
    ("region", "expression", "holds"),
    [
        ("US-CA", Expression("site.jurisdiction", IN, ("US",)), True),
        ("US-CA", Expression("site.jurisdiction", IN, ("US-CA", "US-NY")), True),
        ("US-TX", Expression("site.jurisdiction", IN, ("US-CA",)), False),
        ("", Expression("site.jurisdiction", IN, ("US-CA",)), False),
        ("US-TX", Expression("site.jurisdiction", NOT_IN, ("US-CA",)), True),
        ("", Expression("site.jurisdiction", NOT_IN, ("US-CA",)), False),
        ("", Expression("site.jurisdiction", NOT_IN, ("DE-SN",)), True),
    ],
)
def test_a_region_lies_in_its_country_and_one_not_told_may_be_any(
    region: str, expression: Expression, holds: bool
) -> None:
    places = fleet(replace(CLOUD, jurisdiction_region=region))
    assert (allowed(Law((policy(expression),)), on=places) == {"us-east-1"}) is holds


def test_a_rule_on_offers_leaves_the_others_to_the_packing() -> None:
    law = Law((policy(Expression("offer.pricing", NOT_IN, ("spot",))),), BOOK)
    assert decided(job()).slots == (Slot("us-east-1", "c6", 1),)
    assert decided(job(gpus=1)).slots == (Slot("us-east-1", "g5", 1),)
    decision = decided(job(gpus=1), law=law)
    assert decision.outcome is Outcome.REFUSED
    assert set(misses(decision, "us-east-1")) == {"copies"}
    assert decided(job(), law=law).slots == (Slot("us-east-1", "c6", 1),)


def test_a_site_without_a_lawful_offer_is_refused_and_told_of_the_nearest() -> None:
    law = Law((policy(Expression("offer.zone", IN, ("c",)), Expression("offer.pricing", IN, ("on_demand",))),), BOOK)
    decision = decided(job(), law=law)
    miss = misses(decision, "us-east-1")["p/r"]
    assert (miss.offer, miss.key, miss.found) == ("c6", "offer.zone", ("b",))
    assert "copies" not in misses(decision, "us-east-1")


def test_a_site_that_offers_nothing_has_nothing_to_forbid() -> None:
    law = Law((policy(Expression("offer.pricing", IN, ("owned",))),))
    assert allowed(law, on=fleet(replace(CLOUD, offers=()))) == {"us-east-1"}


def test_rules_may_ask_who_pays() -> None:
    law = Law(
        (policy(Expression("team.labels.unit", IN, ("research",))),), teams=(Team("lab", labels={"unit": "research"}),)
    )
    assert len(allowed(law, team="lab")) == 3
    assert allowed(law, team="sales") == set()


def preferring(micros: int, *require: Expression) -> Policy:
    return policy(*require, effect=Effect.PREFER, penalty_micros_per_hour=micros)


def test_a_rule_that_prefers_is_worth_its_price_and_no_more() -> None:
    own = Expression("site.labels.green", IN, ("yes",))
    places = fleet(replace(HALL, name="brown"), replace(HALL, name="green", labels={"green": "yes"}, offers=(DEARER,)))
    plain = decided(service(gpus=1), places, Law((), TWO))
    assert plain.sites == ("brown",)
    apart = plain.ranked[1].cost.total - plain.ranked[0].cost.total
    assert decided(service(gpus=1), places, Law((preferring(apart - 1, own),), TWO)).sites == ("brown",)
    leaning = decided(service(gpus=1), places, Law((preferring(apart + 1, own),), TWO))
    assert leaning.sites == ("green",)
    assert leaning.cost == plain.ranked[1].cost
    assert [one.penalty_micros_per_hour for one in leaning.ranked] == [0, apart + 1]
    assert leaning.columns[0].penalty_micros_per_hour == apart + 1
    assert [(one.rule, one.penalty_micros_per_hour) for one in summarise(leaning)] == [("p/r", apart + 1)]


def test_no_penalty_outbids_a_rule_that_is_enforced() -> None:
    away = preferring(10**12, Expression("site.operator", IN, ("aws",)))
    home = Policy("q", 1, rules=(Rule("home", require=(Expression("site.operator", IN, ("self",)),)),))
    decision = decided(service(), law=Law((away, home), BOOK))
    assert decision.sites == ("press-7",)
    assert decision.ranked[0].penalty_micros_per_hour == 10**12


def test_a_preference_about_offers_looks_at_those_that_were_chosen() -> None:
    law = Law((preferring(5_000_000, Expression("offer.pricing", NOT_IN, ("spot",))),), BOOK)
    assert [one.penalty_micros_per_hour for one in decided(job(gpus=1), law=law).ranked] == [5_000_000]
    assert [one.penalty_micros_per_hour for one in decided(job(), law=law).ranked] == [0]


@pytest.mark.parametrize(("effect", "micros"), [(Effect.PREFER, 0), (Effect.ENFORCE, 5), (Effect.WARN, 5)])
def test_a_price_belongs_to_a_preference_and_to_nothing_else(effect: Effect, micros: int) -> None:
    with pytest.raises(Refused) as refused:
        check_policy(policy(Expression("site.region", Operator.EXISTS), effect=effect, penalty_micros_per_hour=micros))
    assert refused.value.field == "rules[0].penalty"


def test_a_rule_on_two_classes_binds_whoever_holds_both_one_of_them_in_its_model() -> None:
    """Each set of data by itself holds one of the two; the service answers from both."""
    both = Expression("data.classes", Operator.CONTAINS_ALL, ("phi", "pci"))
    apart = tuple(Expression("data.classes", Operator.CONTAINS_ANY, (name,)) for name in ("phi", "pci"))
    home = Expression("site.operator", Operator.IN, ("self",))
    bank = replace(service(), data=Data(("pci",)), carries=(Data(("phi",)),))
    for when in ((both,), apart):
        law = Law((policy(home, when=when),))
        assert {one.site for one in decided(bank, law=law).ranked} == {"press-7", "hall"}
        assert "us-east-1" in {one.site for one in decided(replace(bank, carries=()), law=law).ranked}
    single = Law((policy(home, when=(apart[0], Expression("data.deidentified", Operator.IN, ("false",)))),))
    research = Data(("phi",), deidentified=True, attestation="the board")
    assert "us-east-1" in {one.site for one in decided(replace(bank, carries=(research,)), law=single).ranked}


def test_a_service_is_bound_by_what_its_model_was_made_from() -> None:
    public = replace(service(), data=Data(("public",)))
    assert "us-east-1" in {one.site for one in decided(replace(public, demand=Demand(Resources()))).ranked}
    bound = replace(public, carries=(Data(("pii",), ("DE",)),))
    assert misses(decided(bound), "us-east-1")["gdpr/residency"].found == ("US",)
    research = replace(public, carries=(Data(("pii",), ("DE",), True, "officer, record 7"),))
    assert "gdpr/residency" not in misses(decided(research), "us-east-1")


@pytest.mark.parametrize(
    ("data", "field", "says"),
    [
        (Data(("PHI",)), "data.classes[0]", "phi (did you mean that?)"),
        (Data(("public", "trade_secret")), "data.classes[1]", "trade-secret"),
        (Data(("pii",), ("DE", "UK")), "data.subjects[1]", "GB"),
        (Data(("pii",), ("US-QQ",)), "data.subjects[0]", "US"),
    ],
)
def test_data_that_says_what_it_hardly_can_mean_is_refused(data: Data, field: str, says: str) -> None:
    with pytest.raises(Refused) as refused:
        check_data(data, Law(), "data")
    assert (refused.value.field, says in refused.value.wanted) == (field, True)


def test_classes_of_ones_own_are_free_and_a_policy_makes_a_likely_slip_known() -> None:
    check_data(Data(("telemetry", "blueprints", "phi", "unknown"), ("EEA", "US-CA")), Law(), "data")
    ours = policy(Expression("site.operator", IN, ("self",)), when=(Expression("data.classes", ANY, ("phi2",)),))
    with pytest.raises(Refused):
        check_data(Data(("phi2",)), Law(), "data")
    check_data(Data(("phi2",)), Law((ours,)), "data")
    assert warnings(ours) == ('rules[0].when: class "phi2" is no known one; did you mean phi?',)


@pytest.mark.parametrize(
    ("site", "field"),
    [
        (replace(PRESS, jurisdiction="UK"), "site.jurisdiction"),
        (replace(PRESS, jurisdiction="EU"), "site.jurisdiction"),
        (replace(PRESS, operator_jurisdiction="ZZ"), "site.operator_jurisdiction"),
        (replace(PRESS, jurisdiction_region="US-CA"), "site.jurisdiction_region"),
        (replace(PRESS, jurisdiction_region="DE-XX"), "site.jurisdiction_region"),
    ],
)
def test_a_site_lies_in_a_country_that_exists(site: Site, field: str) -> None:
    with pytest.raises(Refused) as refused:
        check_site(site, "site")
    assert refused.value.field == field
    check_site(replace(PRESS, jurisdiction_region="DE-SN", operator_jurisdiction="US"), "site")


def test_an_example_may_name_an_offer() -> None:
    own = policy(Expression("offer.pricing", NOT_IN, ("spot",)))
    example = PolicyTest("no spot", Data(("public",)), allows=("us-east-1", "us-east-1/c6"), forbids=("us-east-1/g5",))
    (result,) = run(replace(own, tests=(example,)), (CLOUD,))
    assert result.passed


def test_a_rule_on_offers_has_its_price_where_it_forbids_the_cheaper_of_two() -> None:
    spot = replace(CLOUD.offers[1], name="c6-spot", instance_type="c6", pricing=Pricing.SPOT)
    places = fleet(replace(CLOUD, offers=(*CLOUD.offers, spot)))
    book = replace(BOOK, prices=(*BOOK.prices, Price("c6", 100_000, pricing=Pricing.SPOT)))
    free = decided(job(), places, Law((), book))
    bound = decided(job(), places, Law((policy(Expression("offer.pricing", NOT_IN, ("spot",))),), book))
    assert (free.slots[0].offer, bound.slots[0].offer) == ("c6-spot", "c6")
    assert bound.rule_prices == (RulePrice("p/r", "us-east-1", bound.cost.total - free.cost.total),)


def test_a_rule_on_offers_has_its_price_where_it_refuses_a_whole_site() -> None:
    cheap = replace(CLOUD, name="cheap", offers=(replace(CLOUD.offers[1], pricing=Pricing.SPOT),))
    places = fleet(CLOUD, cheap)
    book = replace(BOOK, prices=(*BOOK.prices, Price("c6", 100_000, pricing=Pricing.SPOT)))
    bound = decided(job(), places, Law((policy(Expression("offer.pricing", NOT_IN, ("spot",))),), book))
    assert bound.sites == ("us-east-1",)
    assert [(price.rule, price.cheaper_site) for price in bound.rule_prices] == [("p/r", "cheap")]
