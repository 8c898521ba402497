"""What the leftovers of a node are worth to the work that is still to come, at given prices.

Each class of the expected mix has a *worth*: what the fluid linear programme says that serving one of it costs the
fleet, in millionths of one GPU. A node's value is the most that could be earned by filling what is free on it with
that work. Exactly that is a knapsack per node and too slow to ask a million times a second; its Lagrangian is not:
give what is narrow on the node (its CPUs, or its memory) a price, and each GPU is filled for itself.

    value(node) = min over levels l of   price[l] x what is free of the narrow one
                                         + sum over GPUs in use of part[l][idle] + whole[l][number of free GPUs]

`part[l][r]` is the best filling of r thousandths of one GPU, by sizes of share; `whole[l][f]` of f free GPUs, by shares
or by work that asks for 1, 2, 4 or 8 whole ones. What a size earns is the mean over the classes of that size, by how
often they come, each its worth less what it takes of the narrow one costs at level l, or nothing. (Not the best of
them: work that asks for few CPUs would then make CPUs look plentiful on every node, though there is little of it. On
the production trace that mistake costs 0.4 % of all GPUs.) The least of the levels is close to what the mix can make of
the node: low levels speak for nodes with CPUs to spare, high ones for nodes whose CPUs run out before their GPUs. A
placement costs value before less value after.

Which of the two is narrow is a shape's own: the one that the mix as a whole would use up first. The other is not looked
at, so a node on which both run out together is valued by one of them. Limits: worths below 2**40; leftovers of one GPU
count in whole hundredths, rounded down.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placement.pool.nouns import MOST_GPUS, WHOLE, Ask, Mix, Shape, Wanted

GRAIN = 10
"""Milli of a GPU in one step of the tables."""
MICROS = 1_000_000
"""Worth of one GPU where all are equally wanted."""
LEVELS_PERCENT = (0, 11, 27, 55, 88, 132)
"""The levels: of the price at which the CPUs (or the memory) that come with a GPU, in the mix as a whole, cost as much
as the GPU."""
MEMORY_SHIFT = 20
"""Memory counts in MiB: bytes shifted right by so much."""

Table = NDArray[np.int64]
Worths = Mapping[Ask, int]
"""Millionths of a GPU for each class. The bid prices: data, from `broker.solver.bid_prices`."""


@dataclass(frozen=True, eq=False)
class Value:
    """The tables. Shapes: narrow (shapes,), price (shapes, L), part (shapes, L, 101), whole (shapes, L, 9)."""

    narrow: Table
    """1 where a node is narrow in memory, 0 in CPUs."""
    price: Table
    """Millionths of a GPU for a milli CPU or a MiB, ascending."""
    part: Table
    whole: Table

    @classmethod
    def of(cls, mix: Mix, worths: Worths, shapes: Sequence[Shape]) -> "Value":
        """The tables for nodes of these shapes, in the order in which they are numbered."""
        levels, steps = len(LEVELS_PERCENT), WHOLE // GRAIN + 1
        narrow = np.array([int(is_narrow_in_memory(mix, shape)) for shape in shapes], dtype=np.int64)
        price = np.array([prices(mix, bool(by_memory)) for by_memory in narrow], dtype=np.int64)
        part = np.zeros((len(shapes), levels, steps), dtype=np.int64)
        whole = np.zeros((len(shapes), levels, MOST_GPUS + 1), dtype=np.int64)
        for k, shape in enumerate(shapes):
            fits = tuple(wanted for wanted in mix if wanted.ask.gpus and wanted.ask.allows(shape))
            for level in range(levels):
                earned = _earned(fits, worths, bool(narrow[k]), int(price[k, level]))
                shares = {-(-share // GRAIN): net for (_, share), net in sorted(earned.items(), reverse=True) if share}
                part[k, level] = filled(shares, steps - 1)
                blocks = {gpus: net for (gpus, share), net in earned.items() if not share}
                blocks[1] = max(blocks.get(1, 0), int(part[k, level, -1]))
                whole[k, level] = filled(blocks, MOST_GPUS)
        return cls(narrow, price, part, whole)

    @classmethod
    def nothing(cls, shapes: Sequence[Shape]) -> "Value":
        """Where nobody has solved for prices: every node is worth nothing."""
        none = np.zeros((len(shapes), 1), dtype=np.int64)
        part = np.zeros((len(shapes), 1, WHOLE // GRAIN + 1), dtype=np.int64)
        return cls(none[:, 0], none, part, np.zeros((len(shapes), 1, MOST_GPUS + 1), dtype=np.int64))


def _earned(fits: Mix, worths: Worths, by_memory: bool, price: int) -> dict[tuple[int, int], int]:
    """What one of each size, by GPUs and share, earns net of its CPUs or memory: the mean over what may come of it."""
    counts: dict[tuple[int, int], int] = {}
    sums: dict[tuple[int, int], int] = {}
    for wanted in fits:
        size = (wanted.ask.gpus, wanted.ask.share_milli)
        net = max(0, worths.get(wanted.ask, 0) - price * _narrow(wanted, by_memory))
        counts[size] = counts.get(size, 0) + wanted.count
        sums[size] = sums.get(size, 0) + wanted.count * net
    return {size: total // counts[size] for size, total in sums.items()}


def prices(mix: Mix, by_memory: bool) -> tuple[int, ...]:
    """The levels for a mix."""
    gpus = sum(wanted.count * wanted.ask.gpu_milli for wanted in mix)
    taken = sum(wanted.count * _narrow(wanted, by_memory) for wanted in mix if wanted.ask.gpus)
    return tuple(percent * gpus * MICROS // (100 * WHOLE * taken) if taken else 0 for percent in LEVELS_PERCENT)


def is_narrow_in_memory(mix: Mix, shape: Shape) -> bool:
    """Whether the work on GPUs, as a whole, would use up such a node's memory before its CPUs."""
    cpus = sum(wanted.count * wanted.ask.cpus_milli for wanted in mix if wanted.ask.gpus)
    memory = sum(wanted.count * wanted.ask.memory_bytes for wanted in mix if wanted.ask.gpus)
    return memory * shape.cpus_milli > cpus * shape.memory_bytes


def _narrow(wanted: Wanted, by_memory: bool) -> int:
    return wanted.ask.memory_bytes >> MEMORY_SHIFT if by_memory else wanted.ask.cpus_milli


def filled(items: Mapping[int, int], room: int) -> Table:
    """Shape (room + 1,): the most that can be earned in each amount of room; items by size, as often as they fit."""
    best = [0] * (room + 1)
    for space in range(1, room + 1):
        best[space] = max(
            [best[space - 1], *(best[space - size] + gain for size, gain in items.items() if size <= space)]
        )
    return np.array(best, dtype=np.int64)
