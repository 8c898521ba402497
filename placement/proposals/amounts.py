"""Amounts that a workload can ask less of, or allow more of: where each stands, and how it is told.

`boundary` finds how far an amount must give way: what fits is tried, and nothing is inferred from it but that what is
nearer to what was asked fits less easily. That is not so where prices are in the way, since a smaller copy may stand
on another, dearer offer, nor where teams lend; what is found is then an amount that fits and beside which the next one
nearer does not. So where the least of a few does not fit, the others are tried one by one (`FEW`).
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from placement.proposals.trial import PATHS, Trial, put, value
from tidegate.model.decision import Change

FEW = 16


@dataclass(frozen=True, slots=True)
class Amount:
    """One of them."""

    field: str
    show: Callable[[int], str] = str
    step: int = 1
    """The least change that is told."""

    def of(self, trial: Trial) -> int:
        """How much a trial asks."""
        found: int = value(trial.workload, PATHS[self.field])
        return found

    def at(self, trial: Trial, number: int) -> Trial:
        """The trial asking so much."""
        change = Change(self.field, self.show(self.of(trial)), self.show(number))
        return trial.with_change(change, workload=put(trial.workload, PATHS[self.field], number))


def boundary(fits: Callable[[int], bool], near: int, far: int, guesses: Sequence[int] = ()) -> int:
    """The number nearest to `near` that fits, where `far` does and `near` does not.

    `guesses`: at which of the numbers between it is likely to be, the likeliest first. Where that is it, two numbers
    are asked of; else as many as it takes to halve the guesses and, where it is none of them, what is left.
    """
    toward = 1 if near > far else -1
    low, high = 0, abs(far - near)

    def at(distance: int) -> bool:
        return fits(near - toward * distance)

    between = [distance for one in guesses if low < (distance := toward * (near - one)) < high]
    for distance in between[:1]:
        if not at(distance):
            low = distance
        elif distance == 1 or not at(distance - 1):
            return near - toward * distance
        else:
            high = distance - 1
    more = sorted({distance for distance in between if low < distance < high})
    least = bisect_left(more, True, key=at)
    low, high = more[least - 1] if least else low, more[least] if least < len(more) else high
    if high - low > 1 and at(high - 1):
        high -= 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if at(middle) else (middle, high)
    return near - toward * high


def one_by_one(fits: Callable[[int], bool], near: int) -> int:
    """The first number below `near` that fits, of `FEW`; 0 where none does."""
    return next((number for number in range(near - 1, max(near - FEW, 1) - 1, -1) if fits(number)), 0)


def duration(us: int) -> str:
    """As latencies are told."""
    return f"{us // 1000}ms" if us % 1000 == 0 else f"{us}us"


def size(count: int) -> str:
    """As bytes are told."""
    for unit, one in (("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
        if count and count % one == 0:
            return f"{count // one}{unit}"
    return str(count)


def cpus(milli: int) -> str:
    """As CPUs are told."""
    return f"{milli}m" if milli % 1000 else str(milli // 1000)


def share(milli: int) -> str:
    """As parts of a GPU are told."""
    return f"{milli}m"


def dollars(micros: int) -> str:
    """Dollars per hour, exactly: six digits, less trailing zeros."""
    return f"{micros // 1_000_000}.{micros % 1_000_000:06d}".rstrip("0").rstrip(".")


LATENCY = Amount("latency.p99", duration, 1_000)
VOLUME = Amount("data.bytesPerDay", size)
GPUS = Amount("demand.gpus")
SHARE = Amount("demand.gpuShare", share)
GPU_MEMORY = Amount("demand.gpuMemory", size)
CPUS = Amount("demand.cpus", cpus)
MEMORY = Amount("demand.memory", size)
WORKERS = Amount("training.workers")
REPLICAS = Amount("replicas.min")
MAX_COST = Amount("maxCost", dollars)
AMOUNTS = {
    one.field: one for one in (LATENCY, VOLUME, GPUS, SHARE, GPU_MEMORY, CPUS, MEMORY, WORKERS, REPLICAS, MAX_COST)
}
"""By field."""
