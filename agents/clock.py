"""The one place where agents read a clock and draw chance. All else is given a `Clock`; a simulated one in tests."""

import random
import secrets
import time
from typing import Protocol


class Clock(Protocol):
    """Where an agent's moments and its chance come from."""

    def now_ms(self) -> int:
        """The wall clock, ms since the epoch. May jump when the machine's clock is set."""

    def now_ns(self) -> int:
        """The wall clock, ns since the epoch; for spans."""

    def monotonic_us(self) -> int:
        """A clock that never goes back, for durations, in microseconds."""

    def fraction(self) -> float:
        """A random number, 0 up to 1; for jitter."""

    def token(self, length: int) -> bytes:
        """Random bytes, for ids that nobody else may have."""


class SystemClock:
    """The machine's own clocks and its own chance."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_us(self) -> int:
        return time.monotonic_ns() // 1_000

    def fraction(self) -> float:
        return random.random()

    def token(self, length: int) -> bytes:
        return secrets.token_bytes(length)
