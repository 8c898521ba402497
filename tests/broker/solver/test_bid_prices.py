"""Bid prices: what is scarce has a price, what is plentiful has none."""

from broker.solver.bid_prices import FLAT, bid_prices
from placement.pool.nouns import Ask, Shape, Wanted

T4 = Shape(16000, 2**36, 2, "T4")
V100 = Shape(16000, 2**36, 2, "V100")
ANY = Ask(1000, 2**30, 1)
ONLY = Ask(1000, 2**30, 1, 0, ("V100",))


def test_a_scarce_model_costs_more_than_a_plentiful_one() -> None:
    prices = bid_prices((Wanted(ANY, 60), Wanted(ONLY, 40)), {T4: 90, V100: 10}).worths
    assert prices[ONLY] > prices[ANY]


def test_the_mix_is_worth_the_gpus_that_it_asks_for() -> None:
    mix = (Wanted(ANY, 60), Wanted(Ask(1000, 2**30, 1, 470), 40))
    prices = bid_prices(mix, {T4: 50}).worths
    assert abs(sum(wanted.count * prices[wanted.ask] for wanted in mix) - (60 + 0.47 * 40) * 1_000_000) < 100


def test_shares_that_fill_a_gpu_together_are_worth_a_gpu_together() -> None:
    two, three = Ask(0, 0, 1, 470), Ask(0, 0, 1, 320)
    prices = bid_prices((Wanted(two, 50), Wanted(three, 75)), {T4: 25}).worths
    assert abs(2 * prices[two] - 3 * prices[three]) <= 3


def test_with_one_slope_it_is_the_most_that_any_policy_could_allocate() -> None:
    assert abs(bid_prices((Wanted(Ask(0, 0, 1, 600), 100),), {T4: 5}, FLAT, demand_gpus=100).served - 6.0) < 1e-6


def test_what_fits_nowhere_is_worth_nothing_and_no_demand_is_no_trouble() -> None:
    nowhere = Ask(1000, 2**30, 1, 0, ("G9",))
    assert bid_prices((Wanted(ANY, 1), Wanted(nowhere, 1)), {T4: 1}).worths[nowhere] == 0
    assert bid_prices((), {T4: 1}).worths == {}
    assert bid_prices((Wanted(Ask(1000, 0), 1),), {T4: 1}).worths == {Ask(1000, 0): 0}
