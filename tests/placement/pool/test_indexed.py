"""The index gives the seats that looking at every node gives, over anything that can happen to a pool."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placement.pool import indexed
from placement.pool.exhaustive import Exhaustive
from placement.pool.indexed import Indexed
from placement.pool.nouns import Ask, Seat, Shape, mix_of
from placement.pool.scoring import fgd, house
from tests.bench.trace import draw, load
from tests.placement.pool.work import asks

KINDS = (
    Shape(4000, 2**33, 0),
    Shape(8000, 2**34, 1, "T4"),
    Shape(16000, 2**34, 2, "T4"),
    Shape(32000, 2**35, 4, "V100"),
    Shape(96000, 2**36, 8, "A100"),
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(asks, st.integers(1, 50), min_size=1, max_size=10),
    st.lists(st.integers(0, len(KINDS) - 1), min_size=1, max_size=70),
    st.sampled_from((1, 1000, 15_000, 200_000)),
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=120),
)
def test_placed_released_and_changed_nodes_never_part_them(
    counts: dict[Ask, int], order: list[int], band: int, published: bool, steps: list[tuple[int, int]]
) -> None:
    mix, known = mix_of(counts), list(counts)
    worths = {ask: ask.gpu_milli * 900 + ask.cpus_milli * 7 for ask in known}
    scoring = fgd(mix, KINDS) if published else house(mix, KINDS, worths, band_micros=band)
    scan, index = Exhaustive(order, scoring), Indexed(order, scoring)
    held: list[tuple[Ask, Seat]] = []
    for step, pick in steps:
        if step < 70 or not held:
            ask = known[pick % len(known)]
            seat = scan.place(ask)
            assert index.place(ask) == seat
            held += [(ask, seat)] if seat else []
        elif step < 95:
            ask, seat = held.pop(pick % len(held))
            scan.release(ask, seat)
            index.release(ask, seat)
        else:
            node, kind = pick % len(order), KINDS[step % len(KINDS)]
            try:
                scan.update(node, kind)
            except ValueError:
                continue  # it would take GPUs from under work
            index.update(node, kind)
    assert (scan.nodes.gpus == index.nodes.gpus).all()


def test_the_same_seats_on_a_slice_of_the_trace() -> None:
    trace = load()
    drawn = draw(trace, 42)
    order, arrivals = drawn.order[:60].tolist(), drawn.arrivals[:600]
    worths = {wanted.ask: wanted.ask.gpu_milli * 1000 for wanted in trace.mix}
    for scoring in (fgd(trace.mix, trace.kinds), house(trace.mix, trace.kinds, worths)):
        scan, index = Exhaustive(order, scoring), Indexed(order, scoring)
        work = [trace.mix[task].ask for task in arrivals]
        assert index.place_all(work) == [scan.place(ask) for ask in work]


def test_a_class_that_was_forgotten_is_looked_at_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexed, "MOST_CLASSES", 3)
    monkeypatch.setattr(indexed, "FIRST_CLASSES", 1)
    scoring = house(mix_of({Ask(1000, 0, 1): 1}), KINDS)
    scan, index = Exhaustive([1, 2, 3], scoring), Indexed([1, 2, 3], scoring)
    work = [Ask(cpus, 0, 1, 100 + share) for share in range(5) for cpus in (1000, 2000, 1000, 3000, 4000, 500)]
    assert index.place_all(work) == [scan.place(ask) for ask in work]


def test_classes_known_beforehand_get_the_same_seats() -> None:
    work = [Ask(1000, 0, 1, 300), Ask(1000, 0, 1, 700), Ask(500, 0)]
    scoring = house(mix_of(dict.fromkeys(work, 1)), KINDS)
    index, other = Indexed([1, 2, 3, 4], scoring), Indexed([1, 2, 3, 4], scoring)
    index.know(work)
    assert index.place_all(work * 9) == other.place_all(work * 9)


def test_other_prices_rank_over_the_same_nodes() -> None:
    work = [Ask(1000, 0, 1, 300), Ask(1000, 0, 1, 700), Ask(500, 0), Ask(1000, 0, 2)]
    before, after = house(mix_of(dict.fromkeys(work, 1)), KINDS), fgd(mix_of({work[0]: 1, work[3]: 2}), KINDS)
    scan, index = Exhaustive([1, 2, 3, 4], before), Indexed([1, 2, 3, 4], before)
    for scoring in (before, after, before):
        scan.use(scoring)
        index.use(scoring)
        assert index.place_all(work) == [scan.place(ask) for ask in work]
    with pytest.raises(ValueError, match="other shapes"):
        index.use(fgd((), KINDS[1:]))


def test_more_nodes_than_the_tiers_hold_are_refused() -> None:
    with pytest.raises(ValueError, match="262144"):
        Indexed([0] * (indexed.MOST_NODES + 1), house((), KINDS))
