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
from functools import cached_property

import numpy as np

from placement.bits import to_bits
from placement.columns import UNKNOWN, Columns, Described, Mask, Numbers
from placement.gpu.count import accepts, on_empty, on_units
from placement.gpu.wanted import Wanted, variants
from placement.ground import Ground
from placement.scoring.cost import PARTS, Charge, Charges, Prices
from placement.scoring.fragmentation import stranded
from tidegate.model.decision import Slot
from tidegate.model.workload import Demand, Spread, Workload

MOST_PER_UNIT = 1_000_000
NEVER = np.iinfo(np.int64).max
"""Of an offer that has no room: after every other."""


class Room:
    """What one demand finds on every offer of some ground. Shapes (offers,), but where said otherwise."""

    def __init__(self, ground: Ground, wanted: Wanted, of_shape: Numbers, each: Numbers) -> None:
        self.wanted = wanted
        self.of_shape = of_shape
        """Shape (shapes,): copies on an empty unit, where such an offer may be used at all."""
        self.each = each
        """The same on the offers that may be used; 0 on the others."""
        self.copies = ground.fresh * each
        """Copies that fit now."""
        self._ground = ground
        offers = ground.unit_offer
        self._left = np.zeros(0, dtype=np.int64)
        if len(offers):
            units, rows = ground.columns.units, ground.unit_rows
            begun = on_units(ground.columns, wanted, rows) if wanted.on_gpu else None
            self._left = times(wanted, begun, units.cpus.take(rows), units.memory.take(rows))
            self._left *= each.take(offers) > 0  # what does not fit on an empty unit fits on none
            np.add.at(self.copies, offers, self._left)

    @cached_property
    def units(self) -> Numbers:
        """Units that have room for one more copy."""
        units = np.where(self.each > 0, self._ground.fresh, 0)
        np.add.at(units, self._ground.unit_offer, self._left > 0)
        return units

    @cached_property
    def copies_empty(self) -> Numbers:
        """Copies that would fit if nothing stood there."""
        return self._ground.count * self.each

    @property
    def units_empty(self) -> Numbers:
        """Units that would have room if nothing stood there."""
        return np.where(self.each > 0, self._ground.count, 0)


def room_for(ground: Ground, wanted: Wanted, demand: Demand, usable: Mask | None) -> Room:
    """The room for copies of `wanted` on the `usable` offers (shape (offers,); None: all); none on the others."""
    shapes = ground.columns.shapes
    empty = on_empty(shapes, wanted) if wanted.on_gpu else None
    of_shape = times(wanted, empty, shapes.cpus, shapes.memory)
    of_shape *= accepts(shapes, wanted, demand.time_slicing)
    each = of_shape.take(ground.shape)
    if usable is not None:
        each *= usable
    return Room(ground, wanted, of_shape, each)


def eligible_for(shapes: Described, wanted: Wanted, models: tuple[str, ...], demand: Demand) -> Mask:
    """Shape (shapes,): the offers that one variant of a demand may stand on, whatever is free."""
    eligible = accepts(shapes, wanted, demand.time_slicing)
    if models:
        eligible = eligible & shapes.gpu_model.where(model in models for model in shapes.gpu_model.values)
    return eligible


def times(wanted: Wanted, on_gpus: Numbers | None, cpus: Numbers, memory: Numbers) -> Numbers:
    """How often `wanted` goes into what is there, `on_gpus` times into the GPUs; never below 0."""
    often = np.full(len(cpus), MOST_PER_UNIT, dtype=np.int64) if on_gpus is None else on_gpus.copy()
    for need, have in ((wanted.cpus_milli, cpus), (wanted.memory_bytes, memory)):
        if need:
            np.minimum(often, have // need, out=often)
    return np.maximum(often, 0, out=often)


@dataclass(frozen=True, slots=True)
class Usable:
    """Shapes (offers,): the offers that answer soon enough and that neither law nor quota forbids; None: all.

    A quota may forbid a model of GPU now that it would allow if other work went; so there are two, and they are the
    same object where no quota speaks of models.
    """

    now: Mask | None = None
    lasting: Mask | None = None
    """What is to be judged as if nothing stood anywhere."""

    def within(self, now: Mask | None, lasting: Mask | None) -> "Usable":
        """Only those that these allow too."""
        alike = self.now is self.lasting and now is lasting
        first = both(self.now, now)
        return Usable(first, first if alike else both(self.lasting, lasting))


def both(one: Mask | None, other: Mask | None) -> Mask | None:
    """What two masks allow; None allows all."""
    return other if one is None else one if other is None else one & other


@dataclass(frozen=True, slots=True)
class _Table:
    """What all copies would cost on one offer of each shape; a row of zeros behind the last. Shapes (shapes + 1,)."""

    parts: Numbers
    """Shape (parts, shapes + 1), in the order of `Charge`."""
    fragmentation: Numbers
    known: Mask
    order: Numbers
    """Shape (offers,): the place of each offer among all, the cheapest first, then as the class says."""

    @classmethod
    def of(cls, ground: Ground, room: Room, charges: Charges, units: Numbers, wanted: int) -> "_Table":
        """`units`, shape (shapes,): how many all copies stand on."""
        shapes = ground.columns.shapes
        charge = charges.charge_all(wanted, units, np.maximum(room.of_shape, 1))
        total = charge.total
        gpus = stranded(shapes.gpus, units, wanted, room.wanted.gpu_milli)
        size = len(total)
        parts = np.zeros((len(PARTS), size + 1), dtype=np.int64)
        for row, name in enumerate(PARTS):
            parts[row, :size] = getattr(charge, name)
        fragmentation = np.zeros(size + 1, dtype=np.int64)
        fragmentation[:size] = gpus
        first = gpus.argsort(kind="stable")
        order = first[total[first].argsort(kind="stable")]
        total, gpus = total[order], gpus[order]
        rank = np.zeros(size, dtype=np.int64)
        rank[order[1:]] = np.cumsum((total[1:] != total[:-1]) | (gpus[1:] != gpus[:-1]))
        rank *= len(ground.shape)
        place = rank.take(ground.shape)
        place += np.arange(len(ground.shape))
        known = np.ones(size + 1, dtype=np.bool_)
        known[:size] = charges.known_all
        return cls(parts, fragmentation, known, place)


class Packing:
    """Where the copies of one workload would stand at every site of some ground, each site for itself. Shapes (sites,).

    With `spread: site` one copy is packed at each site; the engine then chooses as many sites as there are copies.

    For each room (now, then as if nothing stood there) the best single offer of a site is the least of a place that
    every offer has: its shape's rank by price and what it strands, then its row. Sums are taken where no single offer
    will do. So offers are gone through some ten times, and prices are worked out for their shapes alone.
    """

    def __init__(
        self,
        workload: Workload,
        columns: Columns,
        prices: Prices,
        usable: Usable,
        other_models: Mask | None = None,
        sites: tuple[int, ...] | None = None,
    ) -> None:
        """`usable`: the offers that copies may stand on.

        `other_models`, shape (sites,): where none of the models that are asked for is, so that any will do.
        `sites`: pack these rows alone; the masks are of the whole fleet all the same.
        """
        self.columns = columns
        self.spread = workload.spread
        self.wanted = 1 if workload.spread is Spread.SITE else workload.copies
        self._ground = ground = Ground(columns, sites)
        self._charges = Charges(prices, workload)
        self._other_models = other_models
        self._priceable = np.zeros(ground.size, dtype=np.bool_)
        self._chosen: Numbers = np.full(ground.size, UNKNOWN, dtype=np.int64)
        self._table_of: Numbers = np.zeros(ground.size, dtype=np.int64)
        self._tables: list[_Table] = []
        self._several: dict[int, tuple[tuple[int, int], ...]] = {}
        self._sums: list[tuple[Numbers, Charge, Numbers, Mask]] = []
        demand = workload.demand
        self.rooms: list[Room] = []
        self.emptied: list[Room] = []
        """The same rooms, for what is asked as if nothing stood there."""
        alike = usable.now is usable.lasting
        now, lasting = (None if one is None else ground.of_offers(one) for one in (usable.now, usable.lasting))
        for wanted, models in variants(demand):
            right = self._of_models(models) if models else None
            self.rooms.append(room_for(ground, wanted, demand, both(now, right)))
            if not alike:
                self.emptied.append(room_for(ground, wanted, demand, both(lasting, right)))
        self.emptied = self.rooms if alike else self.emptied
        tables = [self._table(room) for room in self.rooms]
        for room, table in zip(self.rooms, tables, strict=True):
            self._settle(room, table, now=True)
        self.fits: Mask = self._priceable.copy()
        """Where all copies have room now, as far apart as asked."""
        for room, table in zip(self.emptied, tables, strict=True):
            self._settle(room, table, now=False)
        self.stands: Mask = self._priceable
        """Where they would have if nothing stood there."""
        if self.spread in (Spread.NODE, Spread.ZONE) and ((self.could >= self.wanted) & ~self._priceable).any():
            # Where the copies could stand, but not so far apart: what they would cost there all the same.
            self.stands = self._priceable.copy()
            self.spread = Spread.NONE
            tables = [self._table(room) for room in self.rooms]
            for here, rooms in ((True, self.rooms), (False, self.emptied)):
                for room, table in zip(rooms, tables, strict=True):
                    self._settle(room, table, now=here)
            self.spread = workload.spread
        self.priceable: Mask = self._priceable
        """Where `charge` says something: where the copies fit, or would if nothing stood there or they stood closer."""
        self._price()
        self.fits_bits, self.stands_bits = to_bits(self.fits), to_bits(self.stands)

    def _of_models(self, models: tuple[str, ...]) -> Mask:
        """Shape (offers,): of a model that is asked for, or where none of these is."""
        ground, column = self._ground, self.columns.shapes.gpu_model
        right = column.where([model in models for model in column.values]).take(ground.shape)
        if self._other_models is not None:
            right |= ground.of_sites(self._other_models).take(ground.offer_site)
        return right

    @cached_property
    def could_bits(self) -> int:
        """The sites where all copies would have room, however close together, if nothing stood there."""
        if self.spread in (Spread.NODE, Spread.ZONE):
            return to_bits(self.could >= self.wanted)
        return self.stands_bits

    # Sums, for those that ask: where the answer is no.

    @cached_property
    def could(self) -> Numbers:
        """How many copies would have room at once, however close together, if nothing stood there."""
        return self._greatest([self._ground.site_sum(room.copies_empty) for room in self.emptied])

    @cached_property
    def could_apart(self) -> Numbers:
        """How many would have room as far apart as asked, if nothing stood there."""
        return self._greatest([self._count(room, room.copies_empty, room.units_empty) for room in self.emptied])

    @cached_property
    def apart(self) -> Numbers:
        """How many have room now, as far apart as asked."""
        return self._greatest([self._count(room, room.copies, None) for room in self.rooms])

    @staticmethod
    def _greatest(each: list[Numbers]) -> Numbers:
        return each[0] if len(each) == 1 else np.maximum(each[0], each[1])

    def _count(self, room: Room, copies: Numbers, units: Numbers | None) -> Numbers:
        ground = self._ground
        if self.spread is Spread.NODE:
            return ground.site_sum(room.units if units is None else units)
        if self.spread is Spread.ZONE:
            return ground.zones((room.units if units is None else units) > 0)
        return ground.site_sum(copies)

    # Where copies stand, and at what price.

    def slots(self, site: int) -> tuple[Slot, ...]:
        """Where the copies stand at a site that `fits`."""
        name = self.columns.names[site]
        chosen = self._several.get(site) or ((int(self._chosen[site]), self.wanted),)
        return tuple(Slot(name, self.columns.offers[offer].name, count) for offer, count in chosen)

    def slot_columns(self, sites: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """For sites that fit: the offer and the copies of each slot, site by site, and how many slots beyond the first.

        Shapes (slots,), (slots,), (sites,).
        """
        offers = self._chosen[sites]
        copies, more = np.full(len(sites), self.wanted, dtype=np.int64), np.zeros(len(sites), dtype=np.int64)
        places = (offers == UNKNOWN).nonzero()[0].tolist() if self._several else []
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

    def _table(self, room: Room) -> _Table:
        return _Table.of(
            self._ground, room, self._charges, self._units(np.maximum(room.of_shape, 1), self.wanted), self.wanted
        )

    def _settle(self, room: Room, table: _Table, *, now: bool) -> None:
        """Settle where the copies stand at the sites that have room and are not settled yet, at what price."""
        open_to = ~self._priceable
        if not open_to.any():
            return
        ground = self._ground
        copies = room.copies if now else room.copies_empty
        alone = copies
        if self.spread is Spread.NODE:
            alone = room.units if now else room.units_empty
        if self.spread is not Spread.ZONE or self.wanted == 1:
            best = ground.site_min(np.where(alone >= self.wanted, table.order, NEVER))
            one = open_to & (best != NEVER)
            if one.any():
                np.copyto(self._chosen, ground.rows[best % len(ground.shape)], where=one)
                np.copyto(self._table_of, len(self._tables), where=one)
                self._tables.append(table)
                self._priceable = self._priceable | one
        if self.wanted == 1:
            return  # one copy stands on one offer
        count = self._count(room, copies, None if now else alone if self.spread is Spread.NODE else room.units_empty)
        several = ((count >= self.wanted) & ~self._priceable).nonzero()[0]
        if len(several):
            self._choose_several(room, several, alone)
            self._priceable = self._priceable.copy()
            self._priceable[several] = True

    def _price(self) -> None:
        """What was settled, as columns."""
        ground, size = self._ground, len(self.columns.shapes.gpus)
        tables = self._tables
        at = np.full(ground.size, size, dtype=np.int64)
        single = (self._chosen != UNKNOWN).nonzero()[0]
        at[single] = self.columns.shape.take(self._chosen.take(single))
        if not tables:
            self._parts = np.zeros((len(PARTS), ground.size), dtype=np.int64)
            self.fragmentation = np.zeros(ground.size, dtype=np.int64)
            self.priced = np.ones(ground.size, dtype=np.bool_)
        else:
            self._parts = tables[0].parts.take(at, axis=1)
            self.fragmentation = tables[0].fragmentation.take(at)
            self.priced = tables[0].known.take(at)
        for number, table in enumerate(tables):
            if number == 0 or table is tables[0]:
                continue
            rows = (self._table_of == number).nonzero()[0]
            self._parts[:, rows] = table.parts.take(at[rows], axis=1)
            self.fragmentation[rows] = table.fragmentation.take(at[rows])
            self.priced[rows] = table.known.take(at[rows])
        for sites, charge, gpus, known in self._sums:
            for row, name in enumerate(PARTS):
                self._parts[row, sites] = getattr(charge, name)
            self.fragmentation[sites], self.priced[sites] = gpus, known
        self.charge = Charge(*self._parts)
        """What the copies cost, before what follows from the site."""

    def _choose_several(self, room: Room, sites: Numbers, alone: Numbers) -> None:
        """Fill these sites' offers, the cheapest per copy first; one copy in each zone where the spread is by zone."""
        ground, zoned, charges = self._ground, self.spread is Spread.ZONE, self._charges
        here = np.zeros(ground.size, dtype=np.bool_)
        here[sites] = True
        offers = (here.take(ground.offer_site) & (alone > 0)).nonzero()[0]
        shapes = ground.shape[offers]
        per_copy = charges.per_copy(shapes, room.of_shape[shapes])
        offers = offers[np.lexsort((offers, per_copy, ground.offer_site[offers]))]
        if zoned:
            zones = ground.offer_site[offers] * len(self.columns.zone.values) + ground.zone[offers]
            offers = offers[np.sort(np.unique(zones, return_index=True)[1])]
        at = ground.offer_site[offers]
        room_here = np.minimum(alone[offers], 1 if zoned else self.wanted)
        starts = np.flatnonzero(np.diff(at, prepend=-1))
        before = np.cumsum(room_here) - room_here
        before -= np.repeat(before[starts], np.diff(starts, append=len(at)))
        counts = np.clip(self.wanted - before, 0, room_here)
        taken = (counts > 0).nonzero()[0]
        offers, at, counts = offers[taken], at[taken], counts[taken]
        starts = np.flatnonzero(np.diff(at, prepend=-1))
        shapes = ground.shape[offers]
        each = room.of_shape[shapes]
        units = self._units(each, counts)
        charge = charges.together(charges.charge(shapes, counts, units, each), starts)
        gpus = stranded(self.columns.shapes.gpus[shapes], units, counts, room.wanted.gpu_milli)
        known = np.logical_and.reduceat(charges.known(shapes), starts)
        self._sums.append((sites, charge, np.add.reduceat(gpus, starts), known))
        pairs = list(zip(ground.rows[offers].tolist(), counts.tolist(), strict=True))
        stops = [*starts.tolist()[1:], len(pairs)]
        for site, start, stop in zip(sites.tolist(), starts.tolist(), stops, strict=True):
            self._several[site] = tuple(pairs[start:stop])

    def _units(self, each: Numbers, counts: Numbers | int) -> Numbers:
        """How many units the copies stand on, so many of which go on an empty one."""
        if self.spread is Spread.NODE:
            return np.broadcast_to(np.asarray(counts, dtype=np.int64), each.shape)
        return -(-counts // each)
