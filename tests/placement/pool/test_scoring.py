"""Bands, the fixed order and the choice of the GPU: what may not change unnoticed, since quality hangs on it."""

from placement.pool.exhaustive import Exhaustive
from placement.pool.nouns import Ask, Mix, Seat, Shape, Wanted
from placement.pool.scoring import ALONE_BAND_MICROS, BAND_MICROS, LEAN_MILLI, Scoring, fgd, house
from placement.pool.value import GRAIN, Value, filled, is_narrow_in_memory, prices

PAIR = Shape(8000, 2**34, 2, "T4")
HALF = Ask(1000, 0, 1, 500)
ONE = Ask(1000, 0, 1)
MIX: Mix = (Wanted(HALF, 60), Wanted(ONE, 40))
WORTHS = {HALF: 500_000, ONE: 1_000_000}


def pool(scoring: Scoring, nodes: int = 3) -> Exhaustive:
    return Exhaustive([0] * nodes, scoring)


def test_ties_go_to_the_first_node_in_the_pools_order() -> None:
    for scoring in (fgd(MIX, (PAIR,)), house(MIX, (PAIR,)), house(MIX, (PAIR,), WORTHS)):
        there = pool(scoring)
        assert [there.place(ONE) for _ in range(4)] == [Seat(0, (0,)), Seat(0, (1,)), Seat(1, (0,)), Seat(1, (1,))]


def test_a_share_goes_where_its_other_half_is_and_else_to_the_lowest_index() -> None:
    there = pool(house(MIX, (PAIR,), WORTHS))
    assert [there.place(HALF) for _ in range(3)] == [Seat(0, (0,)), Seat(0, (0,)), Seat(0, (1,))]


def test_costs_within_one_band_are_equal() -> None:
    """The widths are pinned: a hundredth of a GPU more or less moves whole traces by tenths of a point."""
    assert (BAND_MICROS, LEAN_MILLI, ALONE_BAND_MICROS) == (15_000, 20, 40_000)
    scoring = house(MIX, (PAIR,), WORTHS)
    assert scoring.cost(14_999, 0) // scoring.band_micros == 0
    assert scoring.cost(15_000, 0) // scoring.band_micros == 1
    assert scoring.cost(-1, 0) // scoring.band_micros == -1, "bands are floors on both sides of nothing"
    assert scoring.cost(0, 100 * scoring.gradient.total) == 100 * LEAN_MILLI


def test_what_fits_is_placed_and_what_does_not_is_refused() -> None:
    there = pool(house(MIX, (PAIR,), WORTHS), nodes=1)
    assert there.place(Ask(1000, 0, 2)) == Seat(0, (0, 1))
    assert there.place(HALF) is None
    assert there.place(Ask(6000, 0)) == Seat(0, ())
    assert there.place(Ask(1001, 0)) is None
    there.release(Ask(1000, 0, 2), Seat(0, (0, 1)))
    assert there.place(HALF) == Seat(0, (0,))


def test_models_bind_work_with_gpus_only() -> None:
    there = Exhaustive([0, 1], house(MIX, (PAIR, Shape(8000, 2**34, 2, "A100"))))
    assert there.place(Ask(1000, 0, 1, 0, ("A100",))) == Seat(1, (0,))
    assert there.place(Ask(1000, 0, 1, 0, ("G9",))) is None
    assert there.place(Ask(1000, 0, 0, 0, ("G9",))) is not None


def test_the_value_of_leftovers_is_the_best_filling() -> None:
    mix = (Wanted(HALF, 60), Wanted(Ask(1000, 0, 1, 300), 40))
    value = Value.of(mix, {HALF: 500_000, mix[1].ask: 330_000}, (PAIR,))
    part = value.part[0, 0]
    found = [int(part[milli // GRAIN]) for milli in (0, 290, 300, 500, 800, 1000)]
    assert found == [0, 0, 330_000, 500_000, 830_000, 1_000_000]
    assert int(value.part[0, 2, 50]) == 500_000 - 1000 * int(value.price[0, 2]), "CPUs have their price at each level"
    assert list(value.whole[0, 0, :3]) == [0, 1_000_000, 2_000_000]
    assert list(filled({3: 5, 2: 3}, 7)) == [0, 0, 3, 5, 6, 8, 10, 11]


def test_a_size_earns_the_mean_of_what_may_come() -> None:
    lean, greedy = Ask(0, 0, 1), Ask(8000, 0, 1)
    value = Value.of((Wanted(greedy, 3), Wanted(lean, 1)), {lean: 1_000_000, greedy: 1_000_000}, (PAIR,))
    assert prices((Wanted(greedy, 3), Wanted(lean, 1)), False)[4:] == (146, 220)
    assert int(value.whole[0, 0, 1]) == 1_000_000
    assert int(value.whole[0, 5, 1]) == 250_000, "at the highest level the greedy earn nothing"


def test_levels_are_fractions_of_what_the_cpus_beside_a_gpu_would_cost_as_a_gpu() -> None:
    assert prices((Wanted(Ask(10_000, 0, 1), 1), Wanted(Ask(99_000, 0), 9)), False) == (0, 11, 27, 55, 88, 132)
    assert prices((Wanted(Ask(0, 10_000 << 20, 1), 1),), True) == (0, 11, 27, 55, 88, 132)
    assert prices((Wanted(Ask(0, 0, 1), 1),), False) == (0, 0, 0, 0, 0, 0)


def test_a_node_is_narrow_in_what_the_mix_uses_up_first() -> None:
    mix = (Wanted(Ask(1000, 4 * 2**30, 1), 5), Wanted(Ask(0, 2**40), 9))
    assert is_narrow_in_memory(mix, Shape(8000, 31 * 2**30, 8))
    assert not is_narrow_in_memory(mix, Shape(8000, 32 * 2**30, 8)), "work without GPUs says nothing about GPUs' nodes"
