"""Three industries, decided from the very files in deploy/examples: where the work goes, what it costs, who says no.

Money is micros per hour. A change of these numbers is a change of what the examples' README files promise.
"""

from functools import cache
from pathlib import Path

import pytest

from placement.audit.auditor import audit
from placement.engine import decide
from placement.fleet.fleet import Fleet
from placement.law.law import Law
from placement.law.policy_test import run
from tidegate.manifests import load_files
from tidegate.model.decision import Cost, Decision, Outcome
from tidegate.model.money import PriceBook, Team
from tidegate.model.policy import Policy
from tidegate.model.site import Site
from tidegate.model.workload import Workload

DEPLOY = Path(__file__).parents[2] / "deploy"
PACKS = {"bank": ("pci-dss", "sox"), "hospital": ("hipaa",), "carmaker": ("gdpr", "eu-ai-act")}
MOMENT = 1_750_000_000_000


@cache
def declared(industry: str) -> tuple[object, ...]:
    """What the industry's files and its packs declare."""
    packs = [DEPLOY / "policies" / f"{pack}.yaml" for pack in PACKS[industry]]
    return tuple(load_files([DEPLOY / "examples" / industry, *packs]))


@cache
def decided(industry: str, name: str) -> Decision:
    """One of its workloads, placed in an empty fleet and passed by the auditor."""
    nouns, fleet = declared(industry), Fleet()
    for noun in nouns:
        if isinstance(noun, Site):
            fleet.put_site(noun, reachable=True, cordoned=False)
    law = Law(
        policies=tuple(noun for noun in nouns if isinstance(noun, Policy)),
        teams=tuple(noun for noun in nouns if isinstance(noun, Team)),
        books=tuple(noun for noun in nouns if isinstance(noun, PriceBook)),
    )
    (workload,) = (noun for noun in nouns if isinstance(noun, Workload) and noun.name == name)
    decision = decide(workload, fleet, law, now=MOMENT, revision=0)
    assert audit(workload, decision, fleet, law) == ()
    return decision


def refusing(decision: Decision) -> dict[str, set[str]]:
    """The rules that say no, by site; those that only warn or prefer left out."""
    binding = {column.rule for column in decision.columns if column.enforced}
    found: dict[str, set[str]] = {name: set() for name in decision.candidates}
    for miss in decision.misses:
        if miss.rule in binding:
            found[miss.site].add(miss.rule)
    return {site: rules for site, rules in found.items() if rules}


@pytest.mark.parametrize("industry", PACKS)
def test_an_industrys_own_rules_come_out_as_their_examples_say(industry: str) -> None:
    nouns = load_files([DEPLOY / "examples" / industry])
    sites = tuple(noun for noun in nouns if isinstance(noun, Site))
    teams = tuple(noun for noun in nouns if isinstance(noun, Team))
    (policy,) = (noun for noun in nouns if isinstance(noun, Policy))
    assert [result for result in run(policy, sites, teams) if not result.passed] == []


def test_the_bank_scores_payments_at_home_since_it_is_soon_enough_there_and_cheapest() -> None:
    decision = decided("bank", "fraud-scoring")
    assert decision.sites == ("dc-sacramento",)
    assert decision.slots[0].count == 2
    assert decision.cost == Cost(idle=176_000)
    assert [(one.site, one.cost.total, one.penalty_micros_per_hour) for one in decision.ranked] == [
        ("dc-sacramento", 176_000, 0),
        ("aws-us-west-2", 1_609_600, 500_000),
    ]
    assert refusing(decision) == {
        "aws-us-east-1": {"latency"},
        "gpu-market": {"pci-dss/service-provider", "engine", "latency"},
    }
    (late,) = (miss for miss in decision.misses if (miss.rule, miss.site) == ("latency", "aws-us-east-1"))
    assert (late.wanted_number, late.found_number) == (50_000, 71_000)


def test_the_bank_trains_in_the_cheaper_region_of_the_provider_that_answers_for_card_data() -> None:
    decision = decided("bank", "fraud-training")
    assert decision.sites == ("aws-us-west-2",)
    assert decision.cost == Cost(compute=2 * 32_772_600, egress=223_697)
    assert (decision.runner_up, decision.ranked[1].cost.total) == ("aws-us-east-1", 72_323_417)
    assert refusing(decision)["gpu-market"] == {"pci-dss/service-provider"}
    (price,) = decision.rule_prices
    assert (price.rule, price.cheaper_site) == ("pci-dss/service-provider", "gpu-market")
    assert price.micros_per_hour == decision.cost.compute - 2 * 12_960_000


def test_a_score_that_may_not_be_shown_again_in_seven_years_is_given_nowhere() -> None:
    decision = decided("bank", "fraud-scoring-sampled")
    assert decision.outcome is Outcome.REFUSED
    wanted = {"pci-dss/access-is-recorded", "sox/every-decision-is-recorded"}
    assert all(wanted <= rules for rules in refusing(decision).values())
    assert set(refusing(decision)) == set(decision.candidates)


def test_the_hospital_reads_its_scans_beside_the_scanner() -> None:
    decision = decided("hospital", "ct-triage")
    assert decision.sites == ("hospital-cleveland",)
    assert decision.cost == Cost(idle=69_600, uplift=2_088)
    assert [one.site for one in decision.ranked] == ["hospital-cleveland", "dc-columbus"]
    assert refusing(decision)["aws-us-east-2"] == {"group/patients-stay-with-us"}


def test_the_hospital_trains_on_identified_records_at_home_whatever_agreement_the_cloud_has_signed() -> None:
    decision = decided("hospital", "readmission-training")
    assert decision.sites == ("dc-columbus",)
    assert decision.cost == Cost(idle=342_000, uplift=10_260)
    assert refusing(decision) == {
        "aws-us-east-2": {"group/patients-stay-with-us"},
        "gpu-market": {"group/patients-stay-with-us", "hipaa/business-associate"},
        "hospital-cleveland": {"engine", "gpus", "gpu-memory", "cpus", "memory"},
    }


def test_research_that_was_deidentified_and_attested_may_leave() -> None:
    decision = decided("hospital", "research-training")
    assert decision.sites == ("gpu-market",)
    assert decision.cost == Cost(compute=12_960_000, egress=715_828, uplift=388_800)
    assert [one.site for one in decision.ranked] == ["gpu-market", "aws-us-east-2"]
    assert not any("/" in rule for rules in refusing(decision).values() for rule in rules)


def test_research_that_nobody_attests_stays_and_is_told_what_would_open_the_door() -> None:
    decision = decided("hospital", "research-claimed")
    assert decision.outcome is Outcome.REFUSED
    assert refusing(decision)["aws-us-east-2"] == {"group/patients-stay-with-us"}
    assert refusing(decision)["dc-columbus"] == {"gpus", "gpu-memory"}
    told = [(one.site, [change.field for change in one.changes]) for one in decision.relaxations]
    assert told[:2] == [("gpu-market", ["data.attestation"]), ("aws-us-east-2", ["data.attestation"])]


def test_the_car_maker_watches_its_welds_at_the_line() -> None:
    decision = decided("carmaker", "weld-inspection")
    assert decision.sites == ("weld-cell-1",)
    assert decision.cost == Cost(idle=12_000, uplift=240)
    assert [one.site for one in decision.ranked] == ["weld-cell-1", "weld-cell-2", "plant-leipzig", "aws-eu-central-1"]
    assert decision.ranked[-1].cost == Cost(compute=1_006_400, egress=120_796, uplift=20_128)
    assert refusing(decision) == {"aws-us-east-1": {"maker/designs-stay-in-the-eea", "latency"}}


def test_what_the_whole_plant_says_is_more_than_any_line_to_the_outside_carries() -> None:
    decision = decided("carmaker", "plant-analytics")
    assert decision.sites == ("plant-leipzig",)
    assert decision.cost == Cost(idle=91_000, uplift=1_820)
    assert refusing(decision)["aws-eu-central-1"] == refusing(decision)["aws-us-east-1"] == {"volume"}


def test_the_car_maker_trains_in_the_cloud_and_is_told_what_its_own_directive_costs() -> None:
    decision = decided("carmaker", "weld-training")
    assert decision.sites == ("aws-eu-central-1",)
    assert decision.cost == Cost(compute=40_944_750, egress=536_871, uplift=818_895)
    assert refusing(decision)["aws-us-east-1"] == {"maker/designs-stay-in-the-eea"}
    assert [(price.rule, price.micros_per_hour) for price in decision.rule_prices] == [
        ("maker/designs-stay-in-the-eea", 5_713_785)
    ]
