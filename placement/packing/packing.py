"""Packing: how many copies of a demand every site has room for, and on which offers they would stand.

A copy needs one unit that has everything it asks for. A gang is placed whole or not at all; replicas stand on
different nodes, in different zones or at different sites where the workload says so. Where the demand falls back on
CPUs, a site without room for all copies with GPUs is asked again without.

The offers of a site are chosen for the least money: one offer for all copies where one has room for all, and of those
the cheapest, then the one that strands the fewest GPUs, then the first; otherwise the cheapest per copy first, until
all copies stand. Filling by price is not always the cheapest sum; it is the same on every machine and easy to check.
Where a rule prefers other offers, `placement.leaning` asks again for those.

A rule that refuses a site must not hide what the site would cost without it. So where no offer answers soon enough, or
none has a model that is asked for, all of them are packed; where copies have no room, they are packed as if nothing
stood there; where they could not stand so far apart, as if they need not. Other rules refuse such a site, and its price
is what those rules cost.
"""

from copy import copy

import numpy as np

from placement.bits import to_bits
from placement.fleet.columns import UNKNOWN, Columns, Mask, Numbers, Ranks
from placement.gpu.wanted import variants
from placement.lazily import lazily
from placement.packing.charged import Charged, Sum
from placement.packing.cheapest import Cheapest
from placement.packing.ground import Ground, lengths_of, starts_of
from placement.packing.price_list import Priced, PriceList
from placement.packing.room import Room, room_for
from placement.packing.settled import Settled
from placement.packing.several import Several
from placement.packing.usable import Usable
from placement.scoring.cost import Charge, Charges, Prices
from placement.scoring.fragmentation import stranded
from tidegate.model.decision import Slot
from tidegate.model.workload import Spread, Workload

BY_SITE = ("fits", "stands", "priceable", "_chosen", "falls_back")


class Packing:
    """Where the copies of one workload would stand at every site of some ground, each site for itself. Shapes (sites,).

    With `spread: site` one copy is packed at each site; the engine then chooses as many sites as there are copies.

    For each room (now, then as if nothing stood there) the best single offer of a site is the least of one number that
    every offer has: its price, then what it strands, then its place. Sums are taken where no single offer will do. So
    offers are gone through a few times, or only those with units in use where the rest is known (`Cheapest`), and
    prices are worked out for their shapes alone, once for all that take as much of an empty unit.
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
        self.demand = workload.demand
        self._asked = variants(workload.demand)
        self.usable, self.other_models, self._sites = usable, other_models, sites
        self._charges = Charges.of(prices, workload)
        self._settled = Settled(self._ground)
        self._chosen: Numbers = np.empty(self._ground.size, dtype=np.int64)
        self._chosen.fill(UNKNOWN)
        self._table_of: Numbers | None = None
        self._tables: list[PriceList] = []
        self._several_parts: list[Several] = []
        self._sums: list[Sum] = []
        self._is_put = False
        self.each = [room.each for room in self.rooms]
        """For each variant of the demand, shape (builds,): copies on an empty unit."""
        priced = [self._priced(place) for place in range(len(self.rooms))]
        self._settle(priced[0], now=True)
        self.falls_back: Mask = ~self._settled.sites
        """Where the copies do without GPUs that they asked for, if they fit."""
        for one in priced[1:]:
            self._settle(one, now=True)
        self.fits, self.fits_bits = self._settled.sites.copy(), self._settled.bits
        """Where all copies have room now, as far apart as asked."""
        for one in priced:
            self._settle(one, now=False)
        self.stands, self.stands_bits = self._settled.sites.copy(), self._settled.bits
        """Where they would have if nothing stood there."""
        rest = (~self.stands).nonzero()[0] if self.spread in (Spread.NODE, Spread.ZONE) else None
        if rest is not None and (self.room_at(rest, now=False, apart=False) >= self.wanted).any():
            # Where the copies could stand, but not so far apart: what they would cost there all the same.
            self.spread = Spread.NONE
            priced = [self._priced(place) for place in range(len(self.rooms))]
            for now in (True, False):
                for one in priced:
                    self._settle(one, now=now)
            self.spread = workload.spread
        self.priceable: Mask = self._settled.sites
        """Where `charge` says something: where the copies fit, or would if nothing stood there or they stood closer."""
        self._several = Several.joined(self._several_parts)
        if not usable.alike:
            every = np.arange(self._ground.size)
            self.stands = self.room_at(every, now=False, apart=True) >= self.wanted
            self.stands_bits = to_bits(self.stands)

    @lazily
    def _ground(self) -> Ground:
        return Ground(self.columns, self._sites)

    @lazily
    def rooms(self) -> list[Room]:
        """For each variant of the demand, what it finds on every offer."""
        ground, usable = self._ground, self.usable
        if self._sites is not None:
            usable = usable.at(ground.rows)
        found: list[Room] = []
        for wanted, models in self._asked:
            named = self._of_models(models) if models else None
            found.append(room_for(ground, wanted, self.demand, usable.within(named, named)))
        return found

    @lazily
    def charged(self) -> Charged:
        """What the copies cost, before what follows from the site, and what they strand."""
        live = self._charges.live
        return Charged.of(self.columns, live, self._chosen, self._tables, self._table_of, self._sums)

    @lazily
    def charge(self) -> Charge:
        """What they cost."""
        nothing = self.columns.nothing
        return self.charged.charge(self._charges.live, nothing if self._sites is None else nothing[: len(self._chosen)])

    def close(self) -> None:
        """Forget what follows from the rest, or from things as they are: it is worked out again for who asks again."""
        for name in ("_ground", "_settled", "rooms", *(() if self._is_put else ("charged", "charge"))):
            self.__dict__.pop(name, None)
        self._several_parts = []

    def again(self, sites: tuple[int, ...], workload: Workload, prices: Prices) -> "Packing | None":
        """With these sites packed anew, as things are now; None where nothing comes of it.

        `workload` and `prices` as this was made with.
        """
        part = Packing(workload, self.columns, prices, self.usable, self.other_models, sites)
        rows = np.array(sites, dtype=np.int64)
        same = part._several.named(rows).same(self._several.of(rows))
        if (
            same
            and self.charged.same(rows, part.charged)
            and all(np.array_equal(getattr(self, name)[rows], getattr(part, name)) for name in BY_SITE)
        ):
            return None
        return self.put(rows, part, np.arange(len(rows)))

    def put(self, rows: Numbers, part: "Packing", local: Numbers) -> "Packing":
        """With the sites in these rows as another packing has them, which has them in rows of its own."""
        new = copy(self)
        new.close()
        for name in BY_SITE:
            column = getattr(self, name).copy()
            column[rows] = getattr(part, name)[local]
            setattr(new, name, column)
        new.charged, new._is_put = self.charged.put(rows, part.charged, local), True
        new.__dict__.pop("charge", None)
        names = np.zeros(len(part._chosen), dtype=np.int64)
        names[local] = rows
        new._several = Several.joined([self._several.without(rows), part._several.of(local).named(names)])
        new.fits_bits, new.stands_bits = to_bits(new.fits), to_bits(new.stands)
        return new

    def chosen(self, site: int) -> int:
        """The row of the one offer that all copies would stand on; `UNKNOWN` where there is none."""
        return int(self._chosen[site])

    def _of_models(self, models: tuple[str, ...]) -> Mask:
        """Shape (offers,): of a model that is asked for, or where none of these is."""
        ground, column = self._ground, self.columns.shapes.gpu_model
        right = column.where([model in models for model in column.values]).take(ground.shape)
        if self.other_models is not None:
            right |= ground.at_offers(ground.of_sites(self.other_models))
        return right

    @lazily
    def could_bits(self) -> int:
        """The sites where all copies would have room, however close together, if nothing stood there."""
        rest = (~self.stands).nonzero()[0]
        if len(rest) == 0 or (self.spread not in (Spread.NODE, Spread.ZONE) and self.usable.alike):
            return self.stands_bits
        could = self.stands.copy()
        could[rest] = self.room_at(rest, now=False, apart=False) >= self.wanted
        return to_bits(could)

    # Sums, for those that ask: where the answer is no.

    def room_at(self, sites: Numbers, *, now: bool, apart: bool) -> Numbers:
        """Shape (sites,): how many copies have room at once at these, now or if nothing stood there.

        `apart`: as far apart as asked; else however close together.
        """
        here = np.zeros(self._ground.size, dtype=np.bool_)
        here[sites] = True
        offers = self._ground.at_offers(here).nonzero()[0]
        each = [self._summed(room, offers, now=now, apart=apart)[1].take(sites) for room in self.rooms]
        return each[0] if len(each) == 1 else np.maximum(each[0], each[1])

    def _summed(self, room: Room, offers: Numbers, *, now: bool, apart: bool) -> tuple[Numbers, Numbers]:
        """Copies with room on each of these offers, or units where they stand apart; and by site, of the ground."""
        ground, spread = self._ground, self.spread if apart else Spread.NONE
        has = room.counted(offers, now=now, apart=spread is Spread.NODE)
        if spread is Spread.ZONE:
            return has, ground.zones(offers[has > 0])
        by_site = np.bincount(ground.offer_site.take(offers), has, ground.size)  # whole numbers below 2**53
        return has, by_site.astype(np.int64)

    # Where copies stand, and at what price.

    def slots(self, site: int) -> tuple[Slot, ...]:
        """Where the copies stand at a site that `fits`."""
        name = self.columns.names[site]
        chosen = self._several.at(site) or ((int(self._chosen[site]), self.wanted),)
        return tuple([Slot(name, self.columns.offers[offer].name, count) for offer, count in chosen])

    def slot_columns(self, sites: Numbers) -> tuple[Numbers, Numbers | None, Numbers | None]:
        """For sites that fit: the offer and the copies of each slot, site by site, and how many slots beyond the first.

        Shapes (slots,), (slots,), (sites,). The last two are None where each site has one slot with all the copies.
        """
        offers = self._chosen.take(sites)
        here = offers == UNKNOWN if len(self._several) else None
        if here is None or not here.any():
            return offers, None, None
        several, more = self._several.of(sites[here]), np.zeros(len(sites), dtype=np.int64)
        more[here] = several.lengths - 1
        offers, copies = np.repeat(offers, 1 + more), np.full(len(sites) + int(more.sum()), self.wanted, dtype=np.int64)
        here = offers == UNKNOWN
        offers[here], copies[here] = several.offers, several.copies
        return offers, copies, more

    def _priced(self, place: int) -> Priced:
        """One variant of the demand: its room, and what all copies would cost on each offer."""
        room, apart = self.rooms[place], self.spread is Spread.NODE
        table = PriceList.of(self.columns, room, self._charges, self.wanted, apart=apart)
        one_will_do = self.spread is not Spread.ZONE or self.wanted == 1
        return Priced(room, table, self._asked[place][1], self.wanted, apart, one_will_do)

    def _settle(self, priced: Priced, *, now: bool) -> None:
        """Settle where the copies stand at the sites that have room; after the first time few are left to look at."""
        ground, table, settled = self._ground, priced.table, self._settled
        if not settled.left:
            return
        if priced.one_will_do and now and settled.left == ground.size:
            self._stand(table, *table.some(self._best_now(priced)))
        elif priced.one_will_do:
            offers = settled.offers_left
            alone = priced.with_room(offers) if now else priced.room.would_hold(offers, table.units)
            self._stand(table, *table.best_of(ground, alone))
        if self.wanted == 1 or not settled.left:
            return  # one copy stands on one offer
        offers = settled.offers_left
        has, count = self._summed(priced.room, offers, now=now, apart=True)
        several = count >= self.wanted
        sites = several.nonzero()[0]
        if len(sites):
            some = (several.take(ground.offer_site.take(offers)) & (has > 0)).nonzero()[0]
            self._choose_several(priced.room, sites, offers.take(some), has.take(some))
            settled.put(sites)

    def _best_now(self, priced: Priced) -> Ranks:
        """Shape (sites,): the least rank and place of the offers that have room for all copies by themselves now."""
        ground, table = self._ground, priced.table
        keys = self._on_fresh(priced) if self._sites is None and self.usable.now is None else None
        if keys is None:
            return table.keys(ground, priced.full)
        begun = priced.room.on_begun(priced.copies, table.units, apart=priced.apart)
        np.minimum.at(keys, ground.offer_site.take(begun), table.keys_of(ground, begun))
        return keys

    def _on_fresh(self, priced: Priced) -> Ranks | None:
        """The same of those whose fresh units have room; None where that is not known. The asker's to change."""
        ground, table, other = self._ground, priced.table, self.other_models
        named = Cheapest.of(ground, table, priced.models)
        if not priced.models or other is None:
            return None if named is None else named.copy()
        every = Cheapest.of(ground, table)
        return None if named is None or every is None else np.where(other, every, named)

    def _stand(self, table: PriceList, sites: Numbers, best: Numbers) -> None:
        """All copies stand on one offer at each of these sites, of which `best` is the least rank and place."""
        if len(sites) == 0:
            return
        places = self._ground.starts.take(sites) + (best & table.places)
        self._chosen[sites] = places if self._sites is None else self._ground.rows.take(places)
        if table not in self._tables:
            self._tables.append(table)
        if len(self._tables) > 1:
            if self._table_of is None:
                self._table_of = np.zeros(len(self._chosen), dtype=np.int64)
            self._table_of[sites] = self._tables.index(table)
        self._settled.put(sites)

    def _choose_several(self, room: Room, sites: Numbers, offers: Numbers, alone: Numbers) -> None:
        """Fill these sites' offers, the cheapest per copy first; one copy in each zone where the spread is by zone.

        `offers`: those with room, ascending; `alone`: for how many copies.
        """
        ground, zoned, charges = self._ground, self.spread is Spread.ZONE, self._charges
        per_copy = charges.per_copy(room.each.take(self.columns.build_of_shape)).take(ground.shape.take(offers))
        order = np.lexsort((per_copy, ground.offer_site.take(offers)))
        if zoned:
            zones = (ground.offer_site[offers] * len(self.columns.zone.values) + ground.zone[offers])[order]
            order = order[np.sort(np.unique(zones, return_index=True)[1])]
        offers, alone = offers[order], alone[order]
        at = ground.offer_site[offers]
        room_here = np.minimum(alone, 1 if zoned else self.wanted)
        starts = starts_of(at)
        before = np.cumsum(room_here) - room_here
        before -= np.repeat(before[starts], lengths_of(starts, len(at)))
        counts = np.minimum(np.maximum(self.wanted - before, 0), room_here)
        taken = (counts > 0).nonzero()[0]
        offers, at, counts = offers[taken], at[taken], counts[taken]
        starts = starts_of(at)
        shapes = ground.shape[offers]
        each = room.each.take(ground.build.take(offers))
        units = self._units(each, counts)
        charge = charges.together(charges.charge(shapes, counts, units, each), starts)
        gpus = stranded(self.columns.shapes.gpus[shapes], units, counts, room.wanted.gpu_milli)
        known = np.logical_and.reduceat(charges.known(shapes), starts)
        self._sums.append(Sum(sites, charge, np.add.reduceat(gpus, starts), known))
        self._several_parts.append(Several(sites, lengths_of(starts, len(at)), ground.rows[offers], counts))

    def _units(self, each: Numbers, counts: Numbers) -> Numbers:
        """How many units the copies stand on, so many of which go on an empty one."""
        return counts if self.spread is Spread.NODE else -(-counts // each)
