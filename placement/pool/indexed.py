"""Place from an index: the same seats as `exhaustive`, at a cost that does not grow with the number of nodes.

A placement changes one node, so only that node is scored again, by each class when it is next asked for. What is kept
per class: the rank of every node and the GPU that a share would get there, 5 bytes a node, and the tiers above them.

Limits: `MOST_NODES` nodes; `MOST_CLASSES` classes, and where more are asked for, the one not asked for longest is
forgotten. First use of a class costs one look at every node.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from placement.pool import kernel
from placement.pool.kernel import FAN, NEVER, Bytes, Ints, Ranks
from placement.pool.nodes import Nodes
from placement.pool.nouns import MOST_GPUS, Ask, Seat, Shape
from placement.pool.scoring import Scoring

MOST_NODES = FAN**3
MOST_CLASSES = 1_024
FIRST_CLASSES = 64


class Indexed:
    """A pool with an ordered index per class of work."""

    def __init__(self, order: Sequence[int], scoring: Scoring) -> None:
        """`order`: for each node, which of the scoring's `kinds` it is of."""
        if len(order) > MOST_NODES:
            raise ValueError(f"{len(order)} nodes, the most is {MOST_NODES}")
        self.nodes = Nodes(scoring.kinds, order)
        self.use(scoring)

    def use(self, scoring: Scoring) -> None:
        """Rank by this from now on (another mix, other prices), over the same nodes; what stands stays."""
        if scoring.kinds != self.nodes.kinds:
            raise ValueError("the scoring knows other shapes of node")
        value, gradient = scoring.value, scoring.gradient
        of_value = (value.narrow, value.price, value.part, value.whole)
        self._tables = (*of_value, gradient.steps, gradient.bucket, gradient.weight, gradient.free, gradient.thresholds)
        numbers = [0, int(scoring.published), scoring.lean_milli, scoring.band_micros, max(gradient.total, 1)]
        self._numbers = np.array(numbers, dtype=np.int64)
        count = len(self.nodes)
        self._notes = np.zeros((count + 1, 8), dtype=np.int64)
        self._notes[:count, kernel.SHAPE] = self.nodes.shape
        self._notes[:count, kernel.MODEL] = self.nodes.model
        self._notes[:, kernel.NEWER] = np.roll(np.arange(count + 1), 1)
        self._notes[:, kernel.OLDER] = np.roll(np.arange(count + 1), -1)
        self._base = np.zeros((count, value.price.shape[1]), dtype=np.int64)
        for node in range(count):
            self._note(node)
        self._classes: dict[Ask, int] = {}
        self._asks, self._ranks, self._chosen = self._room(FIRST_CLASSES)

    def place(self, ask: Ask) -> Seat | None:
        """Take the best seat, or None where nothing has room."""
        return self.place_all((ask,))[0]

    def place_all(self, asks: Sequence[Ask]) -> list[Seat | None]:
        """Place one after another, in one call. What finds no room is passed over."""
        seats: list[Seat | None] = []
        for start in range(0, len(asks), MOST_CLASSES):
            wanted = [self.class_of(ask) for ask in asks[start : start + MOST_CLASSES]]
            out = self.place_classes(np.array(wanted, dtype=np.int64))
            seats += [None if node < 0 else Seat(node, _gpus(bits)) for node, bits in out.tolist()]
        return seats

    def place_classes(self, wanted: Ints) -> Ints:
        """As `place_all`, by number of class (`class_of`); shape (n, 2): the node or -1, its GPUs as bits.

        A number is good until `MOST_CLASSES` other classes have been asked for.
        """
        out = np.empty((len(wanted), 2), dtype=np.int64)
        kernel.place(wanted, out, *self._arrays())
        return out

    def know(self, asks: Sequence[Ask]) -> None:
        """Look at every node for these classes now, so that the first of each to come is as quick as the next."""
        known = [self.class_of(ask) for ask in asks[:MOST_CLASSES]]
        kernel.renew(np.array(known, dtype=np.int64), *self._arrays())

    def release(self, ask: Ask, seat: Seat) -> None:
        """Give a seat back."""
        self.nodes.release(ask, seat)
        self._note(seat.node)

    def update(self, node: int, kind: Shape) -> None:
        """The node is of another of the known shapes from now on."""
        self.nodes.update(node, kind)
        self._notes[node, kernel.SHAPE] = self.nodes.shape[node]
        self._notes[node, kernel.MODEL] = self.nodes.model_of[self.nodes.shape[node]]
        self._note(node)

    def class_of(self, ask: Ask) -> int:
        """The number of a class; given when it is first asked for, taken back when it is forgotten."""
        number = self._classes.pop(ask, None)
        if number is None:
            return self._new_class(ask)
        self._classes[ask] = number  # the last in the dictionary is the last to be forgotten
        return number

    def _new_class(self, ask: Ask) -> int:
        number = len(self._classes)
        if number == MOST_CLASSES:
            number = self._classes.pop(next(iter(self._classes)))
        elif number == len(self._asks):
            self._grow(2 * number)
        self._classes[ask] = number
        models = [not ask.gpus or not ask.models or model in ask.models for model in self.nodes.models]
        bits = sum(1 << index for index, allowed in enumerate(models) if allowed)
        row = [ask.cpus_milli, ask.memory_bytes, ask.gpus, ask.per_gpu_milli, int(ask.share_milli > 0), bits, -1]
        self._asks[number] = row
        for tier in self._ranks:
            tier[number] = NEVER
        return number

    def _grow(self, classes: int) -> None:
        """Room for so many classes."""
        known = len(self._asks)
        asks, ranks, chosen = self._room(classes)
        asks[:known], chosen[:known] = self._asks, self._chosen
        for tier, before in zip(ranks, self._ranks, strict=True):
            tier[:known] = before
        self._asks, self._ranks, self._chosen = asks, ranks, chosen

    def _room(self, classes: int) -> tuple[Ints, tuple[Ranks, Ranks, Ranks], Bytes]:
        low = -(-len(self.nodes) // FAN)
        mid = -(-low // FAN)
        sizes = (low * FAN, mid * FAN, mid)
        tiers = [np.full((classes, size), NEVER, dtype=np.int32) for size in sizes]
        chosen = np.zeros((classes, len(self.nodes)), dtype=np.int8)
        return np.zeros((classes, 7), dtype=np.int64), (tiers[0], tiers[1], tiers[2]), chosen

    def _arrays(self) -> tuple[Any, ...]:
        nodes = self.nodes
        of_nodes = (nodes.cpus, nodes.memory, nodes.gpus, self._notes, self._base)
        return (self._asks, *of_nodes, self._numbers, self._tables, self._ranks, self._chosen)

    def _note(self, node: int) -> None:
        nodes = self.nodes
        kernel.note(node, nodes.cpus, nodes.memory, nodes.gpus, self._notes, self._base, self._numbers, self._tables)


def _gpus(bits: int) -> tuple[int, ...]:
    return tuple(gpu for gpu in range(MOST_GPUS) if bits >> gpu & 1)
