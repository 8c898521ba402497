"""A price list: what all copies of a workload would cost on one offer of each shape, and how offers rank by it.

It follows from the prices, from how many copies there are and how many go on an empty unit, and from little else. So
lists are kept with the prices: workloads that differ by less than units can tell have the same one.
"""

from dataclasses import dataclass, replace

import numpy as np

from placement.fleet.columns import GREATEST, Columns, Mask, Numbers, Ranks
from placement.lately import Lately
from placement.lazily import lazily
from placement.packing.ground import Ground, starts_of
from placement.packing.room import Room
from placement.scoring.cost import PARTS, Charges
from placement.scoring.fragmentation import stranded


@dataclass(frozen=True, slots=True, eq=False)
class PriceList:
    """What all copies would cost on one offer of each shape."""

    parts: Numbers
    """Shape (live, shapes + 1), in the order of `Charges.live`; zeros behind the last."""
    fragmentation: Numbers
    """Shape (builds + 1,); 0 behind the last."""
    known: Mask
    """Shape (shapes + 1,); True behind the last."""
    ranks: Ranks
    """Shape (shapes,): what offers are ranked by within their site: the price, then what they strand.

    `never` where an empty unit has no room for a copy.
    """
    never: int
    """After every rank, and the same with a place in it."""
    places: int
    """A mask of the lowest bits of these, which are free for the offer's place at its site."""
    units: Numbers
    """Shape (builds,): empty units that all copies take; `GREATEST` where such a unit has no room for one."""

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
        builds, build, each = columns.builds, columns.build_of_shape, np.maximum(room.each, 1)
        units = np.full(len(each), wanted, dtype=np.int64) if apart else -(-wanted // each)
        parts = charges.parts(wanted, units.take(build), each.take(build))
        fragmentation = np.append(stranded(builds.gpus, units, wanted, room.wanted.gpu_milli), 0)
        total = parts[0, :-1] + parts[1, :-1]
        for place, row in enumerate(charges.live[2:], 2):
            if PARTS[row] in ("spot_loss", "availability"):
                total += parts[place, :-1]
        bits = columns.place_bits
        ranks = columns.narrowed(_ranks(total, fragmentation.take(build)) << bits)
        never = int(np.iinfo(ranks.dtype).max)
        ranks[(room.each <= 0).take(build)] = never
        units[room.each <= 0] = GREATEST
        return cls(parts, fragmentation, charges.known_or_unpriced, ranks, never, (1 << bits) - 1, units)

    def among(self, models: tuple[str, ...], columns: Columns) -> "PriceList":
        """The same for offers whose GPUs are of these models alone: no other has a rank."""
        column = columns.shapes.gpu_model
        ranks = self.ranks.copy()
        ranks[column.where([model not in models for model in column.values])] = self.never
        return replace(self, ranks=ranks)

    def keys(self, ground: Ground, full: Mask) -> Ranks:
        """Shape (sites,): the least rank and place of a site's offers that have a rank and are not full; else `never`.

        Here every offer is gone through, so nothing is chosen by a mask, no two widths are mixed, and no memory is new.
        """
        keys, closed = ground.scratch.keys, ground.scratch.closed
        self.ranks.take(ground.shape, out=keys, mode="clip")
        keys |= ground.local
        np.copyto(closed, full)
        closed *= self.never
        keys |= closed
        return ground.site_min(keys)

    def keys_of(self, ground: Ground, offers: Numbers) -> Ranks:
        """Shape (offers,): the rank and place of each of these."""
        return self.ranks.take(ground.shape.take(offers)) | ground.local.take(offers)

    def best_of(self, ground: Ground, offers: Numbers) -> tuple[Numbers, Numbers]:
        """The sites where one of these offers, ascending, has a rank, and the least rank and place of these."""
        if len(offers) == 0:
            return offers, offers
        at = ground.offer_site.take(offers)
        starts = starts_of(at)
        there, best = self.some(np.minimum.reduceat(self.keys_of(ground, offers), starts))
        return at.take(starts.take(there)), best

    def some(self, keys: Ranks) -> tuple[Numbers, Numbers]:
        """Of the sites, those that have a key, and which."""
        there = (keys != self.never).nonzero()[0]
        return there, keys.take(there).astype(np.int64)


class Priced:
    """One variant of the demand, on some ground."""

    def __init__(
        self, room: Room, table: PriceList, models: tuple[str, ...], copies: int, apart: bool, one_will_do: bool
    ) -> None:
        self.room, self.table, self.models = room, table, models
        self.copies, self.apart = copies, apart
        self.one_will_do = one_will_do
        """Whether all copies may stand on one offer."""

    @lazily
    def full(self) -> Mask:
        """Shape (offers,): where there is no room for all copies now."""
        return self.room.full(self.copies, self.table.units, apart=self.apart)

    def with_room(self, offers: Numbers) -> Numbers:
        """Of these offers, those that have room for all copies now."""
        return offers.take((~self.full.take(offers)).nonzero()[0])


def _ranks(total: Numbers, gpus: Numbers) -> Numbers:
    """Shape (shapes,): 0 and up, in the order of price and, of one price, of what is stranded."""
    most = int(np.maximum.reduce(gpus, initial=0)) + 1
    if (int(np.maximum.reduce(total, initial=0)) + 1) * most < 2**63:
        key = total * most + gpus
        order = key.argsort()
        key = key.take(order)
        rises = key[1:] != key[:-1]
    else:
        order = np.lexsort((gpus, total))
        total, gpus = total.take(order), gpus.take(order)
        rises = (total[1:] != total[:-1]) | (gpus[1:] != gpus[:-1])
    ranks = np.zeros(len(order), dtype=np.int64)
    ranks[order[1:]] = np.add.accumulate(rises, dtype=np.int64)
    return ranks
