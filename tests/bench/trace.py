"""A production trace of GPU nodes and tasks, and the published protocol for packing it.

The protocol, as the published results were really produced: the list is shuffled under a seed, then filled up from the
same list with replacement until 130 % of the GPUs are asked for (or thinned at random where the list asks for more).
Times are ignored, nothing departs; what fits nowhere is dropped, what fits somewhere must be placed. Nodes stand in an
order drawn once per seed, which is what ties go by. What counts is the share of GPUs allocated, averaged over the
arrivals at which the GPUs asked for round to q % of all there are; at 100 % and at 130 %.
"""

import csv
import gzip
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from placement.pool.nouns import WHOLE, Ask, Mix, Shape, mix_of

DATA = Path(__file__).parent / "data" / "gpu-trace-2023"
SEEDS = tuple(range(42, 52))
RATIO = 1.3
PERCENTS = (100, 130)


@dataclass(frozen=True, eq=False)
class Trace:
    """Nodes, and the list of tasks as classes. Shapes: order (nodes,), tasks (tasks,) positions in `mix`."""

    kinds: tuple[Shape, ...]
    order: NDArray[np.int64]
    mix: Mix
    tasks: NDArray[np.int64]

    @property
    def gpu_milli(self) -> int:
        """All there is."""
        return sum(self.kinds[k].gpus for k in self.order) * WHOLE

    @property
    def fleet(self) -> dict[Shape, int]:
        """How many nodes there are of each shape."""
        return {kind: int((self.order == k).sum()) for k, kind in enumerate(self.kinds)}

    @property
    def asked(self) -> NDArray[np.int64]:
        """Shape (classes,): GPU milli that one of each class asks for."""
        return np.array([wanted.ask.gpu_milli for wanted in self.mix], dtype=np.int64)

    def over(self, nodes: int) -> "Trace":
        """The same tasks over so many nodes, the trace's again and again."""
        return Trace(self.kinds, np.resize(self.order, nodes), self.mix, self.tasks)


@dataclass(frozen=True, eq=False)
class Draw:
    """One seed's arrivals, and its order of nodes."""

    arrivals: NDArray[np.int64]
    order: NDArray[np.int64]


@cache
def nodes() -> tuple[tuple[Shape, ...], tuple[int, ...]]:
    """The shapes, and each node's."""
    with (DATA / "nodes.csv").open() as file:
        shapes = [
            Shape(int(row["cpu_milli"]), int(row["memory_mib"]) * 2**20, int(row["gpu"]), row["model"])
            for row in csv.DictReader(file)
        ]
    kinds = sorted(set(shapes))
    return tuple(kinds), tuple(kinds.index(shape) for shape in shapes)


def load(pods: Path = DATA / "pods.csv.gz") -> Trace:
    """The tasks of a file in the trace's format (CSV, gzipped or not), over the trace's nodes."""
    with gzip.open(pods, "rt") if pods.suffix == ".gz" else pods.open() as file:
        return trace_of([_ask(row) for row in sorted(csv.DictReader(file), key=lambda row: row["name"])])


def trace_of(asks: list[Ask]) -> Trace:
    """These tasks over the trace's nodes."""
    mix = mix_of(Counter(asks))
    position = {wanted.ask: index for index, wanted in enumerate(mix)}
    kinds, order = nodes()
    return Trace(kinds, np.array(order), mix, np.array([position[ask] for ask in asks]))


def draw(trace: Trace, seed: int, ratio: float = RATIO) -> Draw:
    """The arrivals of one seed. The check of the last task adds what it takes of each GPU, as the original does."""
    chance = np.random.default_rng(seed)
    limit = int(ratio * trace.gpu_milli)
    asked, each = trace.asked, np.array([wanted.ask.per_gpu_milli for wanted in trace.mix])
    order: list[int] = chance.permutation(trace.tasks).tolist()
    total = int(asked[order].sum())
    filling = total < limit
    while total > limit:
        total -= int(asked[order.pop(int(chance.integers(len(order))))])
    while filling:
        task = int(trace.tasks[int(chance.integers(len(trace.tasks)))])
        filling = total + int(each[task]) <= limit
        if filling:
            order.append(task)
            total += int(asked[task])
    return Draw(np.array(order), trace.order[chance.permutation(len(trace.order))])


def unallocated(trace: Trace, arrivals: NDArray[np.int64], placed: NDArray[np.bool_]) -> tuple[float, ...]:
    """Per cent of the GPUs, at each of `PERCENTS`."""
    asked = trace.asked[arrivals]
    at = np.rint(asked.cumsum() * 100 / trace.gpu_milli).astype(int)
    got = np.where(placed, asked, 0).cumsum() / trace.gpu_milli
    return tuple(float(100 - 100 * got[at == percent].mean()) for percent in PERCENTS)


def _ask(row: dict[str, str]) -> Ask:
    gpus, milli = int(row["num_gpu"]), int(row["gpu_milli"])
    models = tuple(sorted(set(row.get("gpu_spec", "").split("|")) - {""})) if gpus else ()
    share = milli if gpus and milli < WHOLE else 0
    return Ask(int(row["cpu_milli"]), int(row["memory_mib"]) * 2**20, gpus, share, models)
