"""What was found, as people read it."""

from dataclasses import replace

from tidegate.cli import amounts
from tidegate.model.decision import Miss, Unit
from tidegate.model.reading import Reading

LATE = Miss(
    "latency",
    "hall",
    "latency.p99",
    "Le",
    ("plant-7",),
    wanted_number=25_000,
    found_number=38_000,
    unit=Unit.MICROSECONDS,
    offer="node",
    measured_at=100_000,
    samples=240,
    likely_number=38_000,
)


def test_a_measured_answer_time_says_from_where_how_old_and_on_how_many_samples() -> None:
    assert amounts.found(LATE) == "p99 38 ms from plant-7"
    assert amounts.basis(LATE, 112_000) == "measured 12 s before (240 samples)"
    assert amounts.wanted(LATE) == "latency.p99 <= 25 ms"


def test_what_is_added_for_doubt_and_what_is_the_service_s_are_told_apart() -> None:
    doubtful = replace(LATE, found_number=44_500, part_number=3_000)
    assert amounts.found(doubtful) == "p99 38 ms from plant-7 (counted as 44.5 ms, 3 ms of it the service)"


def test_a_declared_time_is_marked_so_and_an_unknown_one_is_neither() -> None:
    declared = replace(LATE, measured_at=0, samples=0)
    assert amounts.basis(declared, 112_000) == "declared"
    unknown = replace(declared, found=("unknown",), found_number=0, likely_number=0)
    assert (amounts.found(unknown), amounts.basis(unknown, 112_000)) == ("unknown", "")


def test_a_reading_says_how_soon_and_who_measured_it_when() -> None:
    one = Reading("hall", "plant-7", 21_000, 19_000, 100_000, 240, 3_000, 0, 0)
    assert amounts.reading(one, 112_000) == (
        "p99 24 ms from plant-7 to hall, 3 ms of it the service (declared), "
        "the way measured 12 s before by clients and agents there (240 samples, estimated at 19 ms)"
    )
    assert (
        amounts.reading(Reading("hall", "plant-7", 2_000, 2_000), 5)
        == "p99 2 ms from plant-7 to hall, the way declared"
    )
