"""What was worked out lately: bounded, and the oldest goes."""

from placement.lately import Lately


def test_when_it_is_full_the_oldest_tenth_goes_and_what_was_put_again_is_not_old() -> None:
    kept: Lately[int] = Lately(20)
    for number in range(20):
        kept.put(number, number)
    kept.put(0, 0)
    kept.put("new", 20)
    assert len(kept) == 19
    assert kept.get(0) == 0
    assert (kept.get(1), kept.get(2)) == (None, None)
    assert kept.get(3) == 3


def test_what_is_put_again_takes_the_place_of_what_was_there() -> None:
    kept: Lately[str] = Lately(2)
    kept.put("a", "one")
    kept.put("b", "two")
    kept.put("a", "three")
    assert (kept.get("a"), kept.get("b")) == ("three", "two")


def test_one_at_least_is_kept() -> None:
    kept: Lately[str] = Lately(0)
    kept.put("a", "one")
    kept.put("b", "two")
    assert (kept.get("a"), kept.get("b"), len(kept)) == (None, "two", 1)
