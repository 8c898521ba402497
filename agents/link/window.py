"""The round trips of the last minutes to one place, as a sketch: the newest rounds of probes, old ones falling out.

Limits: `WINDOW_SECONDS` of rounds, `MOST_ROUNDS` of them.
"""

from collections import deque
from collections.abc import Sequence

from tidegate.model.session import Probed
from tidegate.model.sketch import P50, P99, Sketch, merged, sketch_of

WINDOW_SECONDS = 600
MOST_ROUNDS = 256


class Window:
    """Made when a place is first probed; it outlives sessions with the broker."""

    def __init__(self) -> None:
        self._rounds: deque[tuple[int, Sketch]] = deque(maxlen=MOST_ROUNDS)
        self._samples = 0

    @property
    def samples(self) -> int:
        """How many round trips it holds."""
        return self._samples

    def add(self, times_us: Sequence[int], at_us: int) -> None:
        """One round of probes at a moment of the monotonic clock."""
        self._rounds.append((at_us, sketch_of(times_us)))
        while at_us - self._rounds[0][0] > WINDOW_SECONDS * 1_000_000:
            self._rounds.popleft()
        self._samples = sum(one.samples for _, one in self._rounds)

    def told(self, origin: str, site: str) -> Probed:
        """What the broker is told: percentiles, their bound, and the sketch that they come from."""
        together = merged(one for _, one in self._rounds)
        span_us = self._rounds[-1][0] - self._rounds[0][0] if self._rounds else 0
        return Probed(
            origin=origin,
            site=site,
            rtt_us=together.percentile_us(P99),
            samples=together.samples,
            p50_us=together.percentile_us(P50),
            bound_us=together.bound_us(P99),
            window_ms=span_us // 1_000,
            sketch=together,
        )
