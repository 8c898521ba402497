"""Learning the mix: frequent work is never lost, old work fades, and memory is bounded."""

import pytest

from placement.pool import popularity
from placement.pool.nouns import Ask, Wanted
from placement.pool.popularity import SCALE, Popularity

OFTEN, SELDOM = Ask(1000, 0, 1), Ask(2000, 0, 1)


def test_the_most_frequent_comes_first() -> None:
    learnt = Popularity((Wanted(SELDOM, 1),))
    learnt.asked([OFTEN, SELDOM, OFTEN, OFTEN])
    assert learnt.mix == (Wanted(OFTEN, 3 * SCALE), Wanted(SELDOM, 2 * SCALE))


def test_old_work_fades(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(popularity, "HALF_LIFE", 4)
    learnt = Popularity()
    learnt.asked([SELDOM] * 4 + [OFTEN] * 20)
    assert learnt.mix[0].ask == OFTEN
    assert learnt.mix[1] == Wanted(SELDOM, 4 * SCALE // 64)
    learnt.asked([OFTEN] * 4)
    assert len(learnt.mix) == 1


def test_what_is_frequent_outlives_any_number_of_newcomers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(popularity, "MOST_CLASSES", 8)
    learnt = Popularity()
    for number in range(500):
        learnt.asked([OFTEN, Ask(number, 0, 1, 500)])
        assert len(learnt.mix) <= 8
    assert learnt.mix[0].ask == OFTEN
