"""Annealing: what comes out is feasible, no dearer than what went in, and the same every time."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings

from placement.batch.annealing import anneal
from placement.batch.ascent import ascend
from placement.batch.near import near
from placement.batch.problem import Assignment, Problem
from placement.batch.rounding import assign
from placement.batch.search import improve, paid
from tests.placement.batch.problems import best, problem, problems


def annealed(asked: Problem, begin: Assignment, most: int = 4_000) -> Assignment:
    close = near(asked, ascend(asked))
    return anneal(asked, close, begin, paid(asked, close, begin.at), most=most)


@given(problems())
@settings(max_examples=80, deadline=None)
def test_it_keeps_every_bound_and_never_ends_dearer_than_it_began(asked: Problem) -> None:
    prices = ascend(asked)
    begin = improve(asked, near(asked, prices), assign(asked, prices), passes=0)
    after = annealed(asked, begin)
    assert after.violations(asked) == ()
    assert best(asked) <= after.cost <= begin.cost
    assert (annealed(asked, begin).at == after.at).all()


def test_it_goes_through_what_is_dearer_to_what_is_cheaper():
    """Two small ones stand where the large one belongs: no shift and no turn of two helps, three steps do."""
    asked = problem(
        [((2, 1), 1, {0: 10, 1: 100}), ((1, 1), 1, {0: 10, 1: 12}), ((1, 1), 1, {0: 10, 1: 12})],
        [(2, 9), (4, 9)],
        leave=1_000,
    )
    begin = Assignment(np.array([1, 0, 0]), 120)
    assert annealed(asked, begin).cost == 34


def test_where_there_is_nothing_to_choose_it_changes_nothing():
    empty = problem([], [(1, 1)], leave=1)
    nothing = Assignment(np.zeros(0, dtype=np.int64), 0)
    assert annealed(empty, nothing) is nothing
    one = problem([((1, 1), 2, {0: 5})], [(1, 1)], leave=9)
    begin = Assignment(np.array([0, 1]), 14)
    assert annealed(one, begin).cost == 14
    assert annealed(replace(one, room=one.room * 2), begin).cost == 10
