"""The policy packs and the factory example: every pack's own tests hold, and the factory comes out as it is told."""

from dataclasses import replace
from pathlib import Path

import pytest

from placement.engine import decide
from placement.fleet.fleet import Fleet
from placement.law.law import Law
from placement.law.policy_test import run
from tidegate.manifests import load_files
from tidegate.model.decision import Decision
from tidegate.model.money import PriceBook, Team
from tidegate.model.policy import Effect, Expression, Operator, Policy, Rule
from tidegate.model.site import Site
from tidegate.model.workload import Workload

DEPLOY = Path(__file__).parents[3] / "deploy"
PACKS = load_files([DEPLOY / "policies"])
FACTORY = load_files([DEPLOY / "examples" / "factory"])
POLICIES = tuple(noun for noun in (*PACKS, *FACTORY) if isinstance(noun, Policy))


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.ref)
def test_every_example_of_a_policy_comes_out_as_said(policy: Policy) -> None:
    sites = tuple(noun for noun in (PACKS if policy in PACKS else FACTORY) if isinstance(noun, Site))
    assert [result for result in run(policy, sites) if not result.passed] == []
    assert policy.sources
    assert policy not in PACKS or len(policy.tests) >= 4


RULES = [(policy, rule) for policy in PACKS if isinstance(policy, Policy) for rule in policy.rules]


@pytest.mark.parametrize(("policy", "rule"), RULES, ids=lambda one: getattr(one, "name", ""))
def test_every_rule_of_a_pack_is_missed_by_an_example_and_so_is_every_place_that_it_leaves_open(
    policy: Policy, rule: Rule
) -> None:
    sites = tuple(noun for noun in PACKS if isinstance(noun, Site))

    def fails(*rules: Rule) -> bool:
        return not all(result.passed for result in run(replace(policy, rules=rules), sites))

    others = tuple(one for one in policy.rules if one is not rule)
    assert fails(*others), "no example forbids, or warns of, what this rule alone does"
    nowhere = (Expression("site.name", Operator.IN, ("nowhere",)),)
    assert fails(*others, replace(rule, require=nowhere, effect=Effect.ENFORCE)), "no example allows what it allows"


def decided(name: str) -> Decision:
    fleet = Fleet()
    for noun in FACTORY:
        if isinstance(noun, Site):
            fleet.put_site(noun, reachable=True, cordoned=False)
    (book,) = (noun for noun in FACTORY if isinstance(noun, PriceBook))
    law = Law(POLICIES, book, tuple(noun for noun in FACTORY if isinstance(noun, Team)))
    (workload,) = (noun for noun in FACTORY if isinstance(noun, Workload) and noun.name == name)
    return decide(workload, fleet, law, now=0, revision=0)


def test_training_bursts_to_the_cloud() -> None:
    assert decided("line-camera-training").sites == ("cloud-us-east",)


def test_the_service_stays_at_the_press_because_moving_its_frames_costs_more() -> None:
    decision = decided("line-camera")
    assert decision.sites == ("press-7",)
    assert [one.site for one in decision.ranked] == ["press-7", "press-8", "on-prem-leipzig"]
    assert decision.ranked[2].cost.egress > decision.cost.total == decision.cost.idle + decision.cost.uplift


def test_the_refused_one_is_refused_everywhere_and_told_what_would_do() -> None:
    decision = decided("patient-triage")
    assert decision.slots == ()
    assert {miss.site for miss in decision.misses} == set(decision.candidates)
    assert decision.relaxations
