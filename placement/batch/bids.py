"""Bids: work that comes one by one, each placed at the least cost plus what the room is worth to those still to come.

Cheapest first fills the cheap rooms with whoever comes first, and sends those who can stand nowhere else to the dearest
place of all. A bid price on every room keeps it for whom it is worth most. The prices are learned from a sample of such
work, another one than comes, and learned anew every so often (`learned`) from what room is then left and how much is
still to come: a place that fills faster than the sample had it becomes dearer, one that fills slower cheaper.

Choosing is arithmetic on one row of numbers, some 10 to 20 us for 100 candidates. Learning belongs beside the stream,
by the ascent from the prices at hand, or by a solver that the caller brings (`Learn`); near the end, when little is
left, rough prices mislead. Prices and rooms are whole numbers, and products of two of them are compared as floats that
are the same on every machine (one multiplication and addition after another).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from placement.batch.ascent import ascend
from placement.batch.problem import Problem
from placement.fleet.columns import Numbers

NOWHERE = -1
Reals = NDArray[np.float64]
Learn = Callable[[Problem, Reals | None], Reals]
"""From work, the room for it, and prices to begin with (None: none) to prices for the whole room."""


@dataclass(slots=True)
class Bids:
    """What every room is worth, and what is left of it. Shapes (places, amounts)."""

    prices: Numbers
    """Micros for all of `room`."""
    room: Numbers
    """The room that the prices are for."""
    left: Numbers
    """What nobody has taken yet."""
    _each: Reals

    @classmethod
    def of(cls, prices: Reals, room: Numbers, left: Numbers) -> "Bids":
        """Bids at these prices for that room, of which so much is left."""
        whole = np.rint(np.maximum(prices, 0.0)).astype(np.int64)
        return cls(whole, room, left.copy(), whole / np.maximum(room, 1))

    @classmethod
    def learn(cls, sample: Problem, room: Numbers, coming: int, by: Learn = ascend) -> "Bids":
        """Bids for `coming` workloads like those of a sample, on so much room."""
        return cls.of(np.zeros(room.shape), room, room).learned(sample, coming, by)

    def learned(self, sample: Problem, coming: int, by: Learn = ascend) -> "Bids":
        """Bids for what is left, with so many workloads like those of the sample still to come."""
        of_sample = int(sample.many.sum())
        scaled = (self.left * (of_sample / max(coming, 1))).astype(np.int64)
        begin = self.prices.astype(np.float64) if self.prices.any() else None
        return Bids.of(by(replace(sample, room=scaled), begin), scaled, self.left)

    def choose(self, demand: Numbers, places: Numbers, cost: Numbers) -> int:
        """Which of these candidates (shapes (candidates,)) the workload takes, or `NOWHERE` where none has room."""
        left, each = self.left[places], self._each[places]
        worth = cost.astype(np.float64)
        fits = np.ones(len(places), dtype=np.bool_)
        for amount, wanted in enumerate(demand.tolist()):
            if wanted:
                worth += wanted * each[:, amount]
                fits &= left[:, amount] >= wanted
        if not fits.any():
            return NOWHERE
        return int(np.where(fits, worth, np.inf).argmin())

    def take(self, place: int, demand: Numbers) -> None:
        """The workload stands there."""
        self.left[place] -= demand

    def give(self, place: int, demand: Numbers) -> None:
        """It has left."""
        self.left[place] += demand
