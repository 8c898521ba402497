"""What the law may say, how it is read, and what a policy's own examples find."""

from dataclasses import replace

import pytest

from placement.law import Law, check_policy
from placement.policy_test import run
from tests.placement.places import CLOUD, GDPR, HALL, PRESS, decided, fleet, misses, service
from tidegate.model.decision import Outcome
from tidegate.model.errors import Refused
from tidegate.model.policy import Alternative, Effect, Expression, Operator, Policy, PolicyTest, Rule
from tidegate.model.workload import Data


def policy(*require: Expression, **rule: object) -> Policy:
    return Policy("p", 1, rules=(Rule("r", require=require, **rule),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("expression", "field", "says"),
    [
        (Expression("site.juristiction", Operator.IN, ("DE",)), "key", "site.jurisdiction (did you mean that?)"),
        (Expression("site.operator_jurisdiction", Operator.IN, ("DE",)), "key", "site.operatorJurisdiction"),
        (Expression("colour", Operator.EXISTS), "key", "an attribute of site"),
        (Expression("labels.", Operator.EXISTS), "key", "an attribute of site"),
        (Expression("site.jurisdiction", Operator.GT, ("1",)), "operator", "one of DoesNotExist, Exists, In, NotIn"),
        (Expression("site.tier", Operator.CONTAINS_ANY, ("edge",)), "operator", "NotIn"),
        (Expression("site.tier", Operator.IN, ("edge", "moon")), "values[1]", "one of edge, on_prem, cloud"),
        (Expression("workload.kind", Operator.IN, ("Job",)), "values[0]", "TrainingJob"),
        (Expression("data.deidentified", Operator.IN, ("yes",)), "values[0]", "true or false"),
        (Expression("data.bytesPerDay", Operator.LE, ("many",)), "values[0]", "a whole number"),
        (Expression("data.bytesPerDay", Operator.LE, ("1", "2")), "values", "one number"),
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
        PolicyTest("training too", Data(("pii",), deidentified=True), kind="TrainingJob", allows=("us-east-1",)),
    )
    good, wrong, training = run(replace(GDPR, tests=tests), (PRESS, HALL, CLOUD))
    assert good.passed and training.passed and not wrong.passed
    assert wrong.wrongly_refused == (("us-east-1", "gdpr/residency"),)
    assert wrong.wrongly_allowed == ("hall",)
    assert wrong.unknown_sites == ("atlantis",)
