"""A price list: what all copies of a workload would cost on one offer of each shape, and how offers rank by it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from placement.fleet.columns import GREATEST, Mask, Numbers
from placement.packing.ground import Ground, starts_of
from placement.packing.room import Room
from placement.scoring.cost import PARTS, Charges
from placement.scoring.fragmentation import stranded

NEVER = GREATEST
"""The rank where there is no room: after every other."""


@dataclass(frozen=True, slots=True, eq=False)
class PriceList:
    """What all copies would cost on one offer of each shape; a row of zeros behind the last. Shapes (shapes + 1,)."""

    parts: Numbers
    """Shape (live, shapes + 1), in the order of `Charges.live`."""
    fragmentation: Numbers
    known: Mask
    ranks: Numbers
    """Shape (shapes,): what offers are ranked by within their site: the price, then what they strand."""
    places: int
    """A mask of the lowest bits of these, which are free for the offer's place at its site."""

    @classmethod
    def of(cls, ground: Ground, room: Room, charges: Charges, units: Numbers, wanted: int) -> "PriceList":
        """`units`, shape (shapes,): how many all copies stand on."""
        shapes = ground.columns.shapes
        size = len(shapes.gpus)
        parts = charges.parts(wanted, units, np.maximum(room.of_shape, 1))
        fragmentation = np.zeros(size + 1, dtype=np.int64)
        fragmentation[:size] = stranded(shapes.gpus, units, wanted, room.wanted.gpu_milli)
        total = parts[0, :size] + parts[1, :size]
        for place, row in enumerate(charges.live[2:], 2):
            if PARTS[row] in ("spot_loss", "availability"):
                total += parts[place, :size]
        bits = ground.place_bits
        return cls(
            parts, fragmentation, charges.known_or_unpriced, _joined(total, fragmentation[:size], bits), (1 << bits) - 1
        )

    def best(self, ground: Ground, open_to: Mask) -> Numbers:
        """Shape (sites,): the least rank and place of a site's offers that are marked; `NEVER` where none is."""
        keys = self.ranks.take(ground.shape)
        keys |= ground.local
        keys |= np.multiply(~open_to, NEVER)  # no branch: to choose by a mask costs ten times as much
        return ground.site_min(keys)

    def best_of(self, ground: Ground, offers: Numbers) -> tuple[Numbers, Numbers]:
        """The same for the sites of these offers, ascending: their rows, and the least rank and place of each."""
        if len(offers) == 0:
            return offers, offers
        keys = self.ranks.take(ground.shape.take(offers)) | ground.local.take(offers)
        at = ground.offer_site.take(offers)
        starts = starts_of(at)
        return at.take(starts), np.minimum.reduceat(keys, starts)


class Priced(NamedTuple):
    """One variant of the demand: its room, and what all copies would cost on each offer."""

    room: Room
    table: PriceList
    units: Numbers
    """Shape (shapes,): empty units that all copies take."""
    now: Mask | None
    """Shape (offers,): where all have room now; None where one offer alone will not do."""


def _joined(total: Numbers, gpus: Numbers, bits: int) -> Numbers:
    """Shape (shapes,): numbers in the order of price and, of one price, of what is stranded; with so many bits free."""
    most = int(np.maximum.reduce(gpus, initial=0)) + 1
    if (int(np.maximum.reduce(total, initial=0)) + 1) * most < 1 << 62 - bits:
        return (total * most + gpus) << bits
    order = np.lexsort((gpus, total))
    total, gpus = total[order], gpus[order]
    rank = np.zeros(len(order), dtype=np.int64)
    rank[order[1:]] = np.cumsum((total[1:] != total[:-1]) | (gpus[1:] != gpus[:-1]))
    return rank << bits
