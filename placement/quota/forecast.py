"""Forecast: when a waiting workload is likely to start, as an interval, with what the interval rests on.

For each site that the workload could stand at, the line is played forward: work ends, the line moves up, each in turn
starts when there is enough of what it asks for most (GPUs, or CPUs where it asks for none). Played twice: with the ends
that are likely (the median of what the team's jobs took) for the earlier moment, with late ones (the ninth decile, or
what the work declared as its longest time) for the later. Of several sites the soonest counts.

It is a forecast and not a promise: it counts amounts and not nodes, lets nobody pass the line, and knows of no work
that comes later. Work that has run longer than nine in ten of its team's jobs is taken to need as long again as it has
run. Services do not end. Where nothing says when something ends, the answer is that it is not known, never a number.

Limits: the first 1,000 in line, 64 sites.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from tidegate.model.event import Basis, Forecast

LINE = 1_000
SITES = 64


@dataclass(frozen=True, slots=True)
class Lasting:
    """How long a piece of work takes, in ms: likely and at the latest; None where nothing says so."""

    likely: int | None
    latest: int | None
    learned: int = 0
    """From how many ended jobs."""
    declared: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """Work that holds an amount at a site."""

    amount: int
    began: int
    """When it was placed or first ran, ms since the epoch."""
    lasting: Lasting

    def ends(self, now: int, *, late: bool) -> int | None:
        """When, likely or at the latest; None where nothing says so."""
        takes = self.lasting.latest if late else self.lasting.likely
        if takes is None:
            return None
        at = self.began + takes
        if at > now:
            return at
        return now + max(now - self.began, 0) if late else now


@dataclass(frozen=True, slots=True)
class Wanting:
    """Work in line for a site, which takes an amount."""

    amount: int
    lasting: Lasting


@dataclass(frozen=True, slots=True)
class Place:
    """One site, as the workload would wait for it."""

    free: int
    endings: tuple[Ending, ...]
    line: tuple[Wanting, ...]
    """Those before it that could stand here, in order, and the workload itself at the end."""


def lasting(durations: Sequence[int], timeout_ms: int) -> Lasting:
    """How long a job takes, from what its team's jobs took and from what it declared itself (0: nothing)."""
    known = sorted(durations)
    if not known:
        return Lasting(timeout_ms or None, timeout_ms or None, 0, bool(timeout_ms))
    likely, late = known[(len(known) - 1) // 2], known[(len(known) * 9 - 1) // 10]
    if timeout_ms:
        likely, late = min(likely, timeout_ms), min(late, timeout_ms)
    return Lasting(likely, late, len(known), bool(timeout_ms))


def forecast(places: Sequence[Place], now: int) -> Forecast:
    """When the last in line of these places starts, at whichever is soonest."""
    early = [at for place in places[:SITES] if (at := _starts(place, now, late=False)) is not None]
    late = [at for place in places[:SITES] if (at := _starts(place, now, late=True)) is not None]
    if not early or not late:
        return Forecast()
    used = [ending.lasting for place in places[:SITES] for ending in place.endings]
    used += [wanting.lasting for place in places[:SITES] for wanting in place.line[:-1]]
    return resting_on(used, min(early), min(late))


def resting_on(used: Sequence[Lasting], early: int, late: int) -> Forecast:
    """Between two moments, by what is known of how long these take."""
    learned = max((one.learned for one in used), default=0)
    declared = any(one.declared for one in used)
    basis = Basis.MIXED if learned and declared else Basis.LEARNED if learned else Basis.DECLARED
    return Forecast(early, max(early, late), basis, learned)


def _starts(place: Place, now: int, *, late: bool) -> int | None:
    """When the last in line starts; None where that is not known."""
    ends: list[tuple[int, int]] = []
    for one in place.endings:
        at = one.ends(now, late=late)
        if at is not None:
            ends.append((at, one.amount))
    heapify(ends)
    free, moment = place.free, now
    for wanting in place.line[:LINE]:
        while free < wanting.amount:
            if not ends:
                return None
            at, amount = heappop(ends)
            moment, free = max(moment, at), free + amount
        free -= wanting.amount
        takes = wanting.lasting.latest if late else wanting.lasting.likely
        if takes is not None:
            heappush(ends, (moment + takes, wanting.amount))
    return moment if len(place.line) <= LINE else None
