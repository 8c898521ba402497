"""Fragmentation gradient descent (FGD), as published: how much of a node's idle GPU the expected work cannot use.

Source: Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent",
USENIX ATC 2023; the rounding and the tie rule are those of its simulator, which the paper does not tell.

The *typical* work is the most frequent classes (by CPUs, GPUs and models; memory is not looked at) until 95 % of the
mix is covered. A node's fragmentation is the mean, over the typical work, of the idle GPU milli that one of it could
not use there: all of it, where it asks for no GPU or does not fit; else what is idle on GPUs smaller than it needs.
FGD places where fragmentation grows least: score = int(100 x sigmoid((before - after) / 1000)), 0 to 100, higher wins.

Here fragmentation is a whole number, weighted by counts instead of shares, so one unit is a milli divided by `total`.
Since a GPU with r milli idle counts r for a typical class or nothing, by where r lies among the sizes asked for, the
sum over classes is looked up: `weight[model, step, bucket[r]] x r` for a GPU in use, `free[model, step, f]` for the f
free ones together, where `step` says how many of the typical CPU amounts the node still has.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placement.pool.nouns import MOST_GPUS, WHOLE, Ask, Mix, Wanted, mix_of

COVERED_PERCENT = 95
TOP = 100
"""The highest score."""

Table = NDArray[np.int64]


def typical(mix: Mix) -> Mix:
    """The most frequent classes, memory aside, until `COVERED_PERCENT` of the mix is covered."""
    counts: dict[Ask, int] = {}
    for wanted in mix:
        ask = wanted.ask
        bare = Ask(ask.cpus_milli, 0, ask.gpus, ask.share_milli, ask.models if ask.gpus else ())
        counts[bare] = counts.get(bare, 0) + wanted.count
    total, covered, found = sum(counts.values()), 0, list[Wanted]()
    for wanted in mix_of(counts):
        if covered * 100 >= total * COVERED_PERCENT:
            break
        found.append(wanted)
        covered += wanted.count
    return tuple(found)


def fragmentation(work: Mix, cpus_milli: int, gpu_model: str, idle: Sequence[int]) -> int:
    """The definition: of a node with so many CPUs and so much idle on each GPU, under the typical `work`.

    In milli x counts. The tables below give the same, and are what is used.
    """
    found = 0
    for wanted in work:
        ask, need = wanted.ask, wanted.ask.per_gpu_milli
        usable = ask.gpus and (not ask.models or gpu_model in ask.models) and ask.cpus_milli <= cpus_milli
        if usable and sum(left >= need for left in idle) >= ask.gpus:
            found += wanted.count * sum(left for left in idle if left < need)
        else:
            found += wanted.count * sum(idle)
    return found


@dataclass(frozen=True, eq=False)
class Gradient:
    """The tables of one mix. Shapes: steps (S,), bucket (1001,), weight (models, S + 1, B), free (models, S + 1, 9)."""

    total: int
    """The counts of the typical work together."""
    models: tuple[str, ...]
    steps: Table
    """The CPU amounts of the typical work, ascending; a node is at step s where it has the first s of them."""
    bucket: Table
    weight: Table
    free: Table
    thresholds: Table
    """Shape (99,): the score is 1 + the number of them that `before - after` reaches, less 1."""

    @classmethod
    def of(cls, mix: Mix, models: Sequence[str]) -> "Gradient":
        """`models`: of the nodes; in the order in which they are numbered there."""
        work = typical(mix)
        steps = sorted({wanted.ask.cpus_milli for wanted in work})
        sizes = sorted({wanted.ask.per_gpu_milli for wanted in work if wanted.ask.gpus} | {WHOLE})
        bucket = np.searchsorted(np.array(sizes), np.arange(WHOLE + 1), side="right").astype(np.int64)
        weight = np.zeros((len(models), len(steps) + 1, len(sizes) + 1), dtype=np.int64)
        free = np.zeros((len(models), len(steps) + 1, MOST_GPUS + 1), dtype=np.int64)
        total = sum(wanted.count for wanted in work)
        for wanted in work:
            for m, model in enumerate(models):
                _add(wanted, model, steps, sizes, weight[m], free[m])
        return cls(total, tuple(models), np.array(steps, dtype=np.int64), bucket, weight, free, thresholds(total))

    def score(self, change: int) -> int:
        """FGD's score of a placement that changes fragmentation by so much (before - after)."""
        return int(np.searchsorted(self.thresholds, change, side="right"))


def _add(wanted: Wanted, model: str, steps: Sequence[int], sizes: Sequence[int], weight: Table, free: Table) -> None:
    """One typical class's part in the tables of one model; shapes (S + 1, B) and (S + 1, 9)."""
    ask, count = wanted.ask, wanted.count
    usable = ask.gpus and (not ask.models or model in ask.models)
    fits = steps.index(ask.cpus_milli) + 1 if usable else len(steps) + 1  # from this step on its CPUs are there
    each = count * WHOLE * np.arange(MOST_GPUS + 1)
    weight[:fits] += count
    free[:fits] += each
    too_small = bisect_right(sizes, ask.per_gpu_milli)  # bucket b: from sizes[b - 1] up to below sizes[b]
    weight[fits:, :too_small] += count
    free[fits:, : ask.gpus] += each[: ask.gpus]


def thresholds(total: int) -> Table:
    """From which change on int(100 x sigmoid(change / total / 1000)) is at least s, for s = 1 to 99.

    The logarithms are rounded up to whole numbers, so no decision hangs on the last bit of a float.
    """
    return np.array([math.ceil(total * WHOLE * math.log(s / (TOP - s))) for s in range(1, TOP)], dtype=np.int64)
