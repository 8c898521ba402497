"""Bids: room is kept for whom it is worth most, and nobody stands where there is none."""

import numpy as np

from placement.batch.bids import NOWHERE, Bids
from tests.placement.batch.problems import problem

CHEAP, DEAR = 0, 1
LOOSE, BOUND = ((1, 1), {CHEAP: 10, DEAR: 12}), ((1, 1), {CHEAP: 10})


def choose(bids: Bids, kind) -> int:
    """The place that a workload of a kind takes, or NOWHERE."""
    demand, costs = np.array(kind[0]), kind[1]
    choice = bids.choose(demand, np.array(list(costs)), np.array(list(costs.values())))
    if choice == NOWHERE:
        return NOWHERE
    place = list(costs)[choice]
    bids.take(place, demand)
    return place


def test_without_prices_the_cheapest_with_room_is_taken():
    room = np.array([[1, 5], [1, 5]])
    bids = Bids.of(np.zeros((2, 2)), room, room)
    assert [choose(bids, LOOSE) for _ in range(3)] == [CHEAP, DEAR, NOWHERE]
    bids.give(DEAR, np.array([1, 1]))
    assert choose(bids, LOOSE) == DEAR
    assert room.tolist() == [[1, 5], [1, 5]], "the caller's own room is left as it is"


def test_what_was_learned_from_a_sample_keeps_room_for_those_who_can_go_nowhere_else():
    sample = problem([(LOOSE[0], 4, LOOSE[1]), (BOUND[0], 4, BOUND[1])], [(4, 4), (4, 4)], leave=1_000)
    room = np.array([[20, 20], [20, 20]])
    bids = Bids.learn(sample, room, 40)
    assert bids.prices[CHEAP].sum() > 0
    assert [choose(bids, LOOSE) for _ in range(20)] == [DEAR] * 20
    assert [choose(bids, BOUND) for _ in range(20)] == [CHEAP] * 20
    assert choose(bids, BOUND) == NOWHERE


def test_prices_follow_what_is_left_and_what_is_still_to_come():
    sample = problem([(LOOSE[0], 4, LOOSE[1]), (BOUND[0], 4, BOUND[1])], [(4, 4), (4, 4)], leave=1_000)
    room = np.array([[20, 20], [20, 20]])
    bids = Bids.learn(sample, room, 40)
    nearly_over = bids.learned(sample, 4)
    assert choose(nearly_over, LOOSE) == CHEAP, "with room for all that is still to come the cheap place is nobody's"
