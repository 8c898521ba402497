"""A batch's answer: feasible always, never below the bound, never better than the best there is."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
from hypothesis import given, settings

from placement.batch.answer import answered
from placement.batch.ascent import ascend, bound
from placement.batch.near import near
from placement.batch.problem import Assignment, Problem
from placement.batch.rounding import assign
from placement.batch.search import improve
from tests.placement.batch.problems import best, problem, problems


@given(problems())
@settings(max_examples=150, deadline=None)
def test_bound_optimum_and_answer_stand_in_that_order(asked: Problem) -> None:
    assert asked.wrong() == ()
    answer = answered(asked)
    assert answer.assignment.violations(asked) == ()
    assert answer.bound <= best(asked) <= answer.assignment.cost


@given(problems())
@settings(max_examples=60, deadline=None)
def test_any_prices_at_all_give_a_bound(asked: Problem) -> None:
    least = best(asked)
    for scale in (0.0, 0.3, 5.0, 1e9):
        assert bound(asked, np.full(asked.room.shape, scale)) <= least


@given(problems())
@settings(max_examples=60, deadline=None)
def test_searching_only_makes_it_cheaper(asked: Problem) -> None:
    prices = ascend(asked)
    rounded = assign(asked, prices)
    before = improve(asked, near(asked, prices), rounded, passes=0)
    after = improve(asked, near(asked, prices), rounded)
    assert before.violations(asked) == () and after.violations(asked) == ()
    assert after.cost <= before.cost


def big(kinds: int, places: int, *, cost: int = 0, room: int = 10) -> Problem:
    """Everybody may go everywhere; costs are all `cost`, or spread where it is 0."""
    arcs = np.arange(kinds * places, dtype=np.int64)
    return Problem(
        demand=np.ones((kinds, 3), dtype=np.int64),
        many=np.ones(kinds, dtype=np.int64),
        leave=np.full(kinds, 1_000_000, dtype=np.int64),
        start=np.arange(kinds + 1, dtype=np.int64) * places,
        place=arcs % places,
        cost=np.full(len(arcs), cost, dtype=np.int64) if cost else 1_000 + arcs * 7_919 % 9_973,
        room=np.full((places, 3), room, dtype=np.int64),
    )


def test_one_price_everywhere_is_no_trouble():
    for cost in (1, 1_000_000):
        answer = answered(big(30, 5, cost=cost))
        assert answer.assignment.violations(big(30, 5, cost=cost)) == ()
        assert answer.assignment.cost == 30 * cost


def test_room_for_exactly_everybody_is_filled():
    tight = big(50, 5)
    answer = answered(tight)
    assert answer.assignment.violations(tight) == ()
    assert (np.bincount(answer.assignment.at, minlength=6) == [10, 10, 10, 10, 10, 0]).all()


def test_what_finds_no_room_is_left_out_and_nothing_else_is():
    short = big(50, 5, room=9)
    assert int((answered(short).assignment.at == 5).sum()) == 5
    nowhere = problem([((1, 1), 3, {}), ((1, 1), 1, {0: 5})], [(2, 2)], leave=100)
    answer = answered(nowhere)
    assert answer.assignment.at.tolist() == [1, 1, 1, 0] and answer.bound == 304


def test_nothing_asked_and_nowhere_to_go():
    nobody = replace(big(1, 3), many=np.zeros(1, dtype=np.int64))
    assert (answered(nobody).assignment.cost, answered(nobody).bound) == (0, 0)
    empty = problem([], [(1, 1)], leave=1)
    assert answered(empty).assignment.at.tolist() == []
    no_places = problem([((1, 1), 2, {})], [], leave=9)
    assert answered(no_places).assignment.cost == 18


def test_thousands_of_places():
    wide = big(20, 5_000, room=1)
    answer = answered(wide)
    assert answer.assignment.violations(wide) == ()
    assert answer.over_bound_ppm < 10_000


def test_an_assignment_that_is_wrong_is_told_so():
    asked = problem([((2, 1), 2, {0: 5, 1: 7})], [(3, 9), (9, 9)], leave=100)
    assert Assignment(np.array([0, 1]), 12).violations(asked) == ()
    assert "hold more" in Assignment(np.array([0, 0]), 10).violations(asked)[0]
    assert "costs 12" in Assignment(np.array([0, 1]), 11).violations(asked)[0]
    assert "not every" in Assignment(np.array([0]), 5).violations(asked)[0]
    only_first = replace(asked, start=np.array([0, 1]), place=asked.place[:1], cost=asked.cost[:1])
    assert "rules do not allow" in Assignment(np.array([0, 1]), 12).violations(only_first)[0]
    assert replace(asked, room=-asked.room).wrong() == ("something is below 0",)
    assert replace(asked, place=asked.place + 1).wrong() == ("an arc leads to no place",)


def test_the_same_batch_has_the_same_answer_in_any_process():
    program = (
        "import hashlib; from placement.batch.answer import answered\n"
        "from tests.placement.batch.test_answer import big\n"
        "answer = answered(big(60, 9, room=7))\n"
        "print(hashlib.sha256(answer.assignment.at.tobytes() + answer.bids.tobytes()).hexdigest())"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("0", "1")
    }
    here = answered(big(60, 9, room=7))
    assert told == {hashlib.sha256(here.assignment.at.tobytes() + here.bids.tobytes()).hexdigest()}
