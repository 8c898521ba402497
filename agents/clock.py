"""The one place where agents read a clock and draw chance."""

import random
import time


def now_ms() -> int:
    """The wall clock, ms since the epoch."""
    return time.time_ns() // 1_000_000


def now_ns() -> int:
    """The wall clock, ns since the epoch; for spans."""
    return time.time_ns()


def monotonic_us() -> int:
    """A clock that never goes back, for durations, in microseconds."""
    return time.monotonic_ns() // 1_000


def fraction() -> float:
    """A random number, 0 up to 1; for jitter."""
    return random.random()
