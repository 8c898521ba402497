"""A law on trial: what it would do to what stands and to what was decided, with nothing changed by the asking."""

from dataclasses import replace

import pytest

from broker.core.commands import ApplyDeclarations, RegisterModel, SiteAttached, SubmitWorkload
from broker.core.decide.impact import Trial, recorded, standing
from broker.core.freeze import freeze
from broker.core.rule_costs import rule_costs
from broker.core.state import State
from tests.support.builders import book, cloud, job, model, press, rack, service, stay_home
from tests.support.playbook import Playbook
from tidegate.model.errors import NotFound, Refused
from tidegate.model.event import WorkloadDecided, WorkloadQueued
from tidegate.model.impact import RuleCost, Touch, Touched
from tidegate.model.policy import Effect, Expression, Operator, Policy, Rule
from tidegate.model.registry import Lineage
from tidegate.model.session import Hello


def law(name: str, *require: Expression, version: int = 1, **rule: object) -> Policy:
    """One rule about everything."""
    return Policy(name, version, rules=(Rule("r", require=require, **rule),))  # type: ignore[arg-type]


def only(*sites: str) -> Expression:
    return Expression("site.name", Operator.IN, sites)


def fleet(*policies: Policy) -> Playbook:
    """A press, two racks of which one is dearer, a cloud, and a model from public data."""
    play = Playbook()
    dear = replace(rack("rack-fr", jurisdiction="FR"), offers=(replace(rack().offers[0], name="dear"),))
    prices = book(prices=(*book().prices, replace(book().prices[0], instance_type="dear", region="")))
    play.ask(ApplyDeclarations(1, (press(), rack(), dear, cloud(), prices, *policies)))
    for name in ("press-7", "rack-de", "rack-fr", "burst-us"):
        play.ask(SiteAttached(2, Hello(name, "boot-1", 0, f"127.0.0.1:{len(name)}")))
    play.ask(RegisterModel(3, replace(model(), lineage=Lineage("w0", data_classes=("public",), data_subjects=("DE",)))))
    return play


def tried(play: Playbook, *policies: Policy, without: tuple[str, ...] = ()) -> list[Touched]:
    """What stands and is touched; the trial leaves the state as it was."""
    trial, before, in_force = Trial(policies, without), freeze(play.state), play.state.law
    trial.check(play.state.law)
    found = [one for one in standing(play.state, trial, 9) if one]
    assert freeze(play.state) == before
    assert play.state.law is in_force
    return found


def test_what_would_stand_against_the_law_is_named_with_the_rule_and_with_where_it_could_go():
    play = fleet()
    done = play.ask(SubmitWorkload(5, service(team="quality")))
    (site,) = done.decision.sites
    elsewhere = {"press-7", "rack-de", "rack-fr"} - {site}
    (found,) = tried(play, law("home", only(*elsewhere)))
    assert (found.touch, found.workload_id, found.team) == (Touch.ILLEGAL, done.workload_id, "quality")
    assert (found.before, found.rules) == ((site,), ("home/r",))
    assert set(found.after) < elsewhere
    (nowhere,) = tried(play, law("home", only("atlantis")))
    assert (nowhere.after, nowhere.more_micros_per_hour) == ((), 0)


def test_what_is_illegal_already_is_not_laid_at_the_proposals_door():
    play = fleet()
    (site,) = play.ask(SubmitWorkload(5, service())).decision.sites
    play.ask(ApplyDeclarations(6, (law("home", only("atlantis")),)))
    assert tried(play, law("home", only("atlantis"), version=2)) == []
    assert [one.rules for one in tried(play, law("new", only("atlantis")))] == [("new/r",)]
    assert site


def test_a_law_that_answers_as_the_one_in_force_does_touches_nothing():
    play = fleet(stay_home())
    play.ask(SubmitWorkload(5, service()))
    assert tried(play, stay_home(2)) == []
    assert tried(play, law("warns", only("atlantis"), effect=Effect.WARN)) == []


def test_a_law_that_opens_a_better_place_says_what_it_would_save_and_which_rule_stood_before_it():
    play = fleet(law("home", only("rack-fr")))
    placed = play.ask(SubmitWorkload(5, service()))
    assert placed.decision.sites == ("rack-fr",)
    (found,) = tried(play, without=("home",))
    assert (found.touch, found.before, found.rules) == (Touch.MOVES, ("rack-fr",), ("home/r",))
    assert found.after != ("rack-fr",)
    assert found.more_micros_per_hour <= 0


def test_a_preference_can_move_and_never_outlaw():
    play = fleet()
    (site,) = play.ask(SubmitWorkload(5, service())).decision.sites
    (other,) = {"rack-de", "press-7"} - {site}
    leaning = law("leans", only(other), effect=Effect.PREFER, penalty_micros_per_hour=10**9)
    (found,) = tried(play, leaning)
    assert (found.touch, found.before, found.after) == (Touch.MOVES, (site,), (other,))
    assert found.rules == ("leans/r",)


def test_recorded_decisions_are_judged_as_they_stood_then():
    play = fleet(law("home", only("atlantis")))
    play.ask(SubmitWorkload(5, service("refused")))
    play.ask(ApplyDeclarations(6, (law("home", only("rack-de", "rack-fr"), version=2),)))
    play.ask(SubmitWorkload(7, service("placed")))
    play.ask(SubmitWorkload(8, job()))

    def judged(*policies: Policy, without: tuple[str, ...] = ()) -> list[Touched]:
        trial, past, found = Trial(policies, without), State(), []
        for event in play.recorded:
            if isinstance(event.event, WorkloadDecided | WorkloadQueued):
                found.append(recorded(past, trial, event.event, event.offset))
            past.apply(event)
        return [one for one in found if one]

    opened = judged(without=("home",))
    assert (opened[0].touch, opened[0].name, opened[0].rules) == (Touch.OPENED, "refused", ("home/r",))
    assert opened[0].after
    closed = judged(law("home", only("atlantis"), version=3))
    assert [(one.touch, one.name) for one in closed] == [(Touch.CLOSED, "placed")]
    assert closed[0].rules == ("home/r",)
    assert closed[0].offset > opened[0].offset > 0


def test_a_trial_that_makes_no_sense_is_refused_by_field():
    play = fleet(stay_home())
    for policies, without, field in (
        ((law("a", Expression("site.nmae", Operator.EXISTS)),), (), "policy a: rules[0].require[0].key"),
        ((stay_home(), stay_home(2)), (), "policies[1].name"),
        ((stay_home(),), ("plant",), "policies[0].name"),
    ):
        with pytest.raises(Refused) as refused:
            Trial(policies, without)
        assert refused.value.field == field
    with pytest.raises(NotFound) as missing:
        tried(play, without=("atlantis",))
    assert (missing.value.found, missing.value.wanted) == ("atlantis", "one of: plant")


def test_rules_cost_what_the_decisions_in_force_recorded_by_rule_and_team():
    play = fleet(law("home", only("rack-fr")))
    assert rule_costs(play.state) == ((), 0)
    for name, team in (("one", "quality"), ("two", "quality"), ("three", "")):
        play.ask(SubmitWorkload(5, service(name, team=team)))
    saved = sum(price.micros_per_hour for one in play.state.workloads.values() for price in one.decision.rule_prices)
    costs, placed = rule_costs(play.state)
    assert placed == 3
    assert saved > 0
    assert sum(cost.micros_per_hour for cost in costs) == saved
    assert {(cost.rule, cost.team, cost.workloads) for cost in costs} == {("home/r", "quality", 2), ("home/r", "", 1)}
    assert isinstance(costs[0], RuleCost) and costs[0].micros_per_hour >= costs[-1].micros_per_hour
