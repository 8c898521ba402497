"""Among units that are alike, the chooser answers what a pool of them would."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from placement.pool.choosing import Chooser
from placement.pool.exhaustive import Exhaustive, room
from placement.pool.nouns import Ask, Shape, mix_of
from placement.pool.scoring import house
from tests.placement.pool.work import asks

ONE = Shape(16000, 2**34, 1, "T4")
FOUR = Shape(16000, 2**34, 4, "T4")


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(asks, st.integers(1, 50), min_size=1, max_size=8),
    st.sampled_from((ONE, FOUR)),
    st.booleans(),
    st.lists(st.integers(0, 99), max_size=40),
)
def test_the_unit_is_the_pools(counts: dict[Ask, int], unit: Shape, priced: bool, picks: list[int]) -> None:
    mix = mix_of(counts)
    known = [wanted.ask for wanted in mix if unit is ONE or not wanted.ask.share_milli]
    worths = {ask: ask.gpu_milli * 900 + ask.cpus_milli * 7 for ask in counts} if priced else None
    chooser, pool = Chooser(mix, worths), Exhaustive([0] * 6, house(mix, (unit,), worths))
    for ask in (known[pick % len(known)] for pick in picks if known):
        cpus, memory = pool.nodes.cpus.copy(), pool.nodes.memory.copy()
        idle = pool.nodes.gpus[:, : unit.gpus].copy()
        rows = np.flatnonzero(room(pool.nodes, ask))
        seat = pool.place(ask)
        assert (seat is None) == (len(rows) == 0)
        if seat is not None:
            each, free = ask.per_gpu_milli, idle[rows] >= ask.per_gpu_milli
            taken = np.where(free & (free.cumsum(axis=1) <= ask.gpus), each, 0)
            assert rows[chooser.choose(ask, unit, cpus[rows], memory[rows], idle[rows], taken)] == seat.node


def test_one_unit_needs_no_choosing() -> None:
    none = np.zeros((1, 0), dtype=np.int64)
    assert Chooser(()).choose(Ask(1, 0), ONE, np.array([5]), np.array([5]), none, none) == 0
