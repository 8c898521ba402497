"""Latency: round trip from the workload's clients and service time on the device, against the 99th percentile.

The round trip is the worst of the workload's origins: the measured one, else the declared one, else nothing where the
origin stands at the site. The service time is the one measured for this model on the offer's class of device, else
what the workload declares. A round trip that nobody knows is a "no": a promise cannot rest on it.
"""

import numpy as np

from placement.columns import UNKNOWN, Columns, Mask, Numbers
from placement.fleet import Fleet
from placement.rules.rule import Findings, Plain
from tidegate.model.decision import Kind, Lack, Unit
from tidegate.model.workload import Workload


def round_trip(workload: Workload, columns: Columns) -> tuple[Numbers, Numbers]:
    """Shapes (sites,): the worst round trip in microseconds (`UNKNOWN` where any is) and when it was measured."""
    worst = np.zeros(len(columns), dtype=np.int64)
    measured_at = np.zeros(len(columns), dtype=np.int64)
    unknown = np.zeros(len(columns), dtype=np.bool_)
    for origin in workload.latency.origins if workload.latency else ():
        rtt, at = columns.round_trips(origin)
        unknown |= rtt == UNKNOWN
        measured_at = np.where(rtt >= worst, at, measured_at)
        worst = np.maximum(worst, rtt)
    return np.where(unknown, UNKNOWN, worst), measured_at


def answer_time(workload: Workload, fleet: Fleet, model_digest: str) -> Numbers:
    """Shape (offers,): microseconds to an answer from each offer, `UNKNOWN` where the round trip is."""
    columns = fleet.columns
    rtt, _ = round_trip(workload, columns)
    declared = workload.latency.service_time_us if workload.latency else 0
    measured = fleet.service_times
    classes = columns.device_class
    service = classes.numbers(
        measured[model_digest, name].us if (model_digest, name) in measured else declared for name in classes.values
    )
    there = rtt[columns.offer_site]
    return np.where(there == UNKNOWN, UNKNOWN, there + service)


def in_time(workload: Workload, fleet: Fleet, model_digest: str) -> Mask:
    """Shape (offers,): True where the offer answers soon enough, or nothing is asked."""
    if workload.latency is None:
        return np.ones(len(fleet.columns.offers), dtype=np.bool_)
    times = answer_time(workload, fleet, model_digest)
    soon: Mask = (times != UNKNOWN) & (times <= workload.latency.p99_us)
    return soon


class LatencyRule(Plain):
    """Some offer of the site must answer soon enough; the packing then uses only those that do.

    A site without offers is judged by the declared service time: its lack of room is for other rules to say.
    """

    name = "latency"
    kind = Kind.REACH

    def __init__(self, model_digest: str) -> None:
        self._model_digest = model_digest
        self._times: Numbers
        self._round_trip: tuple[Numbers, Numbers]

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where an offer answers soon enough. All True where the workload asks for nothing."""
        columns = fleet.columns
        if workload.latency is None:
            return np.ones(len(columns), dtype=np.bool_)
        self._round_trip = round_trip(workload, columns)
        self._times = answer_time(workload, fleet, self._model_digest)
        rtt = self._round_trip[0]
        bare = ~columns.site_any(np.ones(len(columns.offers), dtype=np.bool_))
        near = bare & (rtt != UNKNOWN) & (rtt + workload.latency.service_time_us <= workload.latency.p99_us)
        soon: Mask = near | columns.site_any(in_time(workload, fleet, self._model_digest))
        return soon

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """The fastest offer's time; `found` says `unknown` where no round trip is known."""
        assert workload.latency is not None
        columns = fleet.columns
        (rtt, measured_at), times = self._round_trip, self._times  # as `allows` found them for this fleet
        fastest = columns.first_offer(times == columns.site_min(times)[columns.offer_site])[refused]
        known = rtt[refused] != UNKNOWN
        declared = rtt[refused] + workload.latency.service_time_us
        found = np.where(fastest == UNKNOWN, declared, times[fastest] if len(times) else declared)
        key, wanted, most = "latency.p99", workload.latency.origins, workload.latency.p99_us
        return Findings(
            lacks=(
                Lack(key, "Le", wanted, (), most, Unit.MICROSECONDS),
                Lack(key, "Le", wanted, ("unknown",), most, Unit.MICROSECONDS),
            ),
            codes=(~known).astype(np.int64),
            numbers=np.where(known, found, 0),
            offers=fastest,
            measured_at=np.where(known, measured_at[refused], 0),
        )
