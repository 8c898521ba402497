"""What a measured time is worth: new or old, on many samples or few, beside what was declared."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from placement.fleet.facts import Measurement
from placement.fleet.fleet import Fleet
from placement.fleet.reach import FORGOTTEN_MS, FRESH_MS, Times
from tests.placement.places import HALL, PRESS, decided, fleet, misses, service
from tidegate.model.decision import Miss, Unit
from tidegate.model.reading import Reading
from tidegate.model.site import Offer, Reach
from tidegate.model.workload import Latency

NOW = 10**12
OLD, FORGOTTEN = NOW - FRESH_MS - 1, NOW - FORGOTTEN_MS - 1


def worth(measurement: Measurement, declared: int = -1) -> tuple[int, int, int]:
    """Microseconds, when measured, samples."""
    found = Times(np.array([declared], dtype=np.int64), [(0, measurement)]).at(NOW)
    return int(found.us[0]), int(found.measured_at[0]), int(found.samples[0])


@pytest.mark.parametrize(
    ("measurement", "declared", "expected"),
    [
        (Measurement(30_000, NOW, 300), 90_000, (30_000, NOW, 300)),
        (Measurement(30_000, NOW - FRESH_MS, 20), 90_000, (30_000, NOW - FRESH_MS, 20)),
        (Measurement(30_001, OLD, 300), -1, (45_002, OLD, 300)),
        (Measurement(30_000, OLD, 300), 90_000, (90_000, 0, 0)),
        (Measurement(30_000, NOW, 19), 90_000, (90_000, 0, 0)),
        (Measurement(30_000, NOW, 19), 20_000, (30_000, NOW, 19)),
        (Measurement(30_000, FORGOTTEN, 300), 20_000, (20_000, 0, 0)),
        (Measurement(30_000, FORGOTTEN, 300), -1, (-1, 0, 0)),
        (Measurement(30_000, NOW + 9_999, 300), -1, (30_000, NOW + 9_999, 300)),
    ],
)
def test_the_older_and_the_rarer_the_less_is_believed(
    measurement: Measurement, declared: int, expected: tuple[int, int, int]
) -> None:
    assert worth(measurement, declared) == expected


moments = st.sampled_from([NOW + turn + step for turn in (0, -FRESH_MS, -FORGOTTEN_MS) for step in (-1, 0, 1)])


@given(st.lists(moments, min_size=1, max_size=4), st.lists(moments, max_size=6))
def test_what_is_kept_says_at_every_moment_what_is_worked_out_anew(measured: list[int], asked: list[int]) -> None:
    rows = [(row, Measurement(30_000, at, 300)) for row, at in enumerate(measured)]
    declared = np.full(len(rows), 20_000, dtype=np.int64)
    kept = Times(declared, rows)
    for now in asked:
        anew = Times(declared, rows).at(now)
        assert kept.at(now).us.tolist() == anew.us.tolist()
        assert kept.at(now).measured_at.tolist() == anew.measured_at.tolist()


def _late(places: Fleet, work: Latency) -> Miss:
    return misses(decided(replace(service(), latency=work), places, model_digest="m"), "hall")["latency"]


def test_a_miss_says_what_was_likely_what_is_counted_on_and_whose_part_is_whose() -> None:
    places = fleet(HALL)
    places.put_link("plant", "hall", 41_000, 3, samples=240, p99_us=38_000)
    places.put_service_time("m", "gpu-l4", 3_000, 2, samples=500, p99_us=2_500)
    miss = _late(places, Latency(25_000, ("plant",)))
    assert (miss.wanted, miss.wanted_number, miss.unit) == (("plant",), 25_000, Unit.MICROSECONDS)
    assert (miss.found_number, miss.likely_number, miss.part_number) == (44_000, 40_500, 3_000)
    assert (miss.measured_at, miss.samples) == (3, 240)


def test_a_declared_time_is_told_as_one() -> None:
    miss = _late(fleet(HALL), Latency(1_000, ("plant",), service_time_us=500))
    assert (miss.found_number, miss.likely_number, miss.part_number) == (2_500, 2_500, 500)
    assert (miss.measured_at, miss.samples) == (0, 0)


def test_the_worst_origin_is_named_and_the_first_that_nobody_knows() -> None:
    places = fleet(replace(HALL, reach=(Reach("plant", 2_000), Reach("branch", 9_000))))
    assert _late(places, Latency(5_000, ("plant", "branch"))).wanted == ("branch",)
    unknown = _late(places, Latency(5_000, ("plant", "moon", "mars", "branch")))
    assert (unknown.wanted, unknown.found) == (("moon",), ("unknown",))


def test_a_device_of_no_class_has_only_what_was_declared() -> None:
    offer = Offer("box", PRESS.offers[0].resources, device_class="")
    places = fleet(replace(PRESS, offers=(offer,)))
    places.put_service_time("m", "", 90_000, 5, samples=500)
    work = replace(service(), latency=Latency(10_000, ("plant",), service_time_us=4_000))
    assert decided(work, places, model_digest="m").sites == ("press-7",)


def test_a_promise_rests_on_what_is_counted_on_and_not_on_what_is_likely() -> None:
    places = fleet(HALL)
    places.put_link("plant", "hall", 26_000, 5, samples=240, p99_us=22_000)
    assert _late(places, Latency(25_000, ("plant",))).likely_number == 22_000
    assert decided(replace(service(), latency=Latency(26_000, ("plant",))), places).sites == ("hall",)


def test_what_was_placed_says_how_soon_it_answers_and_what_says_so() -> None:
    places = fleet(HALL)
    places.put_link("plant", "hall", 21_000, 3, samples=240, p99_us=19_000)
    places.put_service_time("m", "gpu-l4", 3_000, 2, samples=500, p99_us=2_500)
    work = replace(service(), latency=Latency(30_000, ("plant",)))
    (reading,) = decided(work, places, model_digest="m").readings
    assert reading == Reading("hall", "plant", 21_000, 19_000, 3, 240, 3_000, 2, 500)
    assert reading.us == 24_000
    (declared,) = decided(work, fleet(HALL)).readings
    assert (declared.trip_us, declared.trip_measured_at, declared.trip_samples) == (2_000, 0, 0)
    assert decided(replace(work, latency=None), places).readings == ()
