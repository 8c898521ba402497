"""Windows: the newest rounds of a measurement, old ones falling out, as one sketch. A value; whoever measures keeps it.

Limits: rounds of the last `WINDOW_MS`, `MOST_ROUNDS` of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tidegate.model.session import Probed
from tidegate.model.sketch import P50, P99, Sketch, merged, sketch_of

WINDOW_MS = 600_000
MOST_ROUNDS = 256


@dataclass(frozen=True, slots=True)
class Window:
    """Rounds in the order they were made, each with its moment in ms on a clock that never goes back."""

    rounds: tuple[tuple[int, Sketch], ...] = ()

    @property
    def samples(self) -> int:
        """How many times it holds."""
        return sum(one.samples for _, one in self.rounds)

    @property
    def sketch(self) -> Sketch:
        """All of them."""
        return merged(one for _, one in self.rounds)

    @property
    def span_ms(self) -> int:
        """From the first round to the last."""
        return self.rounds[-1][0] - self.rounds[0][0] if self.rounds else 0

    def after(self, times_us: Iterable[int], at_ms: int) -> "Window":
        """The window with one more round, without those that have become too old."""
        kept = [one for one in self.rounds if at_ms - one[0] <= WINDOW_MS]
        return Window((*kept, (at_ms, sketch_of(times_us)))[-MOST_ROUNDS:])

    def probed(self, origin: str, site: str) -> Probed:
        """What the broker is told of the way from an origin to a site."""
        sketch = self.sketch
        return Probed(
            origin=origin,
            site=site,
            rtt_us=sketch.percentile_us(P99),
            samples=sketch.samples,
            p50_us=sketch.percentile_us(P50),
            bound_us=sketch.bound_us(P99),
            window_ms=self.span_ms,
            sketch=sketch,
        )
