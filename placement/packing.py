"""Packing: how many copies of a demand every site has room for, and on which offers they would stand.

A copy needs one unit that has everything it asks for. A gang is placed whole or not at all; replicas stand on
different nodes, in different zones or at different sites where the workload says so. Where the demand falls back on
CPUs, a site without room for all copies with GPUs is asked again without.

The offers of a site are chosen for the least money: one offer for all copies where one has room for all, and of those
the cheapest, then the one that strands the fewest GPUs, then the first; otherwise the cheapest per copy first, until
all copies stand. Filling by price is not always the cheapest sum; it is the same on every machine and easy to check.

A rule that refuses a site must not hide what the site would cost without it. So where no offer answers soon enough, or
none has a model that is asked for, all of them are packed; where copies have no room, they are packed as if nothing
stood there; where they could not stand so far apart, as if they need not. Other rules refuse such a site, and its price
is what those rules cost.

Limits: a demand of nothing at all counts `MOST_PER_UNIT` to a unit.
"""

from dataclasses import dataclass

import numpy as np

from placement.columns import UNKNOWN, Columns, Described, Mask, Numbers
from placement.gpu.count import accepts, on_empty, on_used
from placement.gpu.wanted import Wanted, variants
from placement.scoring.cost import Charge, Charges, Prices
from placement.scoring.fragmentation import stranded
from tidegate.model.decision import Slot
from tidegate.model.workload import Demand, Spread, Workload

MOST_PER_UNIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Room:
    """What one demand finds on every offer. Shapes (offers,), but where said otherwise."""

    wanted: Wanted
    of_shape: Numbers
    """Shape (shapes,): copies on an empty unit, where such an offer may be used at all."""
    each: Numbers
    """The same on the offers that may be used; 0 on the others."""
    copies: Numbers
    """Copies that fit now."""
    units: Numbers
    """Units that have room for one more copy."""

    def if_empty(self, columns: Columns) -> "Room":
        """The same where nothing stood anywhere."""
        units = np.where(self.each > 0, columns.count, 0)
        return Room(self.wanted, self.of_shape, self.each, columns.count * self.each, units)


def room_for(columns: Columns, wanted: Wanted, demand: Demand, usable: Mask) -> Room:
    """The room for copies of `wanted` on the `usable` offers (shape (offers,)); none on the others."""
    shapes = columns.shapes
    empty = on_empty(shapes, wanted) if wanted.on_gpu else None
    eligible = accepts(shapes, wanted, demand.time_slicing)
    of_shape = np.where(eligible, times(wanted, empty, shapes.cpus, shapes.memory), 0)
    each = np.where(usable, of_shape[columns.shape], 0)
    copies = columns.fresh * each
    units = np.where(each > 0, columns.fresh, 0)
    used = np.flatnonzero(columns.unit_offer != UNKNOWN)
    if len(used):
        offers = columns.unit_offer[used]
        used = used[each[offers] > 0]  # what does not fit on an empty unit fits on none
        offers = columns.unit_offer[used]
        begun = on_used(columns, wanted)[used] if wanted.on_gpu else None
        left = times(wanted, begun, columns.unit_cpus[used], columns.unit_memory[used])
        np.add.at(copies, offers, left)
        np.add.at(units, offers, left > 0)
    return Room(wanted, of_shape, each, copies, units)


def eligible_for(shapes: Described, wanted: Wanted, models: tuple[str, ...], demand: Demand) -> Mask:
    """Shape (shapes,): the offers that one variant of a demand may stand on, whatever is free."""
    eligible = accepts(shapes, wanted, demand.time_slicing)
    if models:
        eligible = eligible & shapes.gpu_model.where(model in models for model in shapes.gpu_model.values)
    return eligible


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

    def __init__(
        self, workload: Workload, columns: Columns, prices: Prices, usable: Mask, other_models: Mask | None = None
    ) -> None:
        """`usable`, shape (offers,): the offers that answer soon enough and that no law forbids.

        `other_models`, shape (sites,): where none of the models that are asked for is, so that any will do.
        """
        self._columns = columns
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
        self.priceable: Mask = np.zeros(sites, dtype=np.bool_)
        """Where `charge` says something: where the copies fit, or would if nothing stood there or they stood closer."""
        self.charge: Charge = Charge.nothing(sites)
        self.fragmentation: Numbers = np.zeros(sites, dtype=np.int64)
        self.priced: Mask = np.ones(sites, dtype=np.bool_)
        self._chosen: Numbers = np.full(sites, UNKNOWN, dtype=np.int64)
        self._several: dict[int, tuple[tuple[int, int], ...]] = {}
        charges = Charges(prices, workload)
        demand = workload.demand
        rooms: list[Room] = []
        for wanted, models in variants(demand):
            named = usable
            if models:
                right = columns.shapes.gpu_model.where(model in models for model in columns.shapes.gpu_model.values)
                named = named & (right[columns.shape] | (other_models is not None and other_models[columns.offer_site]))
            rooms.append(room_for(columns, wanted, demand, named))
        for room in rooms:
            self.copies = np.maximum(self.copies, columns.site_sum(room.copies))
            self.apart = np.maximum(self.apart, self._choose(room, charges, self.copies))
        self.fits: Mask = self.priceable
        for room in (room.if_empty(columns) for room in rooms):
            self.could = np.maximum(self.could, columns.site_sum(room.copies))
            self.could_apart = np.maximum(self.could_apart, self._choose(room, charges, self.could))
        if self._spread in (Spread.NODE, Spread.ZONE) and ((self.could >= self.wanted) & ~self.priceable).any():
            # Where the copies could stand, but not so far apart: what they would cost there all the same.
            self._spread = Spread.NONE
            for room in rooms:
                self._choose(room, charges, columns.site_sum(room.copies))
            for room in (room.if_empty(columns) for room in rooms):
                self._choose(room, charges, columns.site_sum(room.copies))

    def slots(self, site: int) -> tuple[Slot, ...]:
        """Where the copies stand at a site that `fits`."""
        name = self._columns.names[site]
        chosen = self._several.get(site) or ((int(self._chosen[site]), self.wanted),)
        return tuple(Slot(name, self._columns.offers[offer].name, count) for offer, count in chosen)

    def slot_columns(self, sites: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """For sites that fit: the offer and the copies of each slot, site by site, and how many slots beyond the first.

        Shapes (slots,), (slots,), (sites,).
        """
        offers = self._chosen[sites]
        copies, more = np.full(len(sites), self.wanted, dtype=np.int64), np.zeros(len(sites), dtype=np.int64)
        places = np.flatnonzero(offers == UNKNOWN).tolist()
        if not places:
            return offers, copies, more
        for place in places:
            more[place] = len(self._several[int(sites[place])]) - 1
        starts = np.cumsum(1 + more) - (1 + more)
        offers, copies = np.repeat(offers, 1 + more), np.repeat(copies, 1 + more)
        for place in places:
            slots = np.array(self._several[int(sites[place])], dtype=np.int64)
            at = slice(int(starts[place]), int(starts[place]) + len(slots))
            offers[at], copies[at] = slots[:, 0], slots[:, 1]
        return offers, copies, more

    def _choose(self, room: Room, charges: Charges, together: Numbers) -> Numbers:
        """Settle where the copies stand at the sites that have room and are not settled yet, at what price.

        Shape (sites,): how many have room as far apart as asked; `together`: however close.
        """
        apart = self._apart(room, together)
        new = (apart >= self.wanted) & ~self.priceable
        if new.any():
            alone = room.units if self._spread is Spread.NODE else room.copies
            if self._spread is not Spread.ZONE or self.wanted == 1:
                self._choose_one(room, charges, new[self._columns.offer_site] & (alone >= self.wanted))
            several = np.flatnonzero(new & (self._chosen == UNKNOWN))
            if len(several):
                self._choose_several(room, charges, several, alone)
            self.priceable = self.priceable | new
        return apart

    def _apart(self, room: Room, together: Numbers) -> Numbers:
        if self._spread is Spread.NODE:
            return self._columns.site_sum(room.units)
        if self._spread is not Spread.ZONE:
            return together
        columns = self._columns
        zones = len(columns.zone.values)
        open_to = room.units > 0
        pairs = np.unique(columns.offer_site[open_to] * zones + columns.zone.codes[open_to])
        return np.bincount(pairs // max(zones, 1), minlength=len(columns)).astype(np.int64)

    def _choose_one(self, room: Room, charges: Charges, whole: Mask) -> None:
        """The best single offer of each site, of those (shape (offers,)) that have room for all copies.

        Offers of one shape cost the same, so every price is worked out for the shapes alone.
        """
        columns, each = self._columns, room.of_shape
        units = self._units(np.maximum(each, 1), self.wanted)
        every = np.arange(len(each))
        charge = charges.charge(every, self.wanted, units, np.maximum(each, 1))
        gpus = stranded(columns.shapes.gpus, units, self.wanted, room.wanted.gpu_milli)
        offers = np.flatnonzero(whole)
        sites, shapes = columns.offer_site[offers], columns.shape[offers]
        for key in (charge.total, gpus):
            numbers = key[shapes]
            starts = np.flatnonzero(np.diff(sites, prepend=-1))
            least = np.repeat(np.minimum.reduceat(numbers, starts), np.diff(starts, append=len(sites)))
            kept = numbers == least
            offers, sites, shapes = offers[kept], sites[kept], shapes[kept]
            if len(offers) == 0:
                return
        first = np.flatnonzero(np.diff(sites, prepend=-1))
        best, offers, shapes = sites[first], offers[first], shapes[first]
        self._chosen[best] = offers
        self.charge.put(best, charge, shapes)
        self.fragmentation[best] = gpus[shapes]
        self.priced[best] = charges.known(shapes)

    def _choose_several(self, room: Room, charges: Charges, sites: Numbers, alone: Numbers) -> None:
        """Fill these sites' offers, the cheapest per copy first; one copy in each zone where the spread is by zone."""
        columns, zoned = self._columns, self._spread is Spread.ZONE
        here = np.zeros(len(columns), dtype=np.bool_)
        here[sites] = True
        offers = np.flatnonzero(here[columns.offer_site] & (alone > 0))
        shapes = columns.shape[offers]
        per_copy = charges.per_copy(shapes, room.of_shape[shapes])
        offers = offers[np.lexsort((offers, per_copy, columns.offer_site[offers]))]
        if zoned:
            zones = columns.offer_site[offers] * len(columns.zone.values) + columns.zone.codes[offers]
            offers = offers[np.sort(np.unique(zones, return_index=True)[1])]
        at = columns.offer_site[offers]
        room_here = np.minimum(alone[offers], 1 if zoned else self.wanted)
        starts = np.flatnonzero(np.diff(at, prepend=-1))
        before = np.cumsum(room_here) - room_here
        before -= np.repeat(before[starts], np.diff(starts, append=len(at)))
        counts = np.clip(self.wanted - before, 0, room_here)
        offers, at, counts = offers[counts > 0], at[counts > 0], counts[counts > 0]
        starts = np.flatnonzero(np.diff(at, prepend=-1))
        shapes = columns.shape[offers]
        each = room.of_shape[shapes]
        units = self._units(each, counts)
        charge = charges.together(charges.charge(shapes, counts, units, each), starts)
        self.charge.put(sites, charge, np.arange(len(sites)))
        gpus = stranded(columns.shapes.gpus[shapes], units, counts, room.wanted.gpu_milli)
        self.fragmentation[sites] = np.add.reduceat(gpus, starts)
        self.priced[sites] = np.logical_and.reduceat(charges.known(shapes), starts)
        pairs = list(zip(offers.tolist(), counts.tolist(), strict=True))
        stops = [*starts.tolist()[1:], len(pairs)]
        for site, start, stop in zip(sites.tolist(), starts.tolist(), stops, strict=True):
            self._several[site] = tuple(pairs[start:stop])

    def _units(self, each: Numbers, counts: Numbers | int) -> Numbers:
        """How many units the copies stand on, so many of which go on an empty one."""
        if self._spread is Spread.NODE:
            return np.broadcast_to(np.asarray(counts, dtype=np.int64), each.shape)
        return -(-counts // each)
