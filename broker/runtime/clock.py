"""The one place in the broker that reads a clock."""

import time
from typing import Protocol


class Clock(Protocol):
    """Where the broker's moments come from; a simulated one in tests."""

    def now(self) -> int:
        """Milliseconds since the epoch. May jump when the machine's clock is set."""

    def elapsed(self) -> float:
        """Seconds since some fixed moment; never goes back. For silences, rates and spans."""

    def wall_ns(self) -> int:
        """Nanoseconds since the epoch, for spans."""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def elapsed(self) -> float:
        return time.monotonic()

    def wall_ns(self) -> int:
        return time.time_ns()
