"""Races on simulated arrivals: the same on every machine, and never lost to noise."""

from placement.pool.nouns import Ask, Shape, Wanted
from placement.pool.rollout import allocated, arrivals, race
from placement.pool.scoring import fgd, house

KINDS = (Shape(16000, 2**34, 2, "T4"),)
MIX = (Wanted(Ask(1000, 0, 1, 600), 5), Wanted(Ask(1000, 0, 1, 400), 5), Wanted(Ask(1000, 0, 1), 2))


def test_arrivals_are_dealt_from_the_mix_by_a_hash() -> None:
    assert arrivals(MIX, 4000, 1).tolist() == arrivals(MIX, 4000, 1).tolist()
    assert arrivals(MIX, 40_000, 1).tolist() != arrivals(MIX, 40_000, 2).tolist()
    dealt = arrivals(MIX, 7000, 3)
    assert sorted(dealt.tolist()) == [0] * 5 + [1] * 5 + [2] * 2, "7 GPUs are one deal of the whole mix"
    assert arrivals(MIX, 7000, 3)[:6].tolist() == [1, 1, 0, 1, 0, 2]
    assert len(arrivals((Wanted(Ask(1, 0), 9),), 1000, 0)) == 9, "a mix without GPUs is dealt once"


def test_the_incumbent_stays_where_nobody_is_better() -> None:
    same = [fgd(MIX, KINDS)] * 3
    assert race(same, [0] * 5, MIX).candidate == 0


def test_the_better_one_is_found_and_judged_on_the_incumbents_draws() -> None:
    bad = house(MIX, KINDS, {MIX[0].ask: 1, MIX[1].ask: 1_000_000, MIX[2].ask: 1}, lean_milli=0, band_micros=10**9)
    good = house(MIX, KINDS, {wanted.ask: wanted.ask.gpu_milli * 1000 for wanted in MIX})
    standing = race([bad, bad, good], [0] * 40, MIX, laps=(2, 2))
    assert standing.candidate == 2
    assert list(standing.allocated) == [allocated(good, [0] * 40, MIX, seed) for seed in range(4)]
