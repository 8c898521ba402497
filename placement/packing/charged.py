"""Charged: what the copies of one packing cost at every site, before what follows from the site, and what they strand.

It follows from where they stand: on one offer, at what a price list says of its shape; or on several, at a sum. So it
is worked out when somebody asks, and need not be kept.
"""

from typing import NamedTuple

import numpy as np

from placement.fleet.columns import Columns, Mask, Numbers
from placement.packing.price_list import PriceList
from placement.scoring.cost import PARTS, Charge


class Sum(NamedTuple):
    """Of copies on several offers at each of some sites. Shapes (sites,)."""

    sites: Numbers
    charge: Charge
    fragmentation: Numbers
    priced: Mask


class Charged(NamedTuple):
    """See the module. Shapes (sites,)."""

    parts: Numbers
    """Shape (live, sites), in the order of `Charges.live`."""
    fragmentation: Numbers
    priced: Mask
    """Where every price is known, or there is nothing to price."""

    @classmethod
    def of(
        cls,
        columns: Columns,
        live: tuple[int, ...],
        chosen: Numbers,
        lists: list[PriceList],
        list_of: Numbers | None,
        sums: list[Sum],
    ) -> "Charged":
        """`chosen`: the row of each site's one offer, or `UNKNOWN`; `list_of`: which list, where there are several."""
        size = len(chosen)
        if not lists:
            nothing = np.zeros((len(live), size), dtype=np.int64)
            found = cls(nothing, np.zeros(size, dtype=np.int64), np.ones(size, dtype=np.bool_))
        else:
            shapes, builds = columns.shape_and_build
            shape, build = shapes.take(chosen, mode="wrap"), builds.take(chosen, mode="wrap")
            first = lists[0]
            found = cls(first.parts.take(shape, axis=1), first.fragmentation.take(build), first.known.take(shape))
            for number, one in enumerate(lists[1:], 1):
                assert list_of is not None
                at = (list_of == number).nonzero()[0]
                found.parts[:, at] = one.parts.take(shape[at], axis=1)
                found.fragmentation[at] = one.fragmentation.take(build[at])
                found.priced[at] = one.known.take(shape[at])
        for sites, charge, fragmentation, priced in sums:
            for place, row in enumerate(live):
                found.parts[place, sites] = getattr(charge, PARTS[row])
            found.fragmentation[sites], found.priced[sites] = fragmentation, priced
        return found

    def same(self, sites: Numbers, other: "Charged") -> bool:
        """Whether another says the same of these sites, which are all that it has."""
        return (
            np.array_equal(self.parts[:, sites], other.parts)
            and np.array_equal(self.fragmentation[sites], other.fragmentation)
            and np.array_equal(self.priced[sites], other.priced)
        )

    def put(self, sites: Numbers, other: "Charged", local: Numbers) -> "Charged":
        """With these sites as another has them, in rows of its own."""
        new = Charged(self.parts.copy(), self.fragmentation.copy(), self.priced.copy())
        new.parts[:, sites] = other.parts[:, local]
        new.fragmentation[sites], new.priced[sites] = other.fragmentation[local], other.priced[local]
        return new

    def charge(self, live: tuple[int, ...], nothing: Numbers) -> Charge:
        """As a charge; `nothing`: what the parts are that are nothing everywhere."""
        columns = [nothing] * len(PARTS)
        for place, row in enumerate(live):
            columns[row] = self.parts[place]
        return Charge(*columns)
