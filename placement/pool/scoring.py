"""How a placement ranks: a whole number, lower wins, ties to the first node in the pool's order.

Two scorings. **FGD**: 100 less its published score. **The house's**: what the placement takes from the node's value at
the bid prices, plus a share of what it adds to fragmentation, in bands:

    cost = value before - value after + lean x (fragmentation after - fragmentation before)
    rank = floor(cost / band)

On a node, a share gets the GPU of the least cost (FGD: the highest score), the lowest index first.

The bid prices see which GPUs, models and CPUs are scarce in the whole fleet; they leave many placements equal, and
there the gradient, which knows only the node, leans. The band makes near-equal placements equal, so that the fixed
order fills nodes one after another and keeps empty ones whole. How much each is worth on the production trace, and what
FGD loses with exact scores, `python -m tests.bench packing --parts` prints.

Without bid prices (nobody has solved the programme yet) the house's scoring is the gradient alone in bands.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from placement.pool.gradient import TOP, Gradient
from placement.pool.nouns import Mix, Shape
from placement.pool.value import Value, Worths

BAND_MICROS = 15_000
"""Millionths of a GPU that count as the same."""
LEAN_MILLI = 20
"""Thousandths of the gradient that are added to the value."""
ALONE_MILLI = 1000
"""The gradient's share where there are no bid prices."""
ALONE_BAND_MICROS = 40_000
"""FGD's own rounding, where it is steepest: one step of its score is 40 milli of fragmentation."""


@dataclass(frozen=True, eq=False)
class Scoring:
    """The tables and numbers of one ranking."""

    kinds: tuple[Shape, ...]
    """The shapes of node that the tables know, in their order."""
    published: bool
    """FGD's own score and rounding."""
    gradient: Gradient
    value: Value
    lean_milli: int = LEAN_MILLI
    band_micros: int = BAND_MICROS
    """1 where the score is a whole number of bands by itself."""

    def cost(self, lost: int, spoiled: int) -> int:
        """What ranks the GPUs of one node; its band, `cost // band_micros`, ranks the nodes.

        `lost`: value before less value after. `spoiled`: fragmentation after less before, in milli x counts.
        """
        if self.published:
            return TOP - self.gradient.score(-spoiled)
        return lost + self.lean_milli * spoiled // self.gradient.total


def fgd(mix: Mix, shapes: Sequence[Shape]) -> Scoring:
    """FGD exactly as published, its popularity from this mix."""
    return Scoring(tuple(shapes), True, Gradient.of(mix, _models(shapes)), Value.nothing(shapes), band_micros=1)


def house(
    mix: Mix,
    shapes: Sequence[Shape],
    worths: Worths | None = None,
    *,
    lean_milli: int | None = None,
    band_micros: int | None = None,
) -> Scoring:
    """The house's own; without `worths` the gradient alone, in bands. Numbers that are not given are those above."""
    kinds, gradient = tuple(shapes), Gradient.of(mix, _models(shapes))
    if worths:
        value, lean, band = Value.of(mix, worths, kinds), LEAN_MILLI, BAND_MICROS
    else:
        value, lean, band = Value.nothing(kinds), ALONE_MILLI, ALONE_BAND_MICROS
    lean = lean if lean_milli is None else lean_milli
    return Scoring(kinds, False, gradient, value, lean, band_micros or band)


def _models(shapes: Sequence[Shape]) -> tuple[str, ...]:
    return tuple(sorted({shape.gpu_model for shape in shapes}))
