"""Some thousand power cuts with each run of the tests; `make sim` lives through a million."""

from tests.disks.lives import LIVES
from tests.disks.powercuts import ROUND, missing, rounds

SOME = 6


def test_nothing_that_was_acknowledged_is_lost_or_half_there() -> None:
    found = rounds(9_000, SOME)
    assert not found.wrong, found.wrong[0]
    assert sum(found.cuts.values()) > 2_500
    assert set(LIVES) == set(found.cuts)
    assert not [where for where in missing(found) if "start" not in where and "unpack" not in where]


def test_the_same_seeds_are_the_same_lives() -> None:
    assert rounds(3, 1).fell == rounds(3, 1).fell


def test_a_disk_that_lies_about_its_flush_is_found_out() -> None:
    """The checks bite: where syncs do nothing, what was acknowledged is lost, and every kind of life says so."""
    found = rounds(70, 1, lie=True)
    assert {wrong.split()[1] for wrong in found.wrong} == set(ROUND)


def test_a_run_that_cut_too_little_says_where() -> None:
    found = rounds(1, 1)
    del found.fell["log: snapshot rename"]
    assert "log: snapshot rename" in missing(found)
