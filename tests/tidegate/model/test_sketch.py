"""Sketches: what a percentile says, what it cannot know, and that nothing depends on order."""

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.model.sketch import (
    EXACT_BELOW,
    LONGEST_US,
    MOST_BUCKETS,
    P50,
    P99,
    Sketch,
    bucket_of,
    edge_of,
    merged,
    needed,
    sketch_of,
    widened_us,
)

times = st.lists(st.integers(0, 10**7), max_size=60)


@given(st.integers(0, LONGEST_US))
def test_a_bucket_is_at_most_a_thirty_second_wide_and_never_below_its_times(us: int) -> None:
    edge = edge_of(bucket_of(us))
    assert us <= edge <= us + us // 32
    assert bucket_of(edge) == bucket_of(us) < MOST_BUCKETS
    assert bucket_of(edge + 1) == bucket_of(us) + 1 or edge >= LONGEST_US


def test_what_cannot_be_a_time_is_bounded() -> None:
    assert (bucket_of(-5), bucket_of(2**63)) == (0, bucket_of(LONGEST_US))


@given(times, times, times)
def test_sketches_add_up_in_any_order_to_the_same_sketch(one: list[int], two: list[int], three: list[int]) -> None:
    together = sketch_of(one + two + three)
    assert merged((sketch_of(three), sketch_of(one), sketch_of(two))) == together
    assert merged((merged((sketch_of(two), sketch_of(one))), sketch_of(three))) == together
    assert together.sound and together.samples == len(one + two + three)


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=400))
def test_a_percentile_is_that_of_the_sorted_times_to_a_bucket(found: list[int]) -> None:
    sketch, ordered = sketch_of(found), sorted(found)
    for ppm in (P50, P99, 1_000_000):
        exact = ordered[-(-len(ordered) * ppm // 1_000_000) - 1]
        assert sketch.percentile_us(ppm) == edge_of(bucket_of(exact))
    assert sketch.bound_us(P99) >= sketch.percentile_us(P99)


@pytest.mark.parametrize("samples", [299, 300, 472, 473, 628, 1_000, 2_345])
def test_the_bound_is_the_least_order_statistic_that_the_binomial_allows(samples: int) -> None:
    """Hahn and Meeker's table for 95 % confidence begins 299, 473, 628."""
    ladder = Sketch(tuple(range(800)), tuple([1] * 799 + [samples - 799])) if samples > 800 else None
    sketch = ladder or Sketch(tuple(range(samples)), (1,) * samples)

    def missed(left_out: int) -> Fraction:
        return sum(
            (Fraction(comb(samples, k) * 99 ** (samples - k), 100**samples) for k in range(left_out + 1)), Fraction(0)
        )

    left_out = 0
    while missed(left_out + 1) <= Fraction(1, 20):
        left_out += 1
    rank = samples - left_out
    assert missed(left_out) <= Fraction(1, 20)
    assert sketch.bound_us(P99) == edge_of(sketch.buckets[min(rank, len(sketch.buckets)) - 1])


def test_too_few_samples_are_widened_by_up_to_a_half() -> None:
    assert needed(P99) == 299
    assert [widened_us(30_000, samples) for samples in (0, 1, 150, 298, 299, 1_000)] == [
        45_000,
        44_950,
        37_475,
        30_051,
        30_000,
        30_000,
    ]
    assert sketch_of([40] * 240).bound_us(P99) == 44


def test_many_samples_are_bounded_without_long_sums() -> None:
    many = Sketch((10, 20, 30), (985_000, 10_000, 5_000))
    assert many.percentile_us(P99) == many.bound_us(P99) == 20
    near = Sketch((10, 20), (EXACT_BELOW * 99 // 100 + 1, EXACT_BELOW // 100))
    assert near.percentile_us(P99) == 10 and near.bound_us(P99) == 20


def test_nothing_measured_says_nothing() -> None:
    assert (Sketch().percentile_us(P99), Sketch().bound_us(P99), Sketch().samples, Sketch().sound) == (0, 0, 0, True)


@pytest.mark.parametrize(
    "sketch",
    [
        Sketch((1,), ()),
        Sketch((2, 1), (1, 1)),
        Sketch((1, 1), (1, 1)),
        Sketch((-1,), (1,)),
        Sketch((MOST_BUCKETS,), (1,)),
        Sketch((1,), (0,)),
        Sketch((1,), (2**62,)),
    ],
)
def test_what_no_one_could_have_measured_is_not_sound(sketch: Sketch) -> None:
    assert not sketch.sound
