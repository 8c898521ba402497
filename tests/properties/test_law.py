"""The compiled law and the auditor's own reading of it say the same, whatever attributes and operators a rule has."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from placement.audit import meaning
from placement.law.law import Law, check_policy
from placement.rules.attributes import ATTRIBUTES, LISTS, OPERATORS, ORDER, PRESENCE, Attribute, Type, attribute
from tests.properties.worlds import World, workloads, worlds
from tidegate.model.money import Team
from tidegate.model.policy import Alternative, Effect, Expression, Operator, Policy, Rule
from tidegate.model.workload import Workload

TEAMS = (Team("vision", labels={"unit": "research", "level": "3"}), Team("idle"))
LABELS = ("labels.risk", "site.labels.floor", "team.labels.unit", "team.labels.level", "workload.labels.risk")
PLACES = ("DE", "US", "US-CA", "US-NY", "CH", "NO", "EU", "EEA", "EU-ADEQUATE", "DE-SN")
WORDS = ("", "phi", "pii", "public", "unknown", "plant", "branch", "self", "aws", "baa", "scc", "r1", "a", "l4", "cpu")
TEXTS = (*WORDS[1:], "vision", "research", "high", "2", "o1", "small", "s1", "officer")


def values_of(known: Attribute, operator: Operator) -> st.SearchStrategy[tuple[str, ...]]:
    """Values that the operator may be given for that attribute."""
    if operator in PRESENCE:
        return st.just(())
    if operator in ORDER or known.type is Type.NUMBER:
        one = st.sampled_from(("-1", "0", "1", "2", str(2**30), str(16 * 2**30)))
        return (
            one.map(lambda value: (value,)) if operator in ORDER else st.lists(one, min_size=1, max_size=2).map(tuple)
        )
    choices = known.choices or (
        PLACES if known.jurisdiction else ("true", "false") if known.type is Type.BOOLEAN else TEXTS
    )
    if known.key == "data.subjects":
        choices = (*choices, "unknown")
    return st.lists(st.sampled_from(choices), min_size=1, max_size=3, unique=True).map(tuple)


@st.composite
def expressions(draw: st.DrawFn) -> Expression:
    """Any attribute, any operator that its type allows, values that it could have."""
    known = attribute(draw(st.sampled_from((*sorted(ATTRIBUTES), *LABELS))))
    assert known is not None
    operator = draw(st.sampled_from(sorted(OPERATORS[known.type])))
    return Expression(known.key, operator, draw(values_of(known, operator)))


some = st.lists(expressions(), max_size=2).map(tuple)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """One rule of any effect."""
    effect = draw(st.sampled_from(tuple(Effect)))
    ways = draw(st.lists(st.lists(expressions(), min_size=1, max_size=2).map(tuple), max_size=2))
    return Rule(
        "r",
        when=draw(some),
        unless=draw(some),
        require=draw(some) or (() if ways else (draw(expressions()),)),
        require_any=tuple(Alternative(way) for way in ways),
        effect=effect,
        penalty_micros_per_hour=7 if effect is Effect.PREFER else 0,
    )


@settings(max_examples=1500, deadline=None)
@given(rules(), workloads(), worlds())
def test_the_auditor_reads_every_rule_as_the_compiled_law_does(rule: Rule, workload: Workload, world: World) -> None:
    policy = Policy("p", 1, rules=(rule,))
    check_policy(policy)
    (compiled,) = Law((policy,), teams=TEAMS).rules
    fleet = world.fleet()
    columns = fleet.columns
    team = next((team for team in TEAMS if team.name == workload.team), None)
    at_sites, at_offers = compiled.allows(workload, fleet), compiled.offers(workload, fleet)
    for row, (name, facts) in enumerate(fleet.sites.items()):
        said = meaning.lawful(rule, workload, facts.site, facts.offers, team)
        assert bool(at_sites[row]) == said, name
        for offer in columns.offers_of(row):
            noun = columns.offers[offer]
            one = meaning.lawful_at(rule, workload, facts.site, noun, team)
            assert compiled.allows_one(workload, facts.site, noun) == one
            if compiled.of_offers:
                assert bool(at_offers[offer]) == one
    refused = (~at_sites).nonzero()[0]
    if len(refused):
        found = compiled.findings(workload, fleet, refused)
        assert found.codes is not None and len(found.codes) == len(refused)
        wanted = {
            (e.key, e.operator.value) for e in (*rule.require, *(e for w in rule.require_any for e in w.expressions))
        }
        assert {(lack.key, lack.operator) for lack in found.lacks} <= wanted


@settings(max_examples=300, deadline=None)
@given(rules(), workloads(), worlds())
def test_saying_less_about_data_never_allows_more(rule: Rule, workload: Workload, world: World) -> None:
    """Forgetting what is known of data opens no place, but through words that speak of `unknown` or of no data."""
    named = (*rule.when, *rule.unless, *rule.require, *(e for w in rule.require_any for e in w.expressions))
    if any("unknown" in e.values or e.operator in PRESENCE or e.key == "data.attestation" for e in named):
        return
    (compiled,) = Law((Policy("p", 1, rules=(rule,)),), teams=TEAMS).rules
    fleet = world.fleet()
    known = compiled.allows(workload, fleet)
    for silent in (
        replace(workload.data, classes=("unknown",)),
        replace(workload.data, subjects=()),
        replace(workload.data, deidentified=True, attestation=""),
    ):
        assert not (compiled.allows(replace(workload, data=silent), fleet) & ~known).any()


def test_every_operator_is_tried_on_every_type() -> None:
    assert set(Type) == {attribute(key).type for key in (*ATTRIBUTES, *LABELS)}  # type: ignore[union-attr]
    assert OPERATORS[Type.TEXTS] > LISTS
