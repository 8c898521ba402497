"""The state of a pool: what is free on each node. Columns, one row a node, in the pool's order.

The order matters: among nodes of the same score the first is taken. The holder of the pool chooses it once, and keeps
it (by name, or by a permutation drawn where chance is allowed).

What is taken outranks what a node has: a node that shrinks under its work has less than nothing free, and gets no more.
"""

from collections.abc import Sequence

import numpy as np

from placement.pool.nouns import MOST_GPUS, WHOLE, Ask, Seat, Shape


class Nodes:
    """Shapes: cpus, memory, shape (nodes,); gpus (nodes, 8), idle milli of each, -1 where there is none."""

    def __init__(self, kinds: Sequence[Shape], order: Sequence[int]) -> None:
        """`order`: for each node, which of the `kinds` it is of."""
        self.kinds = tuple(kinds)
        self.models = tuple(sorted({kind.gpu_model for kind in kinds}))
        self.shape = np.array(order, dtype=np.int64)
        self.cpus = np.array([self.kinds[k].cpus_milli for k in order], dtype=np.int64)
        self.memory = np.array([self.kinds[k].memory_bytes for k in order], dtype=np.int64)
        self.gpus = np.full((len(order), MOST_GPUS), -1, dtype=np.int64)
        for row, k in enumerate(order):
            self.gpus[row, : self.kinds[k].gpus] = WHOLE
        self.model_of = np.array([self.models.index(kind.gpu_model) for kind in self.kinds], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.shape)

    @property
    def model(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Shape (nodes,): the number of each node's GPU model in `models`."""
        return self.model_of[self.shape]

    def take(self, ask: Ask, seat: Seat) -> None:
        """Take a seat; whoever chose it has made sure that it is free."""
        self._move(ask, seat, -1)

    def release(self, ask: Ask, seat: Seat) -> None:
        """Give a seat back."""
        self._move(ask, seat, 1)

    def update(self, node: int, kind: Shape) -> None:
        """The node is of another of the known shapes from now on; what stands on it stands.

        ValueError where the shape is not one of `kinds`, or GPUs would vanish under work.
        """
        index, before = self.kinds.index(kind), self.kinds[self.shape[node]]
        idle = self.gpus[node]
        if (idle[kind.gpus : before.gpus] < WHOLE).any():
            raise ValueError(f"node {node} has work on GPUs that {kind} does not have")
        idle[kind.gpus :] = -1
        idle[before.gpus : kind.gpus] = WHOLE
        self.cpus[node] += kind.cpus_milli - before.cpus_milli
        self.memory[node] += kind.memory_bytes - before.memory_bytes
        self.shape[node] = index

    def _move(self, ask: Ask, seat: Seat, sign: int) -> None:
        self.cpus[seat.node] += sign * ask.cpus_milli
        self.memory[seat.node] += sign * ask.memory_bytes
        for gpu in seat.gpus:
            self.gpus[seat.node, gpu] += sign * ask.per_gpu_milli
