"""How long an answer takes from a place, and how much travels over its link."""

from placement.fleet.facts import Measurement
from tests.placement.oracle.question import Question
from tidegate.model.site import Offer, Site

HALF_HOUR, DAY = 30 * 60_000, 24 * 60 * 60_000


def answers_in(q: Question, site: Site, offer: Offer | None) -> int | None:
    """Microseconds from the origin that is furthest away; None where the way from one is not known."""
    latency = q.work.latency
    if latency is None:
        return 0
    trips: list[int] = []
    for origin in latency.origins:
        declared: int | None = 0 if site.location == origin else None
        for reach in site.reach:
            declared = reach.rtt_us if reach.origin == origin else declared
        trip = believed(q.links.get((origin, site.name)), declared, q.now)
        if trip is None:
            return None
        trips.append(trip)
    measured = None
    if offer is not None and offer.device_class:
        measured = q.service_times.get((q.digest, offer.device_class))
    return max([0, *trips]) + (believed(measured, latency.service_time_us, q.now) or 0)


def believed(seen: Measurement | None, declared: int | None, now: int) -> int | None:
    """What was measured lately and often enough; else the worse of that and what was declared."""
    if seen is None or now - seen.measured_at > DAY:
        return declared
    stale = now - seen.measured_at > HALF_HOUR
    time = seen.us + (seen.us + 1) // 2 if stale else seen.us
    return declared if (stale or seen.samples < 20) and declared is not None and declared > time else time


def travels(q: Question, site: Site) -> int:
    """Bytes a day: the data that lies elsewhere, and what a service tells of its predictions."""
    data, inference = q.work.data, q.work.inference
    moved = 0 if not data.origin or data.origin == site.location else data.bytes_per_day
    each = 768 + (320 if inference and inference.audit.value == "every_prediction" else 0)
    return moved + (inference.requests_per_day * each if inference else 0)
