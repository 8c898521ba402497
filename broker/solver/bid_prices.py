"""Bid prices for a pool: what serving one piece of each class costs a fleet, from one fluid linear programme.

Fluid: nodes of one shape are one pot of CPUs, memory and GPUs, work may be cut as fine as one likes, and only how
shares go together on one GPU is kept exact, by patterns (column generation; a pattern is one filling of a GPU).

    maximise    sum over classes and steps of   slope[step] x size[class] x served[class, step]
    such that   served[class, step] <= width[step] x demand[class],  sum over steps of served = sum over shapes of put
                put[class, shape] fits the shape's pot of CPUs, memory and GPUs; shares only where patterns hold them

The slopes fall: a first part of every class is worth more than the last. Work is taken as it comes, so all classes are
served alike until something runs out; with one slope the programme would starve the awkward ones and price them at
nothing. A class's price is the dual of its row: what the fleet loses by serving one more. Prices are scaled so that the
mix as a whole is worth the GPUs that it asks for, and are whole millionths of a GPU.

What comes out is data: `placement.pool.value` turns it into tables, and decisions are made on whole numbers only. Two
machines may solve to different duals (there are many); whoever decides keeps the ones it decided with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from broker.solver.highs import Highs
from placement.pool.nouns import WHOLE, Ask, Mix, Shape
from placement.pool.value import GRAIN, MICROS

Steps = tuple[tuple[float, float], ...]
"""(share of the demand up to which, slope), ascending shares, falling slopes."""
GENTLE: Steps = ((0.85, 1.5), (0.95, 1.2), (1.0, 1.0), (1.3, 0.8))
STEEP: Steps = ((0.7, 16), (0.8, 8), (0.88, 4), (0.94, 2), (1.0, 1), (1.1, 0.6), (1.3, 0.3))
FLAT: Steps = ((1.0, 1.0),)
CPU_WORTH = 0.03
"""The size of work without GPUs, in GPUs per CPU, so that it is served at all."""
MOST_ROUNDS = 100
"""Of column generation; the best patterns are found in 20 to 30."""
GAIN = 1e-7
"""A pattern that is worth less than this over a GPU's price is not worth having."""


@dataclass(frozen=True, slots=True)
class BidPrices:
    """What the programme says."""

    worths: dict[Ask, int]
    """Millionths of a GPU for each class of the mix."""
    served: float
    """The objective, in GPUs; with `FLAT` steps the most GPUs that any policy could allocate of this demand."""


def bid_prices(mix: Mix, fleet: Mapping[Shape, int], steps: Steps = GENTLE, demand_gpus: float = 0.0) -> BidPrices:
    """Solve for a mix over a fleet, so many nodes of each shape.

    `demand_gpus`: how many GPUs the mix asks for together, in the proportions of its counts; 0: as many as there are.
    A class that fits no node is worth nothing. Takes 0.2 to 1 s for 100 to 400 classes over 15 shapes.
    """
    everything = mix
    mix = tuple(wanted for wanted in mix if any(wanted.ask.allows(shape) for shape, count in fleet.items() if count))
    asked = sum(wanted.count * wanted.ask.gpu_milli for wanted in mix) / WHOLE
    gpus = sum(count * shape.gpus for shape, count in fleet.items())
    nothing = {wanted.ask: 0 for wanted in everything}
    if not asked or not gpus:
        return BidPrices(nothing, 0.0)
    programme = _Programme(mix, fleet, steps, (demand_gpus or gpus) / asked)
    programme.solve()
    prices = np.maximum(-programme.duals[: len(mix)], 0.0)
    paid = sum(wanted.count * float(price) for wanted, price in zip(mix, prices, strict=True))
    scale = MICROS * asked / paid if paid else 0.0
    worths = {wanted.ask: round(float(price) * scale) for wanted, price in zip(mix, prices, strict=True)}
    return BidPrices(nothing | worths, programme.objective)


class _Programme:
    """The programme's rows: one per class; then CPUs, memory, GPUs per shape; then one per shape and size of share."""

    def __init__(self, mix: Mix, fleet: Mapping[Shape, int], steps: Steps, scale: float) -> None:
        self._fleet = sorted(fleet.items())
        self._sizes = sorted({wanted.ask.share_milli for wanted in mix if wanted.ask.share_milli})
        self._pots = len(mix)
        self._shares = self._pots + 3 * len(self._fleet)
        self.duals: NDArray[np.float64] = np.zeros(0)
        self.objective = 0.0
        self._solver = Highs()
        self._add_rows(len(mix))
        for row, wanted in enumerate(mix):
            self._add_class(row, wanted.ask)
            self._add_steps(row, wanted.ask, wanted.count * scale, steps)
        for shape in range(len(self._fleet)):
            for index, size in enumerate(self._sizes):
                self._add_pattern(shape, {index: WHOLE // size})
        self._solver.changeObjectiveSense(highspy.ObjSense.kMaximize)

    def solve(self) -> None:
        """Solve, add the pattern that each shape's prices call for, and again until there is none."""
        for _ in range(MOST_ROUNDS):
            self._solver.run()
            self.duals = np.array(self._solver.getSolution().row_dual)
            self.objective = float(self._solver.getInfo().objective_function_value)
            found = [(shape, self._best_pattern(shape)) for shape in range(len(self._fleet))]
            for shape, pattern in found:
                if pattern:
                    self._add_pattern(shape, pattern)
            if not any(pattern for _, pattern in found):
                return

    def _add_rows(self, classes: int) -> None:
        infinite, none = highspy.kHighsInf, (0, np.zeros(0, dtype=np.int32), np.zeros(0))
        for _ in range(classes):
            self._solver.addRow(0.0, infinite, *none)
        for shape, count in self._fleet:
            for amount in (shape.cpus_milli / 1000, shape.memory_bytes / 2**30, shape.gpus):
                self._solver.addRow(-infinite, amount * count, *none)
        for _ in range(len(self._fleet) * len(self._sizes)):
            self._solver.addRow(-infinite, 0.0, *none)

    def _add_class(self, row: int, ask: Ask) -> None:
        for k, (shape, _) in enumerate(self._fleet):
            if not ask.allows(shape):
                continue
            pot = self._pots + 3 * k
            entries = {row: 1.0, pot: ask.cpus_milli / 1000, pot + 1: ask.memory_bytes / 2**30}
            if ask.share_milli:
                entries[self._share_row(k, self._sizes.index(ask.share_milli))] = 1.0
            elif ask.gpus:
                entries[pot + 2] = float(ask.gpus)
            self._add(0.0, highspy.kHighsInf, entries)

    def _add_steps(self, row: int, ask: Ask, demand: float, steps: Steps) -> None:
        size = ask.gpu_milli / WHOLE if ask.gpus else CPU_WORTH * ask.cpus_milli / 1000
        before = 0.0
        for upto, slope in steps:
            self._add(size * slope, (upto - before) * demand, {row: -1.0})
            before = upto

    def _add_pattern(self, shape: int, pattern: Mapping[int, int]) -> None:
        entries = {self._share_row(shape, index): -float(times) for index, times in pattern.items()}
        self._add(0.0, highspy.kHighsInf, {self._pots + 3 * shape + 2: 1.0, **entries})

    def _add(self, gain: float, most: float, entries: Mapping[int, float]) -> None:
        rows = np.array(list(entries), dtype=np.int32)
        self._solver.addCol(gain, 0.0, most, len(rows), rows, np.array(list(entries.values())))

    def _share_row(self, shape: int, index: int) -> int:
        return self._shares + shape * len(self._sizes) + index

    def _best_pattern(self, shape: int) -> dict[int, int]:
        """The filling of one GPU that is worth most at the present prices; empty where a GPU costs as much."""
        start = self._share_row(shape, 0)
        prices: Sequence[float] = self.duals[start : start + len(self._sizes)].tolist()
        room = WHOLE // GRAIN
        best, last = [0.0] * (room + 1), [-1] * (room + 1)
        for space in range(1, room + 1):
            best[space] = best[space - 1]
            for index, size in enumerate(self._sizes):
                steps = -(-size // GRAIN)
                if steps <= space and best[space - steps] + prices[index] > best[space] + 1e-12:
                    best[space], last[space] = best[space - steps] + prices[index], index
        if best[room] <= float(self.duals[self._pots + 3 * shape + 2]) + GAIN:
            return {}
        pattern: dict[int, int] = {}
        space = room
        while space > 0:
            index = last[space]
            if index < 0:
                space -= 1
                continue
            pattern[index] = pattern.get(index, 0) + 1
            space -= -(-self._sizes[index] // GRAIN)
        return pattern
