"""A price list: what all copies of a workload would cost on one offer of each shape, and how offers rank by it.

It follows from the prices, from how many copies there are and how many go on an empty unit, and from little else. So
lists are kept with the prices: workloads that differ by less than units can tell have the same one.
"""

from dataclasses import dataclass

import numpy as np

from placement.fleet.columns import Columns, Numbers
from placement.lately import Lately
from placement.packing.room import Room
from placement.scoring.cost import Charges
from placement.scoring.sums import listed


@dataclass(frozen=True, slots=True, eq=False)
class PriceList:
    """What all copies would cost on one offer of each shape."""

    rows: Numbers
    """Shape (shapes + 1, live + 2): the parts in the order of `Charges.live`, what they strand, whether it has a price.

    Behind the last, what stands nowhere costs and strands nothing, and has a price.
    """
    holds: Numbers
    """Shape (shapes,): copies on an empty unit, one at most where they stand apart."""
    ranks: Numbers
    """Shape (shapes,): what offers are ranked by within their site: the price, then what they strand."""
    places: int
    """A mask of the lowest bits of these, which are free for the offer's place at its site."""

    @classmethod
    def of(cls, columns: Columns, room: Room, charges: Charges, wanted: int, *, apart: bool) -> "PriceList":
        """For `wanted` copies; `apart`: each on a unit of its own. Shared, so never to be written to."""
        lists: Lately[PriceList] = charges.prices.kept
        key = (charges.key, room.each.tobytes(), room.wanted.gpu_milli, wanted, apart)
        found = lists.get(key)
        if found is None:
            found = cls._made(columns, room, charges, wanted, apart=apart)
            lists.put(key, found)
        return found

    @classmethod
    def _made(cls, columns: Columns, room: Room, charges: Charges, wanted: int, *, apart: bool) -> "PriceList":
        shapes, bits = len(columns.build_of_shape), columns.place_bits
        rows = np.empty((shapes + 1, len(charges.live) + 2), dtype=np.int64)
        holds, ranks = np.empty((2, shapes), dtype=np.int64)
        fits = listed(
            charges.columns,
            charges.prices.known,
            columns.build_of_shape,
            room.each,
            columns.builds.gpus,
            charges.places,
            wanted,
            apart,
            charges.gang,
            room.wanted.gpu_milli,
            charges.prices.idle_ppm,
            bits,
            rows,
            holds,
            ranks,
        )
        if not fits:
            ranks = _numbered(ranks, rows[:-1, -2]) << bits
        return cls(rows, holds, ranks, (1 << bits) - 1)


def _numbered(total: Numbers, stranded: Numbers) -> Numbers:
    """Shape (shapes,): 0 and up, in the order of price and, of one price, of what is stranded."""
    order = np.lexsort((stranded, total))
    total, stranded = total.take(order), stranded.take(order)
    rises = (total[1:] != total[:-1]) | (stranded[1:] != stranded[:-1])
    ranks = np.zeros(len(order), dtype=np.int64)
    ranks[order[1:]] = np.add.accumulate(rises, dtype=np.int64)
    return ranks
