"""Volume: what travels between a site and the rest every day fits through the site's uplink.

What travels is the data that comes from elsewhere, and the telemetry that goes to the broker. Data that lies at the
site needs no link. Two rules, since two different things may help: `volume` holds it against the whole link, and
`volume-free` against what the work that stands there leaves of it (`Fleet` keeps that account).

What is declared is believed: nobody measures what a link could carry. An uplink of 0 is not limited.
"""

from bisect import bisect_left
from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np

from placement.explain import record
from placement.fleet.columns import Columns, Mask, Numbers, Part
from placement.fleet.fleet import Fleet
from placement.rules.rule import Column, Findings, Plain
from tidegate.model.decision import Kind, Lack, RuleColumn, Unit
from tidegate.model.site import Site
from tidegate.model.workload import Workload

MOST_CELLS = 1_000
"""Answers kept for a fleet."""


def carried(workload: Workload, site: Site) -> int:
    """Bytes a day that a workload sends over the uplink of a site where it stands."""
    data = workload.data
    moved = data.bytes_per_day if data.origin and data.origin != site.location else 0
    return moved + workload.telemetry_bytes_per_day


class Volume(Plain):
    """Bytes per day against the whole link."""

    name = "volume"
    kind = Kind.REACH

    def column(self, workload: Workload, fleet: Fleet) -> Column:
        """Two amounts at most have to travel, so the answers go by where they stand among the links there are."""
        columns = fleet.columns
        scale = columns.kept("links", lambda: np.unique(columns.uplink[columns.uplink > 0]).tolist())
        away, here = _carried(workload)
        if not scale or max(away, here) <= scale[0]:
            return self.silent(fleet)
        kept: dict[Hashable, _Cell] = columns.kept("volumes", dict)
        key = (workload.data.origin, away == here, bisect_left(scale, away), bisect_left(scale, here))
        cell = kept.get(key)
        if cell is None:
            if len(kept) >= MOST_CELLS:
                kept.clear()
            allowed = self.allows(workload, fleet)
            found = self.findings(workload, fleet, (~allowed).nonzero()[0])
            wanted = tuple([lack.wanted_number == away for lack in found.lacks])
            first = Column.of(self, allowed)
            cell = kept[key] = _Cell(first.refuses, wanted, record(first, workload, fleet))
        if not cell.refuses:
            return self.silent(fleet)
        lacks = tuple([_lack(away if is_away else here) for is_away in cell.away])
        return Column(self, cell.refuses, len(columns), replace(cell.record, lacks=lacks))

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where an idle link could carry it."""
        return _enough(_needed(workload, fleet.columns), fleet.columns)

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """What must be carried, and what the link can carry."""
        return _findings(workload, fleet.columns, refused, fleet.columns.uplink)


class VolumeFree(Plain):
    """Bytes per day against what is left of the link. Where the whole of it is too little, `volume` has said so.

    What sends nothing needs nothing that is left, even of a link that carries too much already.
    """

    name = "volume-free"
    kind = Kind.CAPACITY

    def column(self, workload: Workload, fleet: Fleet) -> Column:
        """Silent where nothing is sent over any link."""
        columns = fleet.columns
        sent = columns.stamps[Part.UPLINKS] and columns.uplink_used.any()
        return super().column(workload, fleet) if sent else self.silent(fleet)

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where what is left of the link can carry it."""
        columns = fleet.columns
        needed = _needed(workload, columns)
        fits = needed <= columns.uplink - columns.uplink_used
        allowed: Mask = fits | (columns.uplink == 0) | (needed == 0) | ~_enough(needed, columns)
        return allowed

    def allows_at(self, workload: Workload, columns: Columns, site: int) -> bool:
        """The same for one site."""
        needed, link = carried(workload, columns.sites[site]), int(columns.uplink[site])
        return link == 0 or needed == 0 or needed > link or needed <= link - int(columns.uplink_used[site])

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """What must be carried, and what is left of the link."""
        columns = fleet.columns
        return _findings(workload, columns, refused, np.maximum(columns.uplink - columns.uplink_used, 0))


@dataclass(frozen=True, slots=True)
class _Cell:
    """Who is refused, which of the two amounts each lack is about, and the record for one workload."""

    refuses: int
    away: tuple[bool, ...]
    record: RuleColumn


def _carried(workload: Workload) -> tuple[int, int]:
    """Bytes a day from a site where the data does not lie, and from one where it does."""
    data, telemetry = workload.data, workload.telemetry_bytes_per_day
    return (data.bytes_per_day if data.origin else 0) + telemetry, telemetry


def _lack(needed: int) -> Lack:
    return Lack("site.uplinkBytesPerDay", "Ge", wanted_number=needed, unit=Unit.BYTES_PER_DAY)


def _needed(workload: Workload, columns: Columns) -> Numbers:
    """Shape (sites,): as `carried`."""
    data = workload.data
    moved = data.bytes_per_day if data.origin else 0
    there = columns.location.where(where == data.origin for where in columns.location.values)
    return np.where(there, 0, moved) + workload.telemetry_bytes_per_day


def _enough(needed: Numbers, columns: Columns) -> Mask:
    enough: Mask = (columns.uplink == 0) | (needed <= columns.uplink)
    return enough


def _findings(workload: Workload, columns: Columns, refused: Numbers, found: Numbers) -> Findings:
    needed = _needed(workload, columns)[refused]
    wanted, codes = np.unique(needed, return_inverse=True)  # with the data and without: two at most
    lacks = tuple([_lack(number) for number in wanted.tolist()])
    return Findings(lacks, codes.astype(np.int64), found[refused])
