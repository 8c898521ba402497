"""Choose among a few units that are alike: the house's ranking for whoever keeps the state himself.

The broker's fleet keeps its own units, with memory and partitions of each GPU, and seats copies on their GPUs by its
own rules; it asks here only which unit, given what each has left and what the copy would take of each GPU. It is told
the first unit of the best band, so with shares or whole GPUs on one shape of node it is what `exhaustive` answers.

A chooser belongs to one mix and one set of prices and remembers nothing else: the tables of each shape of unit that it
has met follow from these. About 60 us a choice, for up to some hundred units.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from placement.pool.exhaustive import costs, worth
from placement.pool.nouns import Ask, Mix, Shape
from placement.pool.scoring import Scoring, house

Numbers = NDArray[np.int64]


class Chooser:
    """Ranks the units of one shape."""

    def __init__(self, mix: Mix, worths: Mapping[Ask, int] | None = None) -> None:
        """`worths`: the bid prices; without them the gradient ranks alone."""
        self._mix, self._worths = mix, worths
        self._scorings: dict[Shape, Scoring] = {}

    def choose(self, ask: Ask, shape: Shape, cpus: Numbers, memory: Numbers, idle: Numbers, taken: Numbers) -> int:
        """The place of the best unit. All have room; there is one or more.

        Shapes: cpus and memory (units,), thousandths and bytes left; idle and taken (units, GPUs), thousandths of each
        GPU, left and to be taken by the copy. Of `ask` only CPUs and memory are looked at.
        """
        if len(cpus) == 1:
            return 0
        scoring = self._scoring(shape)
        alike = np.zeros(len(cpus), dtype=np.int64)
        value, spoilt = worth(scoring, alike, alike, cpus, memory, idle)
        left = (cpus - ask.cpus_milli, memory - ask.memory_bytes)
        after, spoils = worth(scoring, alike, alike, *left, idle - taken)
        return int(np.argmin(costs(scoring, value - after, spoils - spoilt) // scoring.band_micros))

    def _scoring(self, shape: Shape) -> Scoring:
        scoring = self._scorings.get(shape)
        if scoring is None:
            scoring = self._scorings[shape] = house(self._mix, (shape,), self._worths)
        return scoring
