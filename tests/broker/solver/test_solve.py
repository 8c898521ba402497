"""The solvers against everything there is to try: exact where they say so, and never below the best."""

import numpy as np
from hypothesis import given, settings

from broker.solver.flow import FLOW, flowed
from broker.solver.linear import prices_of
from broker.solver.solve import HIGHS, solved
from placement.batch.answer import answered
from placement.batch.ascent import ascend, bound
from tests.placement.batch.problems import best, problems
from tests.placement.batch.test_answer import big


@given(problems())
@settings(max_examples=60, deadline=None)
def test_bound_optimum_and_answer_stand_in_that_order(asked):
    answer = solved(asked)
    assert answer.assignment.violations(asked) == ()
    assert answer.bound <= best(asked) <= answer.assignment.cost
    assert answer.solver in (FLOW, HIGHS)


@given(problems(uniform=True))
@settings(max_examples=60, deadline=None)
def test_where_all_ask_for_the_same_the_flow_is_the_best_there_is(asked):
    answer = flowed(asked, ascend(asked))
    assert answer is not None and answer.assignment.violations(asked) == ()
    assert answer.assignment.cost == answer.bound == best(asked)


def test_the_linear_programme_proves_what_the_flow_finds():
    asked = big(200, 12, room=17)
    exact = flowed(asked, ascend(asked))
    assert exact is not None
    proven = bound(asked, prices_of(asked, ascend(asked), 20.0))
    assert exact.assignment.cost * 0.999 <= proven <= exact.assignment.cost


def test_better_prices_are_never_worse_as_a_bound():
    asked = big(60, 9, room=7)
    rough = ascend(asked)
    assert bound(asked, prices_of(asked, rough, 20.0)) >= bound(asked, rough)
    assert bound(asked, prices_of(asked, rough, 0.0)) >= bound(asked, rough), "no time, no harm"


def test_the_same_batch_has_the_same_answer_twice():
    asked = big(60, 9, room=7)
    one, two = (answered(asked, prices_of(asked, ascend(asked), 20.0), HIGHS) for _ in range(2))
    assert np.array_equal(one.assignment.at, two.assignment.at) and np.array_equal(one.bids, two.bids)
