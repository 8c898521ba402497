"""Packing: how many copies of a demand every site has room for, and on which offers they would stand.

A copy needs one unit that has everything it asks for. A gang is placed whole or not at all; replicas stand on
different nodes, in different zones or at different sites where the workload says so. Where the demand falls back on
CPUs, a site without room for all copies with GPUs is asked again without.

The offers of a site are chosen for the least money: one offer for all copies where one has room for all, and of those
the cheapest, then the one that strands the fewest GPUs, then the first; otherwise the cheapest per copy first, until
all copies stand. Filling by price is not always the cheapest sum; it is the same on every machine and easy to check.

Limits: a demand of nothing at all counts `MOST_PER_UNIT` to a unit.
"""

from dataclasses import dataclass

import numpy as np

from placement.columns import UNKNOWN, Columns, Mask, Numbers
from placement.gpu.count import accepts, on_empty, on_used
from placement.gpu.wanted import Wanted, variants
from placement.scoring.cost import Charge, Charges, Prices
from placement.scoring.fragmentation import stranded
from tidegate.model.decision import Slot
from tidegate.model.workload import Demand, Spread, Workload

MOST_PER_UNIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Room:
    """What one demand finds on every offer. Shapes (offers,)."""

    wanted: Wanted
    each: Numbers
    """Copies on an empty unit."""
    copies: Numbers
    """Copies that fit now."""
    units: Numbers
    """Units that have room for one more copy."""

    def if_empty(self, columns: Columns) -> "Room":
        """The same where nothing stood anywhere."""
        return Room(self.wanted, self.each, columns.count * self.each, np.where(self.each > 0, columns.count, 0))


def room_for(columns: Columns, wanted: Wanted, eligible: Mask) -> Room:
    """The room for copies of `wanted` on the `eligible` offers (shape (offers,)); none on the others."""
    empty = on_empty(columns, wanted) if wanted.on_gpu else None
    each = np.where(eligible, times(wanted, empty, columns.cpus, columns.memory), 0)
    copies = columns.fresh * each
    units = np.where(each > 0, columns.fresh, 0)
    used = columns.unit_offer != UNKNOWN
    offers = columns.unit_offer[used]
    begun = on_used(columns, wanted)[used] if wanted.on_gpu else None
    left = times(wanted, begun, columns.unit_cpus[used], columns.unit_memory[used])
    left = np.where(eligible[offers], left, 0)
    np.add.at(copies, offers, left)
    np.add.at(units, offers, left > 0)
    return Room(wanted, each, copies, units)


def eligible_for(columns: Columns, wanted: Wanted, models: tuple[str, ...], demand: Demand) -> Mask:
    """Shape (offers,): the offers that one variant of a demand may stand on, whatever is free."""
    eligible = columns.gpu_model.where(not models or model in models for model in columns.gpu_model.values)
    return eligible & accepts(columns, wanted, demand.time_slicing)


def times(wanted: Wanted, on_gpus: Numbers | None, cpus: Numbers, memory: Numbers) -> Numbers:
    """How often `wanted` goes into what is there, `on_gpus` times into the GPUs; never below 0."""
    often = np.full(len(cpus), MOST_PER_UNIT, dtype=np.int64) if on_gpus is None else on_gpus
    for need, have in ((wanted.cpus_milli, cpus), (wanted.memory_bytes, memory)):
        if need:
            often = np.minimum(often, have // need)
    return np.maximum(often, 0)


class Packing:
    """Where the copies of one workload would stand at every site, each site for itself. Shapes (sites,).

    With `spread: site` one copy is packed at each site; the engine then chooses as many sites as there are copies.
    """

    def __init__(self, workload: Workload, columns: Columns, prices: Prices, usable: Mask) -> None:
        """`usable`, shape (offers,): the offers that answer soon enough and that no law forbids."""
        self._columns = columns
        self._charges = Charges(prices, workload)
        self._spread = workload.spread
        self.wanted = 1 if workload.spread is Spread.SITE else workload.copies
        sites = len(columns)
        self.copies: Numbers = np.zeros(sites, dtype=np.int64)
        """How many copies have room at once, however close together."""
        self.apart: Numbers = np.zeros(sites, dtype=np.int64)
        """How many have room as far apart as asked."""
        self.could: Numbers = np.zeros(sites, dtype=np.int64)
        """As `copies`, if nothing stood there."""
        self.could_apart: Numbers = np.zeros(sites, dtype=np.int64)
        """As `apart`, if nothing stood there."""
        self.fits: Mask = np.zeros(sites, dtype=np.bool_)
        self.priceable: Mask = np.zeros(sites, dtype=np.bool_)
        """Where `charge` says something: where the copies fit, or would if nothing stood there."""
        self.charge: Charge = Charge.nothing(sites)
        self.fragmentation: Numbers = np.zeros(sites, dtype=np.int64)
        self.priced: Mask = np.ones(sites, dtype=np.bool_)
        self._chosen: Numbers = np.full(sites, UNKNOWN, dtype=np.int64)
        self._several: dict[int, tuple[tuple[int, int], ...]] = {}
        demand = workload.demand
        rooms = [
            room_for(columns, one, usable & eligible_for(columns, one, models, demand))
            for one, models in variants(demand)
        ]
        for room in rooms:
            self._pack(room)
        self.fits = self.priceable
        for room in rooms:
            self._pack_empty(room.if_empty(columns))

    def slots(self, site: int) -> tuple[Slot, ...]:
        """Where the copies stand at a site that `fits`."""
        name = self._columns.names[site]
        chosen = self._several.get(site) or ((int(self._chosen[site]), self.wanted),)
        return tuple(Slot(name, self._columns.offers[offer].name, count) for offer, count in chosen)

    def slot_columns(self, sites: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """For sites that fit: the offer and the copies of each slot, site by site, and how many slots beyond the first.

        Shapes (slots,), (slots,), (sites,).
        """
        more = np.zeros(len(sites), dtype=np.int64)
        if not self._several:
            return self._chosen[sites], np.full(len(sites), self.wanted, dtype=np.int64), more
        pairs: list[tuple[int, int]] = []
        for place, site in enumerate(sites.tolist()):
            slots = self._several.get(site) or ((int(self._chosen[site]), self.wanted),)
            pairs.extend(slots)
            more[place] = len(slots) - 1
        both = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        return both[:, 0], both[:, 1], more

    def _pack(self, room: Room) -> None:
        self.copies = np.maximum(self.copies, self._columns.site_sum(room.copies))
        apart = self._apart(room)
        self.apart = np.maximum(self.apart, apart)
        self._choose(room, (apart >= self.wanted) & ~self.priceable)

    def _pack_empty(self, room: Room) -> None:
        self.could = np.maximum(self.could, self._columns.site_sum(room.copies))
        apart = self._apart(room)
        self.could_apart = np.maximum(self.could_apart, apart)
        self._choose(room, (apart >= self.wanted) & ~self.priceable)

    def _choose(self, room: Room, new: Mask) -> None:
        """Where the copies stand at the `new` sites (shape (sites,)), at what price."""
        if not new.any():
            return
        columns = self._columns
        alone = room.units if self._spread is Spread.NODE else room.copies
        one_zone = self._spread is Spread.ZONE and self.wanted > 1
        whole = new[columns.offer_site] & (alone >= self.wanted) & (not one_zone)
        self._choose_one(room, np.flatnonzero(whole))
        for site in np.flatnonzero(new & (self._chosen == UNKNOWN)):
            self._choose_several(room, int(site), alone)
        self.priceable = self.priceable | new

    def _apart(self, room: Room) -> Numbers:
        if self._spread is Spread.NODE:
            return self._columns.site_sum(room.units)
        if self._spread is not Spread.ZONE:
            return self._columns.site_sum(room.copies)
        columns = self._columns
        zones = len(columns.zone.values)
        open_to = room.units > 0
        pairs = np.unique(columns.offer_site[open_to] * zones + columns.zone.codes[open_to])
        return np.bincount(pairs // zones, minlength=len(columns)).astype(np.int64) if zones else self.apart

    def _choose_one(self, room: Room, offers: Numbers) -> None:
        """The best single offer of each site, of those `offers` that have room for all copies."""
        sites = self._columns.offer_site[offers]
        charge = self._charge(room, offers, self.wanted)
        units = self._units(room, offers, self.wanted)
        gpus = stranded(self._columns.gpus[offers], units, self.wanted, room.wanted.gpu_milli)
        order = np.lexsort((offers, gpus, charge.total, sites))
        first = order[np.unique(sites[order], return_index=True)[1]]
        best = sites[first]
        self._chosen[best] = offers[first]
        self.charge.put(best, charge, first)
        self.fragmentation[best] = gpus[first]
        self.priced[best] = self._charges.known(offers[first])

    def _choose_several(self, room: Room, site: int, alone: Numbers) -> None:
        """Fill the site's offers, the cheapest per copy first; one copy in each zone where the spread is by zone."""
        columns, left = self._columns, self.wanted
        offers = np.array([row for row in columns.offers_of(site) if alone[row] > 0], dtype=np.int64)
        by_price = offers[np.lexsort((offers, self._charges.per_copy(offers, room.each[offers])))]
        chosen: list[tuple[int, int]] = []
        zones: set[int] = set()
        for offer in map(int, by_price):
            count = min(left, int(alone[offer]))
            if self._spread is Spread.ZONE:
                count = 0 if int(columns.zone.codes[offer]) in zones else min(1, count)
                zones.add(int(columns.zone.codes[offer]))
            if count:
                chosen.append((offer, count))
                left -= count
        rows = np.array([offer for offer, _ in chosen], dtype=np.int64)
        counts = np.array([count for _, count in chosen], dtype=np.int64)
        charge = self._charges.together(self._charge(room, rows, counts))
        gpus = stranded(columns.gpus[rows], self._units(room, rows, counts), counts, room.wanted.gpu_milli)
        self._several[site] = tuple(chosen)
        self.charge.put(np.array([site]), charge, np.array([0]))
        self.fragmentation[site] = gpus.sum()
        self.priced[site] = self._charges.known(rows).all()

    def _units(self, room: Room, offers: Numbers, counts: Numbers | int) -> Numbers:
        """How many units the copies stand on."""
        if self._spread is Spread.NODE:
            return np.broadcast_to(np.asarray(counts, dtype=np.int64), offers.shape)
        return -(-counts // room.each[offers])

    def _charge(self, room: Room, offers: Numbers, counts: Numbers | int) -> Charge:
        return self._charges.charge(offers, counts, self._units(room, offers, counts), room.each[offers])
