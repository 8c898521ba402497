"""Clocks over virtual time, one to a process: each may be wrong by its own amount, and be set while it runs.

They count their machine's pace, which may drift from true time; being set is of the wall clock alone.
"""

from random import Random

from tests.simulation.loop import Pace, SimulatedLoop

BORN_MS = 1_790_000_000_000
"""When every history begins, ms since the epoch."""


class BrokerClock:
    """`broker.runtime.clock.Clock`. `skew_ms` is how far the wall clock is off."""

    def __init__(self, loop: SimulatedLoop, pace: Pace, skew_ms: int = 0) -> None:
        self._loop, self._pace = loop, pace
        self.skew_ms = skew_ms

    def now(self) -> int:
        return BORN_MS + int(self.elapsed() * 1_000) + self.skew_ms

    def elapsed(self) -> float:
        return self._pace.own(self._loop.true_s)

    def wall_ns(self) -> int:
        return self.now() * 1_000_000


class AgentClock:
    """`agents.clock.Clock`, with the seed's own chance."""

    def __init__(self, loop: SimulatedLoop, pace: Pace, random: Random, skew_ms: int = 0) -> None:
        self._loop, self._pace, self._random = loop, pace, random
        self.skew_ms = skew_ms

    def now_ms(self) -> int:
        return BORN_MS + self.monotonic_us() // 1_000 + self.skew_ms

    def now_ns(self) -> int:
        return self.now_ms() * 1_000_000

    def monotonic_us(self) -> int:
        return int(self._pace.own(self._loop.true_s) * 1_000_000)

    def fraction(self) -> float:
        return self._random.random()

    def token(self, length: int) -> bytes:
        return self._random.randbytes(length)
