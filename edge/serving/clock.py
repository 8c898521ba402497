"""The model server's only clock, and its only source of chance."""

import os
import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks: one that tells when, one that tells how long."""

    def wall_ns(self) -> int:
        """Nanoseconds since 1970-01-01T00:00:00Z; may jump when it is corrected."""

    def monotonic_ns(self) -> int:
        """Nanoseconds since some moment; never goes back."""


class SystemClock:
    """The clocks of this machine."""

    def wall_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


def random_bytes(count: int) -> bytes:
    """For trace and span ids."""
    return os.urandom(count)
