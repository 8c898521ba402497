"""The most of one amount that any one unit has, by offer and by site, as of a place of the journal of units.

What a rule on an amount answers follows from where the amount that is wanted stands among those that sites have at
most. So its answers, packed, are kept by that place (`Cell`): workloads that differ by less than the sites do get the
same bytes. When a unit changes, one offer and one site are looked at again.
"""

from bisect import bisect_left
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from placement.bits import to_bits
from placement.explain import pack_bits, used
from placement.fleet.columns import GREATEST, Columns, Numbers
from placement.recording import pack_numbers

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
        self._least: int | None = None
        self.place = columns.units.journal.end
        """In the journal, of which everything here is."""
        self.put_all(by_offer)

    def put_all(self, by_offer: Numbers) -> None:
        """The most on any unit of every offer now."""
        columns = self._columns
        self.by_offer = by_offer
        """Shape (offers,)."""
        self.best = columns.site_max(by_offer, UNREACHED)
        """Shape (sites,)."""
        self.nearest = columns.first_offer(by_offer == self.best[columns.offer_site])
        """Shape (sites,): the row of the first offer that has it."""
        self._forget()

    def put(self, offer: int, most: int) -> None:
        """The same of one offer."""
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
            self._forget()

    def _forget(self) -> None:
        self._cells.clear()
        self._scale = self._least = None

    @property
    def least(self) -> int:
        """What every site has: where no more is wanted, nobody is refused."""
        if self._least is None:
            self._least = int(self.best.min(initial=GREATEST))
        return self._least

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
        offers, codes = used(*self._columns.names_of(self.nearest[refused]))
        numbers = pack_numbers(np.maximum(self.best[refused], 0))
        return Cell(to_bits(less), pack_bits(~less), numbers, offers, codes)
