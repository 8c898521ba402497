"""Candidates: arcs are what the engine allows, at its prices, and the bound holds for whatever the engine places."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from placement.batch.answer import answered
from placement.batch.candidates import Asked, formulate
from placement.engine import decide
from placement.fleet.fleet import Fleet
from tests.placement.places import BOOK, CLOUD, HALL, LAW, PRESS, fleet, job, service
from tests.properties.worlds import laws, workloads, worlds
from tidegate.model.decision import Outcome
from tidegate.model.workload import Prefer, Spread, Tier


def arcs(batch, row: int) -> dict[str, int]:
    """By site, what the row-th kind costs there."""
    problem = batch.problem
    part = slice(problem.start[row], problem.start[row + 1])
    return {batch.site(int(p)): int(c) for p, c in zip(problem.place[part], problem.cost[part], strict=True)}


@given(workloads(), worlds(), laws())
@settings(max_examples=100, deadline=None)
def test_an_arc_is_a_candidate_that_the_engine_allows_at_its_price(workload, world, law):
    workload = replace(workload, prefer=Prefer())
    batch = formulate([Asked(workload)], world.fleet(), law.at(5), 5)
    decision = decide(workload, world.fleet(), law, now=5, revision=1)
    assert arcs(batch, 0) == {one.site: one.cost.total for one in decision.ranked}


@given(st.lists(workloads(), min_size=1, max_size=4), worlds(), laws())
@settings(max_examples=60, deadline=None)
def test_the_bound_holds_for_what_the_engine_places_one_by_one(asked, world, law):
    asked = [
        replace(one, name=f"{index}", prefer=Prefer())
        for index, one in enumerate(asked)
        if one.spread is not Spread.SITE
    ]
    taken = world.fleet()
    placed, total = [], 0
    for one in asked:
        decision = decide(one, taken, law, now=5, revision=1)
        if decision.outcome is Outcome.PLACED:
            taken.take(one.name, decision.slots, one.demand, one.team)
            placed.append(one)
            total += decision.cost.total
    batch = formulate([Asked(one) for one in placed], world.fleet(), law.at(5), 5)
    answer = answered(batch.problem)
    assert answer.assignment.violations(batch.problem) == ()
    assert answer.bound <= total


def test_workloads_that_differ_in_name_alone_are_one_kind_unless_a_law_speaks_of_names():
    asked = [Asked(replace(service(), name=name)) for name in ("a", "b", "c")]
    batch = formulate(asked, fleet(), LAW)
    assert batch.problem.many.tolist() == [3] and sorted(batch.order) == [0, 1, 2]
    rule = LAW.policies[0].rules[0]
    when = (replace(rule.when[0], key="workload.name", operator="In", values=("a",)),)
    named = replace(LAW, policies=(replace(LAW.policies[0], rules=(replace(rule, when=when),)),))
    assert formulate(asked, fleet(), named).problem.many.tolist() == [1, 1, 1]


def test_what_stands_may_stay_where_new_work_may_not_go():
    cordoned = fleet()
    cordoned.put_site(HALL, reachable=True, cordoned=True)
    new, old = Asked(service()), Asked(replace(service(), name="old"), stands_at="hall", pays=7)
    batch = formulate([new, old], cordoned, LAW)
    rows = {index: kind for kind, index in enumerate(batch.order)}
    assert "hall" not in arcs(batch, rows[0]) and arcs(batch, rows[1])["hall"] == 7


def test_a_leaning_stands_above_money_where_it_can_be_heeded():
    leaning = replace(service(), prefer=Prefer(tiers=(Tier.ON_PREM,)))
    assert set(arcs(formulate([Asked(leaning)], fleet(), LAW), 0)) == {"hall"}
    nowhere = replace(service(), prefer=Prefer(sites=("elsewhere",)))
    assert len(arcs(formulate([Asked(nowhere)], fleet(), LAW), 0)) > 1


def test_room_is_what_those_who_take_no_part_leave():
    held = fleet(PRESS, HALL, CLOUD)
    first = decide(job(2, cpus_milli=8_000), held, LAW, now=1, revision=1)
    empty = formulate([Asked(service())], held, LAW).problem.room
    held.take("other", first.slots, job(2, cpus_milli=8_000).demand)
    problem = formulate([Asked(service())], held, LAW).problem
    row = held.columns.row_of[first.sites[0]]
    assert (empty - problem.room)[row, 1] == 16_000
    assert BOOK is LAW.price_book and isinstance(held, Fleet) and np.all(problem.room >= 0)
