"""The auditor's own reading of measured times and of what travels: one site and one offer at a time, from the facts.

It shares no code with `placement.reach` nor with the rules, and is read beside the sections on them in `DESIGN`.
"""

from placement.audit_ground import Ground
from placement.facts import Measurement
from placement.fleet import Fleet
from tidegate.model.site import Site
from tidegate.model.workload import Workload

MINUTE_MS = 60_000


class Reach:
    """What one workload can count on at the moment of one decision."""

    def __init__(self, workload: Workload, fleet: Fleet, ground: Ground, digest: str, now: int) -> None:
        self.workload, self.digest, self.now = workload, digest, now
        self.links, self.service_times = fleet.links, fleet.service_times
        self.sent = ground.sent
        self.known: dict[str, int] = {}

    def trip_us(self, site: Site) -> int | None:
        """The round trip from the worst of the origins; None where one of them is not known."""
        worst = 0
        for origin in self.workload.latency.origins if self.workload.latency else ():
            declared = [reach.rtt_us for reach in site.reach if reach.origin == origin]
            if not declared and site.location == origin:
                declared = [0]
            trip = self.counted(self.links.get((origin, site.name)), declared[-1] if declared else None)
            if trip is None:
                return None
            worst = max(worst, trip)
        return worst

    def service_us(self, device_class: str) -> int:
        """The model's time on a class of device. Worked out once for each."""
        known = self.known.get(device_class)
        if known is None:
            declared = self.workload.latency.service_time_us if self.workload.latency else 0
            measured = self.service_times.get((self.digest, device_class)) if device_class else None
            known = self.known[device_class] = self.counted(measured, declared) or 0
        return known

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
