"""Latency: round trip from the workload's clients and service time on the device, against the 99th percentile.

The round trip is that of the worst of the workload's origins; the service time is that of this model on the offer's
class of device. `placement.fleet.reach` says what a measured time counts for, and when a declared one does. A round
trip that nobody knows is a "no": a promise cannot rest on it.
"""

from collections.abc import Hashable
from typing import NamedTuple

import numpy as np

from placement.fleet.columns import UNKNOWN, Columns, Mask, Numbers
from placement.fleet.fleet import Fleet
from placement.fleet.reach import Worth, of_classes
from placement.lazily import lazily
from placement.rules.rule import Findings, Named, Plain
from tidegate.model.decision import Kind, Lack, Slot, Unit
from tidegate.model.reading import Reading
from tidegate.model.workload import Latency, Workload

MOST_TIMES = 2_000_000
"""Offers and sites times the answer times kept: some ten times as many bytes."""
UNREACHED = np.iinfo(np.int64).max
"""Of an offer that nobody knows the way to: later than any promise."""


class Measured(NamedTuple):
    """What is known, at one moment, of how long an answer takes one workload."""

    latency: Latency | None
    trips: tuple[Worth, ...]
    """Round trips by origin. Shapes (sites,)."""
    service: Worth | None
    """The service's times by class of device; None where nothing was measured."""

    @classmethod
    def at(cls, workload: Workload, fleet: Fleet, model_digest: str, now: int) -> "Measured":
        """`now`: ms since the epoch; `model_digest` finds the measured service times."""
        columns, latency = fleet.columns, workload.latency
        if latency is None:
            return UNPROMISED
        trips = tuple([columns.round_trips(origin).at(now) for origin in latency.origins])
        classes, measured, service = columns.device_class.values, fleet.service_times, None
        if measured and any((model_digest, name) in measured for name in classes):
            service = of_classes(measured, model_digest, classes, latency.service_time_us).at(now)
        return cls(latency, trips, service)

    @property
    def key(self) -> Hashable:
        """The same for the same knowledge, as long as this object lives: its round trips are told apart by identity."""
        one = self.service
        said = one and (one.us.tobytes(), one.measured_at.tobytes(), one.samples.tobytes(), one.likely_us.tobytes())
        declared = self.latency.service_time_us if self.latency else 0
        return declared, tuple([id(trip) for trip in self.trips]), said


UNPROMISED = Measured(None, (), None)
"""Where no answer time is promised, nothing need be known."""


class Arrivals:
    """How long an answer takes from every offer, whatever was promised. Shapes (sites,), but where said otherwise."""

    @classmethod
    def of(cls, measured: Measured, columns: Columns) -> "Arrivals":
        """The same again where the same is known."""
        kept: dict[Hashable, Arrivals] = columns.kept("arrivals", dict)
        key = measured.key
        found = kept.get(key)
        if found is None:
            if len(kept) * (len(columns.offers) + len(columns) + 1) > MOST_TIMES:
                kept.clear()
            found = kept[key] = cls(measured, columns, key)
        return found

    def __init__(self, measured: Measured, columns: Columns, key: Hashable) -> None:
        """`key`: that of `measured`, which lives as long as this."""
        assert measured.latency is not None
        self.key, self._measured = key, measured
        self.declared_us = measured.latency.service_time_us
        self.origin: Numbers = np.zeros(len(columns), dtype=np.int64)
        """Which of the workload's origins is the worst, or the first that nobody knows the way from."""
        self.network = self._worst(columns)
        classes = columns.device_class
        self._classes = classes.codes
        self.service = measured.service or of_classes({}, "", classes.values, self.declared_us).at(0)
        """By class of device."""
        self.by_class = bool((self.service.us != self.service.us[:1]).any())
        """Whether some device answers sooner than another; else the offers of a site are all in time or all late."""
        there = self.network.us[columns.offer_site]
        self.us: Numbers = np.where(there == UNKNOWN, UNREACHED, there + self.service.us[classes.codes])
        """Shape (offers,): microseconds to an answer, `UNREACHED` where the round trip is not known."""
        least = columns.site_min(self.us)
        self.fastest = columns.first_offer(self.us == least[columns.offer_site])
        """The row of the offer; `UNKNOWN` where there is none."""
        names, codes = columns.names_of(self.fastest)
        some, codes = np.unique(codes, return_inverse=True)
        self.nearest: Named = (tuple([names[code] for code in some.tolist()]), codes)
        """What it is called."""
        declared = np.where(self.network.us == UNKNOWN, UNREACHED, self.network.us + self.declared_us)
        self.least: Numbers = np.where(self.fastest == UNKNOWN, declared, least)
        """The fastest answer; a site without offers is judged by the declared service time."""

    @lazily
    def told(self) -> tuple[Numbers | None, ...]:
        """What misses tell, as `Findings` has it but for the offers: codes, numbers, then from when they were measured.

        None where all of a column is 0. A code is two times the origin, and one more where the way is not known. Where
        nothing was measured, what is likely is the very column of what is counted.
        """
        classes, bare = self._classes, self.fastest == UNKNOWN
        service_us, service_likely = (
            np.where(bare, self.declared_us, column[classes[self.fastest]] if len(classes) else self.declared_us)
            for column in (self.service.us, self.service.likely_us)
        )
        there = self.network
        known = there.us != UNKNOWN
        columns = (
            there.us + service_us,
            there.measured_at,
            there.samples,
            there.likely_us + service_likely,
            service_us,
        )
        zeroed = [2 * self.origin + ~known, *(np.where(known, column, 0) for column in columns)]
        if np.array_equal(zeroed[1], zeroed[4]):
            zeroed[4] = zeroed[1]
        return tuple([column if column.any() else None for column in zeroed])

    def _worst(self, columns: Columns) -> Worth:
        nothing = np.zeros(len(columns), dtype=np.int64)
        worst = Worth(nothing, nothing, nothing, nothing)
        for index, trip in enumerate(self._measured.trips):
            # The first unknown one stays: a site that is not known from everywhere is not known.
            worse = (worst.us != UNKNOWN) & ((trip.us == UNKNOWN) | (trip.us > worst.us) | (index == 0))
            self.origin = np.where(worse, index, self.origin)
            worst = Worth(
                np.where(worse, trip.us, worst.us),
                np.where(worse, trip.measured_at, worst.measured_at),
                np.where(worse, trip.samples, worst.samples),
                np.where(worse, trip.likely_us, worst.likely_us),
            )
        return worst


class LatencyRule(Plain):
    """Some offer of the site must answer soon enough; the packing then uses only those that do.

    A site without offers is judged by the declared service time: its lack of room is for other rules to say.
    """

    name = "latency"
    kind = Kind.REACH

    def __init__(self, arrivals: Arrivals | None) -> None:
        """None where nothing was promised."""
        self._arrivals = arrivals

    def asks(self, workload: Workload) -> Hashable:
        """What was promised, and what the times follow from."""
        return (workload.latency, self._arrivals.key) if self._arrivals else ()

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where an offer answers soon enough. All True where the workload asks for nothing."""
        if self._arrivals is None or workload.latency is None:
            return np.ones(len(fleet.columns), dtype=np.bool_)
        soon: Mask = self._arrivals.least <= workload.latency.p99_us
        return soon

    def in_time(self, workload: Workload, fleet: Fleet) -> Mask | None:
        """Shape (offers,): True where the offer answers soon enough. Made anew.

        None where nothing is promised, or no device is faster than another: then it is for the site to be in time.
        """
        if self._arrivals is None or workload.latency is None or not self._arrivals.by_class:
            return None
        soon: Mask = self._arrivals.us <= workload.latency.p99_us
        return soon

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """The fastest offer's time and what it is made of; `found` says `unknown` where no round trip is known."""
        arrivals, latency = self._arrivals, workload.latency
        assert arrivals is not None and latency is not None
        origins, most = latency.origins, latency.p99_us
        lacks = tuple(
            [
                Lack("latency.p99", "Le", wanted, found, most, Unit.MICROSECONDS)
                for wanted in [origins[index : index + 1] for index in range(max(len(origins), 1))]
                for found in ((), ("unknown",))
            ]
        )
        told = arrivals.told
        codes, numbers, measured_at, samples, likely, parts = [
            None if column is None else column.take(refused) for column in told
        ]
        likely = numbers if told[4] is told[1] else likely
        names, which = arrivals.nearest
        return Findings(lacks, codes, numbers, (names, which.take(refused)), measured_at, samples, likely, parts)


def readings(measured: Measured, slots: tuple[Slot, ...], columns: Columns) -> tuple[Reading, ...]:
    """What the answer times of these slots rest on: each site's round trips, and the slowest device's service time."""
    latency = measured.latency
    if latency is None:
        return ()
    classes, service = columns.device_class, measured.service
    says = (latency.service_time_us, 0, 0)
    found: list[Reading] = []
    for site in dict.fromkeys([slot.site for slot in slots]):
        row = columns.row_of[site]
        if service is not None:
            offers = [columns.offer_row[site, slot.offer] for slot in slots if slot.site == site]
            us = service.us
            slowest = max(
                (int(classes.codes[offer]) for offer in offers), key=lambda code: (int(us[code]), classes.values[code])
            )
            says = (int(us[slowest]), int(service.measured_at[slowest]), int(service.samples[slowest]))
        for origin, trip in zip(latency.origins, measured.trips, strict=True):
            told = [int(one[row]) for one in (trip.us, trip.likely_us, trip.measured_at, trip.samples)]
            found.append(Reading(site, origin, told[0], told[1], told[2], told[3], *says))
    return tuple(found)
