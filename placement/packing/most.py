"""The most of one amount that any one unit has, by offer and by site, and at which place of the journal that changed.

What a rule on an amount answers follows from where the amount that is wanted stands among those that sites have at
most. So its answers, packed, are kept by that place (`Cell`): workloads that differ by less than the sites do get the
same bytes. When a unit changes, one offer and one site are looked at again.
"""

from bisect import bisect_left
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from placement.bits import to_bits
from placement.explain import name_offers, pack_bits, pack_numbers
from placement.fleet.columns import Columns, Numbers

UNREACHED = np.iinfo(np.int64).min
"""Less than any unit has, an overcommitted one included."""
MOST_CELLS = 256


@dataclass(frozen=True, slots=True)
class Cell:
    """Who is refused, and the record of it but for what was wanted."""

    refuses: int
    bits: bytes
    numbers: bytes
    offers: tuple[str, ...]
    offer_codes: bytes


class Most:
    """See the module."""

    def __init__(self, columns: Columns, by_offer: Numbers) -> None:
        self._columns = columns
        self._cells: dict[Hashable, Cell] = {}
        self._scale: list[int] | None = None
        self._changed: dict[int, int] = {}
        self.since = self.place = columns.units.journal.end
        """Places in the journal: when all was looked at, and of which everything here is."""
        self._put_all(by_offer)

    def _put_all(self, by_offer: Numbers) -> None:
        columns = self._columns
        self.by_offer = by_offer
        """Shape (offers,)."""
        self.best = columns.site_max(by_offer, UNREACHED)
        """Shape (sites,)."""
        self.nearest = columns.first_offer(by_offer == self.best[columns.offer_site])
        """Shape (sites,): the row of the first offer that has it."""

    def put(self, offer: int, most: int, place: int) -> None:
        """The most on any unit of an offer now."""
        if self.by_offer[offer] == most:
            return
        self.by_offer[offer] = most
        site = int(self._columns.offer_site[offer])
        start, stop = self._columns.stops[site], self._columns.stops[site + 1]
        part = self.by_offer[start:stop]
        nearest = int(part.argmax())
        best, nearest = int(part[nearest]), start + nearest
        if (best, nearest) != (self.best[site], self.nearest[site]):
            self.best[site], self.nearest[site] = best, nearest
            self._turn([site], place)

    def put_all(self, by_offer: Numbers, place: int) -> None:
        """The same for all offers."""
        best, nearest = self.best, self.nearest
        self._put_all(by_offer)
        self._turn(np.flatnonzero((best != self.best) | (nearest != self.nearest)).tolist(), place)

    def _turn(self, sites: list[int], place: int) -> None:
        if sites:
            self._changed.update(dict.fromkeys(sites, place))
            self._cells.clear()
            self._scale = None

    def changed(self, site: int, place: int) -> bool:
        """Whether a site may have more or less now than at a place, or on another offer."""
        return self.since > place or self._changed.get(site, place) > place

    def rank(self, wanted: int) -> int:
        """How many different amounts that sites have at most are less than the one wanted."""
        if self._scale is None:
            self._scale = np.unique(self.best).tolist()
        return bisect_left(self._scale, wanted)

    def cell(self, wanted: int, unless: "Most | None" = None) -> Cell:
        """Who has less than is wanted; but not those that have less by `unless` too, whom that refuses already."""
        key = (self.rank(wanted), unless and unless.rank(wanted))
        found = self._cells.get(key)
        if found is None:
            if len(self._cells) >= MOST_CELLS:
                self._cells.clear()
            found = self._cells[key] = self._cell(wanted, unless)
        return found

    def _cell(self, wanted: int, unless: "Most | None") -> Cell:
        less = self.best < wanted
        if unless is not None:
            less &= unless.best >= wanted
        refused = less.nonzero()[0]
        if len(refused) == 0:
            return Cell(0, b"", b"", (), b"")
        offers, codes = name_offers(self.nearest[refused], self._columns)
        numbers = pack_numbers(np.maximum(self.best[refused], 0))
        return Cell(to_bits(less), pack_bits(~less), numbers, offers, codes)
