"""What agents and clients have measured lately, put together: the newest sketch of each source, of each thing.

A thing is a pair (origin, site) or (model digest, device class). A source is an agent, a client or a site's telemetry;
its newest word takes the place of the one before, and a source that has said nothing for `WINDOW_MS` is left out. This
is memory, not state: a broker that starts anew hears it all again, and what it had recorded stands in the log.

Limits: `MOST_SOURCES` sources of one thing (the one heard longest ago gives way), `MOST_THINGS` things.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from broker.core.state import State
from tidegate.model.session import Probed
from tidegate.model.sketch import MOST_SAMPLES, P50, P99, Sketch, merged

WINDOW_MS = 900_000
MOST_SOURCES = 64
MOST_THINGS = 100_000

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Estimate:
    """Percentiles of everything that was heard of one thing."""

    p50_us: int
    p99_us: int
    bound_us: int
    samples: int
    window_ms: int


class Gathered(Generic[Thing]):
    """One kind of things. `hear` says what is known of a thing now."""

    def __init__(self) -> None:
        self._heard: dict[Thing, dict[str, tuple[int, int, Sketch]]] = {}

    def hear(self, thing: Thing, source: str, sketch: Sketch, window_ms: int, at: int) -> Estimate | None:
        """Take a source's newest sketch in; the estimate of all. None where there is no room for another thing."""
        sources = self._heard.get(thing)
        if sources is None:
            if len(self._heard) >= MOST_THINGS:
                self._forget(at)
            if len(self._heard) >= MOST_THINGS:
                return None
            sources = self._heard[thing] = {}
        sources.pop(source, None)  # the newest stands last
        sources[source] = (at, window_ms, sketch)
        for name in [name for name, (heard_at, _, _) in sources.items() if at - heard_at > WINDOW_MS]:
            del sources[name]
        while len(sources) > MOST_SOURCES:
            del sources[next(iter(sources))]
        together = merged(one for _, _, one in sources.values())
        return Estimate(
            p50_us=together.percentile_us(P50),
            p99_us=together.percentile_us(P99),
            bound_us=together.bound_us(P99),
            samples=min(together.samples, MOST_SAMPLES),
            window_ms=max(window for _, window, _ in sources.values()),
        )

    def _forget(self, at: int) -> None:
        """Things of which nothing was heard for a window."""
        for thing, sources in list(self._heard.items()):
            if all(at - heard_at > WINDOW_MS for heard_at, _, _ in sources.values()):
                del self._heard[thing]


class RoundTrips:
    """Round trips by (origin, site), as agents and clients report them."""

    def __init__(self) -> None:
        self._gathered: Gathered[tuple[str, str]] = Gathered()

    def together(self, source: str, links: Iterable[Probed], at: int) -> tuple[Probed, ...]:
        """What is known of these links now that a source has spoken; those without a sketch as they came.

        `at` in ms, on a clock that never goes back. A sketch that nobody could have measured is left out.
        """
        told: list[Probed] = []
        for link in links:
            if not link.sketch.buckets and not link.sketch.counts:
                told.append(replace(link, bound_us=0))  # an agent of before there were sketches
                continue
            if not link.sketch.sound:
                continue
            known = self._gathered.hear((link.origin, link.site), source, link.sketch, link.window_ms, at)
            if known is not None:
                told.append(
                    Probed(
                        link.origin,
                        link.site,
                        known.p99_us,
                        known.samples,
                        known.p50_us,
                        known.bound_us,
                        known.window_ms,
                    )
                )
        return tuple(told)


def expected(state: State, link: Probed) -> bool:
    """Whether somebody declared that requests come from that origin to that site: anybody may report, so this bounds.

    The site stands at the origin or has a declared reach of it, or a service there names it.
    """
    record = state.sites.get(link.site)
    if record is None or not link.origin:
        return False
    site = record.site
    if link.origin == site.location or any(reach.origin == link.origin for reach in site.reach):
        return True
    latencies = (assignment.workload.latency for assignment in record.desired.values())
    return any(latency is not None and link.origin in latency.origins for latency in latencies)
