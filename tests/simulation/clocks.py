"""Clocks over virtual time, one to a process: each may be wrong by its own amount, and be set while it runs."""

from random import Random

from tests.simulation.loop import SimulatedLoop

BORN_MS = 1_790_000_000_000
"""When every history begins, ms since the epoch."""


class BrokerClock:
    """`broker.runtime.clock.Clock`. `skew_ms` is how far the wall clock is off."""

    def __init__(self, loop: SimulatedLoop, skew_ms: int = 0) -> None:
        self._loop = loop
        self.skew_ms = skew_ms

    def now(self) -> int:
        return BORN_MS + int(self._loop.time() * 1_000) + self.skew_ms

    def elapsed(self) -> float:
        return self._loop.time()

    def wall_ns(self) -> int:
        return self.now() * 1_000_000


class AgentClock:
    """`agents.clock.Clock`, with the seed's own chance."""

    def __init__(self, loop: SimulatedLoop, random: Random, skew_ms: int = 0) -> None:
        self._loop, self._random = loop, random
        self.skew_ms = skew_ms

    def now_ms(self) -> int:
        return BORN_MS + int(self._loop.time() * 1_000) + self.skew_ms

    def now_ns(self) -> int:
        return self.now_ms() * 1_000_000

    def monotonic_us(self) -> int:
        return int(self._loop.time() * 1_000_000)

    def fraction(self) -> float:
        return self._random.random()

    def token(self, length: int) -> bytes:
        return self._random.randbytes(length)
