"""Charged: what the copies of one packing cost at every site, before what follows from the site, and what they strand.

It follows from where they stand: on one offer, at what a price list says of its shape; or on several, at a sum. So it
is worked out when somebody asks, and need not be kept.
"""

from typing import NamedTuple

import numpy as np

from placement.fleet.columns import Columns, Mask, Numbers
from placement.lazily import lazily
from placement.packing.looking import charged_at
from placement.packing.price_list import PriceList
from placement.scoring.cost import PARTS, Charge


class Sum(NamedTuple):
    """Of copies on several offers at each of some sites."""

    sites: Numbers
    """Shape (sites,)."""
    rows: Numbers
    """Shape (sites, live + 2), as those of a price list."""


class Charged:
    """See the module."""

    def __init__(self, rows: Numbers) -> None:
        """`rows`: shape (sites, live + 2), as those of a price list."""
        self._rows = rows

    @classmethod
    def of(
        cls,
        columns: Columns,
        live: int,
        chosen: Numbers,
        lists: list[PriceList],
        list_of: Numbers | None,
        sums: list[Sum],
    ) -> "Charged":
        """`live`: how many parts; `chosen`: the row of each site's one offer, or `UNKNOWN`.

        `list_of`: which list, where there are several.
        """
        rows = np.empty((len(chosen), live + 2), dtype=np.int64)
        if lists:
            charged_at(chosen, columns.shape, lists[0].rows, rows)
            for number, one in enumerate(lists[1:], 1):
                assert list_of is not None
                at = (list_of == number).nonzero()[0]
                rows[at] = one.rows[columns.shape[chosen[at]]]
        else:
            rows[:, :-1], rows[:, -1] = 0, 1
        for several in sums:
            rows[several.sites] = several.rows
        return cls(rows)

    @property
    def fragmentation(self) -> Numbers:
        """Shape (sites,): thousandths of a GPU that the copies strand."""
        return self._rows[:, -2]

    @lazily
    def priced(self) -> Mask:
        """Shape (sites,): where every price is known, or there is nothing to price."""
        known: Mask = self._rows[:, -1] > 0
        return known

    def same(self, sites: Numbers, other: "Charged") -> bool:
        """Whether another says the same of these sites, which are all that it has."""
        return np.array_equal(self._rows[sites], other._rows)

    def put(self, sites: Numbers, other: "Charged", local: Numbers) -> "Charged":
        """With these sites as another has them, in rows of its own."""
        rows = self._rows.copy()
        rows[sites] = other._rows[local]
        return Charged(rows)

    def charge(self, live: tuple[int, ...], nothing: Numbers) -> Charge:
        """As a charge; `live`: which of its parts these are, `nothing`: what the others are everywhere."""
        columns = [nothing] * len(PARTS)
        for place, row in enumerate(live):
            columns[row] = self._rows[:, place]
        return Charge(*columns)
