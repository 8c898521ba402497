"""Timing: medians over rounds, and the shape of a row. The machine is shared, so ratios outlast absolutes."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure of the table."""

    what: str
    figure: str
    beside: str = ""
    """The bare reference of the same run, and the ratio to it."""


def median_us(work: Callable[[], object], *, rounds: int = 7, times: int = 1) -> float:
    """The median over rounds of the mean time of one `work`, microseconds."""
    work()
    taken = []
    for _ in range(rounds):
        began = time.perf_counter_ns()
        for _ in range(times):
            work()
        taken.append((time.perf_counter_ns() - began) / times / 1000)
    return statistics.median(taken)


def quantile(values: list[float], share: float) -> float:
    """The value that `share` of them stay within."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
