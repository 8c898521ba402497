"""What the leftovers of a node are worth to the work that is still to come, at given prices.

Each class of the expected mix has a *worth*: what the fluid linear programme says that serving one of it costs the
fleet, in millionths of one GPU. A node's value is the most that could be earned by filling what is free on it with
that work. Exactly that is a knapsack per node and too slow to ask a million times a second; its Lagrangian is not:
give CPUs a price, and each GPU is filled for itself.

    value(node) = min over levels l of   cpu_price[l] x free CPUs + sum over GPUs in use of part[l][idle]
                                         + whole[l][number of free GPUs]

`part[l][r]` is the best filling of r thousandths of one GPU, every class's worth less what its CPUs cost at level l;
`whole[l][f]` the best filling of f free GPUs, by shares or by work that asks for 1, 2, 4 or 8 whole ones. The least of
the levels is an upper bound of the knapsack and close to it: low levels speak for nodes with CPUs to spare, high ones
for nodes whose CPUs run out before their GPUs. A placement costs value before less value after: what it takes away.

Not in it: memory, which has been plentiful wherever this was measured, so a node short of memory is overvalued.
Limits: worths below 2**40; leftovers of one GPU count in whole hundredths, rounded down.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placement.pool.nouns import MOST_GPUS, WHOLE, Ask, Shape

GRAIN = 10
"""Milli of a GPU in one step of the tables."""
MICROS = 1_000_000
"""Worth of one GPU where all are equally wanted."""
CPU_PRICES = (0, 5, 10, 20, 30, 45, 60, 80, 100, 140)
"""The levels, in millionths of a GPU per milli CPU. At 90 the CPUs of a usual one-GPU class cost a whole GPU."""

Table = NDArray[np.int64]
Worths = Mapping[Ask, int]
"""Millionths of a GPU for each class. The bid prices: data, from `broker.solver.bid_prices`."""


@dataclass(frozen=True, eq=False)
class Value:
    """The tables. Shapes: cpu_price (L,), part (shapes, L, 101), whole (shapes, L, 9)."""

    cpu_price: Table
    part: Table
    whole: Table

    @classmethod
    def of(cls, worths: Worths, shapes: Sequence[Shape], cpu_prices: Sequence[int] = CPU_PRICES) -> "Value":
        """The tables for nodes of these shapes, in the order in which they are numbered."""
        levels, steps = len(cpu_prices), WHOLE // GRAIN + 1
        part = np.zeros((len(shapes), levels, steps), dtype=np.int64)
        whole = np.zeros((len(shapes), levels, MOST_GPUS + 1), dtype=np.int64)
        for k, shape in enumerate(shapes):
            fits = [(ask, worth) for ask, worth in worths.items() if ask.gpus and ask.allows(shape)]
            for level, price in enumerate(cpu_prices):
                best: dict[tuple[int, int], int] = {}
                for ask, worth in fits:
                    kind = (ask.gpus, ask.share_milli)
                    best[kind] = max(best.get(kind, 0), worth - price * ask.cpus_milli)
                shares = {-(-share // GRAIN): net for (_, share), net in sorted(best.items(), reverse=True) if share}
                part[k, level] = filled(shares, steps - 1)
                blocks = {gpus: net for (gpus, share), net in best.items() if not share}
                blocks[1] = max(blocks.get(1, 0), int(part[k, level, -1]))
                whole[k, level] = filled(blocks, MOST_GPUS)
        return cls(np.array(cpu_prices, dtype=np.int64), part, whole)


def filled(items: Mapping[int, int], room: int) -> Table:
    """Shape (room + 1,): the most that can be earned in each amount of room; items by size, as often as they fit."""
    best = [0] * (room + 1)
    for space in range(1, room + 1):
        best[space] = max(
            [best[space - 1], *(best[space - size] + gain for size, gain in items.items() if size <= space)]
        )
    return np.array(best, dtype=np.int64)
