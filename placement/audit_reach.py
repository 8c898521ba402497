"""The auditor's own reading of measured times and of what travels: one site and one offer at a time, from the facts.

It shares no code with `placement.reach` nor with the rules, and is read beside the sections on them in `DESIGN`.
"""

from placement.audit_ground import ground_of
from placement.facts import Measurement
from placement.fleet import Fleet
from tidegate.model.site import Site
from tidegate.model.workload import Workload

MINUTE_MS = 60_000


class Reach:
    """What one workload can count on at the moment of one decision."""

    def __init__(self, workload: Workload, fleet: Fleet, digest: str, now: int) -> None:
        self.workload, self.digest, self.now = workload, digest, now
        self.links, self.service_times = fleet.links, fleet.service_times
        self.sent = ground_of(fleet).sent

    def answers_in_us(self, site: Site, device_class: str) -> int | None:
        """Round trip and service time; None where the round trip is not known."""
        latency = self.workload.latency
        if latency is None:
            return 0
        trips: list[int] = []
        for origin in latency.origins:
            declared = [reach.rtt_us for reach in site.reach if reach.origin == origin]
            if not declared and site.location == origin:
                declared = [0]
            trip = self.counted(self.links.get((origin, site.name)), declared[-1] if declared else None)
            if trip is None:
                return None
            trips.append(trip)
        measured = self.service_times.get((self.digest, device_class)) if device_class else None
        return max(trips, default=0) + (self.counted(measured, latency.service_time_us) or 0)

    def travels(self, site: Site) -> tuple[bool, bool]:
        """Whether what must travel fits through the whole uplink, and through what is left of it.

        The second is not asked where the first is not so, nor of what sends nothing.
        """
        if site.uplink_bytes_per_day == 0:
            return True, True
        data = self.workload.data
        bytes_per_day = self.workload.telemetry_bytes_per_day
        if data.origin != "" and data.origin != site.location:
            bytes_per_day += data.bytes_per_day
        whole = bytes_per_day <= site.uplink_bytes_per_day
        return whole, not whole or not bytes_per_day or bytes_per_day + self.sent.get(
            site.name, 0
        ) <= site.uplink_bytes_per_day

    def counted(self, measured: Measurement | None, declared: int | None) -> int | None:
        """What a time counts for now: the older and the rarer, the less is believed of it."""
        if measured is None:
            return declared
        age_ms = self.now - measured.measured_at
        old = age_ms > 30 * MINUTE_MS
        if age_ms > 24 * 60 * MINUTE_MS:
            return declared
        us = -(-measured.us * 3 // 2) if old else measured.us
        if declared is not None and declared > us and (old or measured.samples < 20):
            return declared
        return us
