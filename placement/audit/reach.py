"""The auditor's own reading of measured times and of what travels: one site and one offer at a time, from the facts.

It shares no code with `placement.fleet.reach` nor with the rules, and is read beside the sections on them in `DESIGN`.
"""

from placement.audit.ground import Ground
from placement.fleet.facts import Measurement, SiteFacts
from placement.fleet.fleet import Fleet
from tidegate.model.decision import Slot
from tidegate.model.reading import Reading
from tidegate.model.site import Site
from tidegate.model.workload import Workload

MINUTE_MS = 60_000
Time = tuple[int, int, int, int]
"""Microseconds that count, those that were estimated, when (0: declared), on how many samples."""


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
            trip = self.trip(site, origin)
            if trip is None:
                return None
            worst = max(worst, trip[0])
        return worst

    def trip(self, site: Site, origin: str) -> Time | None:
        """The round trip from one origin; None where it is not known."""
        declared = [reach.rtt_us for reach in site.reach if reach.origin == origin]
        if not declared and site.location == origin:
            declared = [0]
        return self.counted(self.links.get((origin, site.name)), declared[-1] if declared else None)

    def service_us(self, device_class: str) -> int:
        """The model's time on a class of device. Worked out once for each."""
        known = self.known.get(device_class)
        if known is None:
            known = self.known[device_class] = self.service(device_class)[0]
        return known

    def service(self, device_class: str) -> Time:
        """The same, with what it rests on."""
        declared = self.workload.latency.service_time_us if self.workload.latency else 0
        measured = self.service_times.get((self.digest, device_class)) if device_class else None
        return self.counted(measured, declared) or (0, 0, 0, 0)

    def readings(self, slots: tuple[Slot, ...], sites: dict[str, SiteFacts]) -> tuple[Reading, ...]:
        """What the answer times of slots rest on."""
        found: list[Reading] = []
        for name in dict.fromkeys(slot.site for slot in slots):
            on = {slot.offer for slot in slots if slot.site == name}
            classes = {offer.device_class for offer in sites[name].offers if offer.name in on}
            slowest = max(classes, key=lambda one: (self.service_us(one), one), default="")
            us, _, measured_at, samples = self.service(slowest)
            for origin in self.workload.latency.origins if self.workload.latency else ():
                trip = self.trip(sites[name].site, origin) or (0, 0, 0, 0)
                found.append(Reading(name, origin, *trip, us, measured_at, samples))
        return tuple(found)

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

    def counted(self, measured: Measurement | None, declared: int | None) -> Time | None:
        """What a time counts for now: the older and the rarer, the less is believed of it."""
        told = None if declared is None else (declared, declared, 0, 0)
        if measured is None:
            return told
        age_ms = self.now - measured.measured_at
        old = age_ms > 30 * MINUTE_MS
        if age_ms > 24 * 60 * MINUTE_MS:
            return told
        us = -(-measured.us * 3 // 2) if old else measured.us
        if declared is not None and declared > us and (old or measured.samples < 20):
            return told
        return us, measured.p99_us or measured.us, measured.measured_at, measured.samples
