"""Place by looking at every node. The reference that the index is held to, and all that a few nodes need.

NumPy over all nodes at once, no state but the nodes'. About 3 ms a decision at 1,213 nodes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from placement.pool.gradient import TOP
from placement.pool.nodes import Nodes
from placement.pool.nouns import MOST_GPUS, WHOLE, Ask, Seat, Shape
from placement.pool.scoring import Scoring
from placement.pool.value import GRAIN, MEMORY_SHIFT, Value

Numbers = NDArray[np.int64]
NEVER = np.iinfo(np.int64).max


class Exhaustive:
    """A pool that scores every node at every decision."""

    def __init__(self, order: Sequence[int], scoring: Scoring) -> None:
        """`order`: for each node, which of the scoring's `kinds` it is of."""
        self.nodes = Nodes(scoring.kinds, order)
        self._scoring = scoring

    def use(self, scoring: Scoring) -> None:
        """Rank by this from now on, over the same nodes; what stands stays."""
        if scoring.kinds != self.nodes.kinds:
            raise ValueError("the scoring knows other shapes of node")
        self._scoring = scoring

    def place(self, ask: Ask) -> Seat | None:
        """Take the best seat, or None where nothing has room."""
        seat = choose(self.nodes, self._scoring, ask)
        if seat is not None:
            self.nodes.take(ask, seat)
        return seat

    def release(self, ask: Ask, seat: Seat) -> None:
        """Give a seat back."""
        self.nodes.release(ask, seat)

    def update(self, node: int, kind: Shape) -> None:
        """The node is of another of the known shapes from now on."""
        self.nodes.update(node, kind)


def choose(nodes: Nodes, scoring: Scoring, ask: Ask) -> Seat | None:
    """The best seat for `ask`: the lowest band, then the first node; on it the best GPU, then the lowest index."""
    rows = np.flatnonzero(room(nodes, ask))
    if not len(rows):
        return None
    shape, model = nodes.shape[rows], nodes.model[rows]
    value, spoilt = worth(scoring, shape, model, nodes.cpus[rows], nodes.memory[rows], nodes.gpus[rows])
    best, gpu = np.full(len(rows), NEVER), np.zeros(len(rows), dtype=np.int64)
    for option in range(MOST_GPUS if ask.share_milli else 1):
        idle, fits = _after(nodes.gpus[rows], ask, option)
        left = (nodes.cpus[rows] - ask.cpus_milli, nodes.memory[rows] - ask.memory_bytes)
        after, spoils = worth(scoring, shape, model, *left, idle)
        cost = costs(scoring, value - after, spoils - spoilt)
        better = fits & (cost < best)
        best[better], gpu[better] = cost[better], option
    row = int(np.argmin(best // scoring.band_micros))
    node = int(rows[row])
    if ask.share_milli:
        return Seat(node, (int(gpu[row]),))
    return Seat(node, tuple(map(int, np.flatnonzero(nodes.gpus[node] == WHOLE)[: ask.gpus])))


def room(nodes: Nodes, ask: Ask) -> NDArray[np.bool_]:
    """Shape (nodes,): where it fits now."""
    fits = (nodes.cpus >= ask.cpus_milli) & (nodes.memory >= ask.memory_bytes)
    if ask.gpus:
        fits &= (nodes.gpus >= ask.per_gpu_milli).sum(axis=1) >= ask.gpus
    if ask.gpus and ask.models:
        fits &= np.array([model in ask.models for model in nodes.models], dtype=np.bool_)[nodes.model]
    return fits


def _after(gpus: Numbers, ask: Ask, option: int) -> tuple[Numbers, NDArray[np.bool_]]:
    """What is idle once it stands there: a share on GPU number `option`, whole GPUs on the first free ones."""
    idle = gpus.copy()
    if ask.share_milli:
        fits = idle[:, option] >= ask.share_milli
        idle[fits, option] -= ask.share_milli
        return idle, fits
    free = idle == WHOLE
    idle[free & (free.cumsum(axis=1) <= ask.gpus)] = 0
    return idle, np.ones(len(idle), dtype=np.bool_)


def worth(
    scoring: Scoring, shape: Numbers, model: Numbers, cpus: Numbers, memory: Numbers, idle: Numbers
) -> tuple[Numbers, Numbers]:
    """The value and the fragmentation of nodes with so many CPUs and bytes free and so much idle on each GPU.

    Shapes: idle (nodes, GPUs), -1 where there is none; all others (nodes,). Models as the gradient numbers them.
    """
    value, gradient = scoring.value, scoring.gradient
    step = np.searchsorted(gradient.steps, cpus, side="right")
    free = (idle == WHOLE).sum(axis=1)
    used = (idle >= 0) & (idle < WHOLE)
    left = np.where(used, idle, 0)
    parts = np.where(used[:, None, :], value.part[shape[:, None, None], _levels(value), left[:, None, :] // GRAIN], 0)
    narrow = np.where(value.narrow[shape], memory >> MEMORY_SHIFT, cpus)
    levels = narrow[:, None] * value.price[shape] + parts.sum(axis=2) + value.whole[shape, :, free]
    weight = gradient.weight[model[:, None], step[:, None], gradient.bucket[left]]
    return levels.min(axis=1), (weight * left).sum(axis=1) + gradient.free[model, step, free]


def _levels(value: Value) -> Numbers:
    return np.arange(value.price.shape[1])[None, :, None]


def costs(scoring: Scoring, lost: Numbers, spoiled: Numbers) -> Numbers:
    """`Scoring.cost`, for many."""
    if scoring.published:
        return TOP - np.searchsorted(scoring.gradient.thresholds, -spoiled, side="right")
    found: Numbers = lost + scoring.lean_milli * spoiled // scoring.gradient.total
    return found
