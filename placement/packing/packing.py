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
from typing import NamedTuple

import numpy as np

from placement.bits import to_bits
from placement.fleet.columns import UNKNOWN, Columns, Mask, Numbers
from placement.gpu.wanted import variants
from placement.lately import Lately
from placement.lazily import lazily
from placement.packing.charged import Charged, Sum
from placement.packing.ground import Ground
from placement.packing.looking import stand
from placement.packing.price_list import PriceList
from placement.packing.room import Counted, Room, room_for
from placement.packing.settled import Settled
from placement.packing.several import Several
from placement.packing.usable import Usable
from placement.scoring.cost import Charge, Charges, Prices
from placement.scoring.sums import filled
from tidegate.model.decision import Slot
from tidegate.model.workload import Spread, Workload

MOST_OF_MODELS = 2_000_000
"""Offers times the lists of GPU models that are remembered: as many bytes."""

BY_SITE = ("fits", "stands", "priceable", "_chosen", "_as_asked")


class Priced(NamedTuple):
    """One variant of the demand: what it finds, and what all copies would cost on each offer."""

    room: Room
    table: PriceList
    apart: bool
    one_will_do: bool
    """Whether all copies may stand on one offer."""


class Packing:
    """Where the copies of one workload would stand at every site of some ground, each site for itself. Shapes (sites,).

    With `spread: site` one copy is packed at each site; the engine then chooses as many sites as there are copies.

    For each room (now, then as if nothing stood there) the best single offer of a site is the least of one number that
    every offer has: its price, then what it strands, then its place. Copies are spread over several where no single
    offer will do. Prices are worked out for shapes of offers, once for all that take as much of an empty unit.
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

        `other_models`, shape (sites,): where none of the models that are asked for is, so that any will do; it follows
        from the models and what is declared.
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
        self._chosen = self._ground.nowhere
        self._table_of: Numbers | None = None
        self._tables: list[PriceList] = []
        self._several_parts: list[Several] = []
        self._sums: list[Sum] = []
        self._is_put = False
        self.each = [room.each for room in self.rooms]
        """For each variant of the demand, shape (builds,): copies on an empty unit."""
        priced = [self._priced(place) for place in range(len(self.rooms))]
        self._settle(priced[0], now=True)
        self._as_asked = self._settled.sites
        for one in priced[1:]:
            self._settle(one, now=True)
        self.fits, self.fits_bits = self._settled.sites, self._settled.bits
        """Where all copies have room now, as far apart as asked."""
        for one in priced:
            self._settle(one, now=False)
        self.stands, self.stands_bits = self._settled.sites, self._settled.bits
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
        self.priceable = self._settled.sites
        """Where `charge` says something: where the copies fit, or would if nothing stood there or they stood closer."""
        self._several = Several.joined(self._several_parts)
        if not usable.alike:
            every = np.arange(self._ground.size)
            self.stands = self.room_at(every, now=False, apart=True) >= self.wanted
            self.stands_bits = to_bits(self.stands)

    @lazily
    def _ground(self) -> Ground:
        return Ground.of(self.columns, self._sites)

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
        live = len(self._charges.live)
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

    @property
    def falls_back(self) -> Mask:
        """Where the copies do without GPUs that they asked for, if they fit."""
        return ~self._as_asked

    def chosen(self, site: int) -> int:
        """The row of the one offer that all copies would stand on; `UNKNOWN` where there is none."""
        return int(self._chosen[site])

    def _of_models(self, models: tuple[str, ...]) -> Mask:
        """Shape (offers,): of a model that is asked for, or where none of these is."""
        ground, columns, other = self._ground, self.columns, self.other_models
        kept: Lately[Mask] = columns.kept("of models", lambda: Lately(MOST_OF_MODELS // (len(columns.offers) + 1)))
        right = kept.get((models, other is None))
        if right is None:
            right = columns.gpu_model.where([model in models for model in columns.gpu_model.values])
            if other is not None:
                right |= columns.at_offers(other)
            kept.put((models, other is None), right)
        return right if self._sites is None else right.take(ground.rows)

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
        here = self._ground.none.copy()
        here[sites] = True
        spread = self.spread if apart else Spread.NONE
        each = []
        for room in self.rooms:
            counted = room.counted(here, now=now, apart=spread is Spread.NODE)
            each.append(self._in_sum(counted, here, spread).take(sites))
        return each[0] if len(each) == 1 else np.maximum(each[0], each[1])

    def _in_sum(self, counted: Counted, here: Mask, spread: Spread) -> Numbers:
        """Shape (sites,): copies with room together; zones with room for one, where each stands in its own."""
        if spread is not Spread.ZONE:
            return counted.sums
        return self._ground.zones((self._ground.at_offers(here) & (counted.has > 0)).nonzero()[0])

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
        return Priced(room, table, apart, one_will_do)

    def _settle(self, priced: Priced, *, now: bool) -> None:
        """Settle where the copies stand at the sites that have room; after the first time few are left to look at."""
        ground, table, settled = self._ground, priced.table, self._settled
        at_once = priced.one_will_do and now and settled.left == ground.size
        if at_once:
            self._stand(table, priced.room.best_now(table.holds, table.ranks, self.wanted, apart=priced.apart))
        if not settled.left or (at_once and self.wanted == 1):
            return  # one copy stands on one offer
        left = ~settled.sites
        counted = priced.room.counted(
            left, now=now, apart=priced.apart, copies=self.wanted, ranks=table.ranks, holds=table.holds
        )
        if priced.one_will_do and not at_once:
            self._stand(table, counted.keys)
        if self.wanted == 1 or not settled.left:
            return
        several = ~settled.sites & (self._in_sum(counted, left, self.spread) >= self.wanted)
        sites = several.nonzero()[0]
        if len(sites):
            self._choose_several(priced.room, sites, counted.has)
            settled.put(sites)

    def _stand(self, table: PriceList, keys: Numbers) -> None:
        """All copies stand on one offer at each of these sites that has a key, where nothing was settled."""
        ground, before = self._ground, self._settled.sites
        settled = before.copy()
        if self._chosen is ground.nowhere:
            self._chosen = ground.nowhere.copy()
        stand(keys, ground.stops, ground.rows, table.places, self._chosen, settled)
        left = self._settled.left
        self._settled.put_all(settled)
        if self._settled.left == left:
            return
        if table not in self._tables:
            self._tables.append(table)
        if len(self._tables) > 1:
            if self._table_of is None:
                self._table_of = np.zeros(len(self._chosen), dtype=np.int64)
            self._table_of[settled & ~before] = self._tables.index(table)

    def _choose_several(self, room: Room, sites: Numbers, has: Numbers) -> None:
        """Fill these sites' offers, the cheapest per copy first; one copy in each zone where the spread is by zone.

        `has`, shape (offers,): for how many copies each has room.
        """
        ground, columns, charges = self._ground, self.columns, self._charges
        most = int(ground.many.take(sites).sum())
        offers, counts, lengths = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(len(sites), np.int64)
        rows = np.empty((len(sites), len(charges.live) + 2), dtype=np.int64)
        slots = filled(
            charges.columns,
            charges.prices.known,
            columns.build_of_shape,
            room.each,
            columns.builds.gpus,
            charges.places,
            sites,
            ground.stops,
            ground.shape,
            ground.zone,
            has,
            self.wanted,
            self.spread is Spread.NODE,
            charges.gang,
            room.wanted.gpu_milli,
            charges.prices.idle_ppm,
            len(columns.zone.values) if self.spread is Spread.ZONE else 0,
            offers,
            counts,
            lengths,
            rows,
        )
        self._sums.append(Sum(sites, rows))
        self._several_parts.append(Several(sites, lengths, ground.rows.take(offers[:slots]), counts[:slots].copy()))
