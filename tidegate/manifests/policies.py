"""The part of the table that is about policies: rules, their expressions, and the examples beside them.

    rules:
    - name: phi-at-home
      when:    [{key: data.classes, operator: ContainsAny, values: [phi]}]
      unless:  [{key: data.deidentified, operator: In, values: [true]}]
      require: [{key: operator.name, operator: In, values: [self]}]

Which keys there are, and what may be said of each, the engine checks when the policy is applied or tested.
"""

from collections.abc import Iterator

from tidegate.manifests import values as v
from tidegate.manifests.data import DATA, LABELS
from tidegate.manifests.shapes import Field, Group, ListOf, Record, Through, Wrong
from tidegate.model.policy import Alternative, Effect, Expression, Operator, PolicyTest, Rule
from tidegate.model.workload import Audit, WorkloadKind

PLACES = ListOf(v.NAME_IN_SITE)
LABEL_LIST = Through(
    LABELS,
    lambda labels: tuple(f"{name}={value}" for name, value in labels.items()),
    lambda pairs: dict(pair.split("=", 1) for pair in pairs),
)


def _check_expression(one: Expression) -> Iterator[Wrong]:
    if one.operator in (Operator.EXISTS, Operator.DOES_NOT_EXIST):
        if one.values:
            yield Wrong("values", f"excludes operator {one.operator}, which takes none")
    elif one.operator in (Operator.GT, Operator.GE, Operator.LT, Operator.LE):
        if len(one.values) != 1:
            yield Wrong("values", f"must be exactly one for operator {one.operator}")
    elif not one.values:
        yield Wrong("values", f"must be at least one for operator {one.operator}")


def _check_rule(rule: Rule) -> Iterator[Wrong]:
    if not rule.require and not rule.require_any:
        yield Wrong("require", "is missing, and requireAny too: the rule would forbid nothing")
    if rule.effect is Effect.PREFER and not rule.penalty_micros_per_hour:
        yield Wrong(
            "penalty", "is missing: a rule that prefers says at what price", "such as penalty: $0.50 (per hour)"
        )
    if rule.effect is not Effect.PREFER and rule.penalty_micros_per_hour:
        yield Wrong("penalty", f"excludes effect: {rule.effect}", "give effect: prefer, or leave it out")


def _check_policy_test(test: PolicyTest) -> Iterator[Wrong]:
    if not test.allows and not test.forbids and not test.warns:
        yield Wrong("allows", "is missing, and forbids and warns too: the test would test nothing")
    for site in sorted(set(test.allows) & set(test.forbids)):
        yield Wrong("forbids", f'"{site}" is in allows as well')


EXPRESSIONS = ListOf(
    Record(
        Expression,
        (
            Field("key", v.TEXT, "An attribute, such as data.classes or site.jurisdiction.", "key", required=True),
            Field("operator", v.choice(Operator), "How it is compared.", "operator", required=True),
            Field("values", ListOf(v.PLAIN), "What it is compared with.", "values"),
        ),
        _check_expression,
    ),
    least=1,
)
RULE = Record(
    Rule,
    (
        Field("name", v.NAME, "The rule's name, its own within the policy.", "name", required=True),
        Field("because", v.TEXT, "The law or reason behind it.", "because"),
        Field("when", EXPRESSIONS, "Where it applies: all must hold. Left out: always.", "when"),
        Field("require", EXPRESSIONS, "What must all hold then.", "require"),
        Field(
            "requireAny",
            ListOf(Through(EXPRESSIONS, Alternative, lambda one: one.expressions), least=1),
            "Lists of which one must hold whole.",
            "require_any",
        ),
        Field("unless", EXPRESSIONS, "Where it does not apply after all: all must hold.", "unless"),
        Field(
            "effect",
            v.choice(Effect),
            "Whether a no forbids, only warns, or makes a place or an offer dearer.",
            "effect",
        ),
        Field(
            "penalty",
            v.MONEY,
            "With prefer: US dollars per hour that a no counts as, at a place or, on offers, where copies stand.",
            "penalty_micros_per_hour",
        ),
    ),
    _check_rule,
)
EXAMPLE = (
    Field("data", DATA, "What it reads.", "data", required=True),
    Field("kind", Through(v.choice(WorkloadKind), str, str), "What it is.", "kind"),
    Field("team", v.NAME, "Whose it is.", "team"),
    Field("labels", LABEL_LIST, "Its labels.", "labels"),
    Field("audit", v.choice(Audit), "Which of its predictions are recorded.", "audit"),
)
POLICY_TEST = Record(
    PolicyTest,
    (
        Field("name", v.TEXT, "What is shown, as a sentence.", "name", required=True),
        Field("workload", Group(EXAMPLE), "The example.", required=True),
        Field("allows", PLACES, "Sites, or offers as site/offer, that the policy must allow it.", "allows"),
        Field("forbids", PLACES, "Sites, or offers as site/offer, that the policy must forbid it.", "forbids"),
        Field("warns", PLACES, "Those that it must allow, and object to by a rule that warns or prefers.", "warns"),
    ),
    _check_policy_test,
)
POLICY = (
    Field("because", v.TEXT, "The law behind it.", "because"),
    Field("rules", ListOf(RULE, least=1, distinct="name"), "The conditions.", "rules", required=True),
    Field("tests", ListOf(POLICY_TEST, distinct="name"), "Examples that must come out as said.", "tests"),
    Field("sources", ListOf(v.TEXT), "Where the law is written.", "sources"),
)
