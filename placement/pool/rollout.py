"""Which scoring suits a fleet and its mix of work: simulate arrivals ahead, on the empty fleet, and take the best.

Which prices, how much of the gradient and how wide a band win differs from mix to mix by tenths of a point of GPUs,
and no formula says it beforehand. So each candidate places the same arrivals, drawn from the expected mix, and a race
drops the worse half after each lap. The first candidate is the incumbent (FGD, or whatever is in force): another is
chosen only where it did better on the whole and on most draws by itself, so that tuning to noise cannot lose to it.

Chance is not drawn here: arrivals are the mix in the order of a hash of `seed` and position, so two machines run the
same race. A lap of 10,000 arrivals takes 0.1 to 0.2 s a candidate; this is done when prices are solved, never at a
decision.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placement.pool.indexed import Indexed
from placement.pool.nouns import WHOLE, Mix
from placement.pool.scoring import Scoring

Numbers = NDArray[np.int64]
LAPS = (2, 2, 4, 4)
"""Draws in each lap; the better half of the field goes on to the next."""
WINS_PERCENT = 70
"""Of its draws, that a challenger must win against the incumbent."""
SATURATED_PERCENT = 100
"""How much of the fleet's GPUs the arrivals ask for together."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one candidate did."""

    candidate: int
    allocated: tuple[int, ...]
    """Milli of GPUs allocated, for each draw that it ran."""


def arrivals(mix: Mix, gpu_milli: int, seed: int) -> Numbers:
    """Positions in `mix`, in the order of arrival, until they ask for so much together.

    The whole mix is dealt out, shuffled, and then again. A mix without GPUs never asks for enough: it is dealt once.
    """
    deck = np.repeat(np.arange(len(mix)), [wanted.count for wanted in mix])
    asked = np.array([wanted.ask.gpu_milli for wanted in mix], dtype=np.int64)
    once = int(asked[deck].sum())
    deals = -(-gpu_milli // once) if once else 1
    dealt = [deck[np.argsort(_hashed(seed + deal * 1_000_003, len(deck)), kind="stable")] for deal in range(deals)]
    order = np.concatenate(dealt)
    return order[: int(np.searchsorted(asked[order].cumsum(), gpu_milli, side="right"))]


def allocated(scoring: Scoring, order: Sequence[int], mix: Mix, seed: int) -> int:
    """Milli of GPUs that are allocated once the arrivals of one draw have been tried."""
    pool = Indexed(order, scoring)
    gpu_milli = sum(scoring.kinds[k].gpus for k in order) * WHOLE
    drawn = arrivals(mix, gpu_milli * SATURATED_PERCENT // 100, seed)
    classes = np.array([pool.class_of(wanted.ask) for wanted in mix], dtype=np.int64)
    asked = np.array([wanted.ask.gpu_milli for wanted in mix], dtype=np.int64)
    seats = pool.place_classes(classes[drawn])
    return int(asked[drawn][seats[:, 0] >= 0].sum())


def race(
    candidates: Sequence[Scoring],
    order: Sequence[int],
    mix: Mix,
    *,
    seed: int = 0,
    laps: Sequence[int] = LAPS,
) -> Standing:
    """The standing of the candidate to use; `candidates[0]` is the incumbent and runs every lap."""
    results: list[list[int]] = [[] for _ in candidates]
    field, draw = list(range(len(candidates))), 0
    for draws in laps:
        for index in dict.fromkeys((0, *field)):
            for step in range(draws):
                results[index].append(allocated(candidates[index], order, mix, seed + draw + step))
        draw += draws
        field = sorted(field, key=lambda index: (-sum(results[index]), index))[: max(1, len(field) // 2)]
    best = field[0]
    wins = sum(mine > theirs for mine, theirs in zip(results[best], results[0], strict=True))
    if sum(results[best]) <= sum(results[0]) or wins * 100 < WINS_PERCENT * draw:
        best = 0
    return Standing(best, tuple(results[best]))


def _hashed(seed: int, count: int) -> NDArray[np.uint64]:
    """Shape (count,): splitmix64 of seed and position."""
    mixed = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed += np.uint64(seed * 0xD1342543DE82EF95 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))
