"""Where copies would stand at one site, and what they would cost there: in plain loops over offers and units."""

from dataclasses import dataclass, replace

from placement.fleet.facts import Copy
from tests.placement.oracle import room
from tests.placement.oracle.money import Money, Part
from tests.placement.oracle.room import Need
from tidegate.model.decision import Cost, Slot
from tidegate.model.mig import gpu_milli
from tidegate.model.site import Offer, Site
from tidegate.model.workload import Spread, Workload


@dataclass
class Place:
    """One offer of one site: its units with what sits there."""

    offer: Offer
    units: list[list[Copy]]
    usable: bool
    """No enforced law forbids it, the team may have its model, and it answers soon enough; or no offer does: then the
    price is told all the same."""
    lasting: bool
    """The same if nothing stood anywhere: the team may then have other models."""
    any_model: bool
    """No offer of the site has a GPU of a model that is asked for: then the price is told of any."""

    def rooms(self, need: Need, *, empty: bool) -> list[int]:
        """For each unit, how many more copies it takes."""
        if not (self.lasting if empty else self.usable) or not (self.any_model or room.fits_model(self.offer, need)):
            return [0 for _ in self.units]
        if empty:
            return [room.most(self.offer, [], need)] * len(self.units)
        return [room.most(self.offer, copies, need) for copies in self.units]


@dataclass
class Stand:
    """All copies where they would stand at one site."""

    cost: Cost
    known: bool
    """Whether every unit has a listed price, or is owned."""
    slots: tuple[Slot, ...]
    stranded: int
    """Thousandths of a GPU left over beside them."""
    need: int
    """Which of the workload's needs it meets: the second is that without GPUs."""
    now: bool
    """They have room now, as far apart as asked; else they would if nothing stood there, or stood they closer."""


class Packed:
    """One workload at one site."""

    def __init__(self, work: Workload, site: Site, places: list[Place], money: Money, origin_region: str) -> None:
        self.work, self.site, self.places, self.money, self.origin_region = work, site, places, money, origin_region
        self.needs = room.needs_of(work.demand)
        self.wanted = 1 if work.spread is Spread.SITE else work.copies
        self._rooms: dict[tuple[int, bool], list[tuple[Offer, list[int]]]] = {}

    def rooms(self, need: Need, *, empty: bool) -> list[tuple[Offer, list[int]]]:
        key = (self.needs.index(need), empty)
        if key not in self._rooms:
            self._rooms[key] = [(place.offer, place.rooms(need, empty=empty)) for place in self.places]
        return self._rooms[key]

    def together(self, *, empty: bool) -> int:
        """How many copies would have room, however close."""
        return max(sum(sum(units) for _, units in self.rooms(need, empty=empty)) for need in self.needs)

    def widest(self, *, empty: bool) -> int:
        """The same as far apart as asked."""
        return max(self.apart(need, self.work.spread, empty=empty) for need in self.needs)

    def apart(self, need: Need, spread: Spread, *, empty: bool) -> int:
        """How many copies could stand so far apart, by putting one in every place that is."""
        rooms = self.rooms(need, empty=empty)
        if spread is Spread.NODE:
            return sum(1 for _, units in rooms for count in units if count)
        if spread is Spread.ZONE:
            return len({offer.zone for offer, units in rooms if any(units)})
        return sum(sum(units) for _, units in rooms)

    def stand(self) -> Stand | None:
        """Now, or if nothing stood there; or however close. None where there is never room."""
        asked = self.work.spread
        for spread in (asked, Spread.NONE) if asked in (Spread.NODE, Spread.ZONE) else (asked,):
            for empty in (False, True):
                for number, need in enumerate(self.needs):
                    if self.apart(need, spread, empty=empty) >= self.wanted:
                        cost, known, parts, stranded = self._cheapest(need, spread, empty=empty)
                        slots = tuple(Slot(self.site.name, part.offer.name, part.copies) for part in parts)
                        return Stand(cost, known, slots, stranded, number, spread is asked and not empty)
        return None

    def only(self, open_to: list[bool]) -> "Packed":
        """The same on some of the offers."""
        places = [
            replace(place, usable=place.usable and here, lasting=place.lasting and here)
            for place, here in zip(self.places, open_to, strict=True)
        ]
        return Packed(self.work, self.site, places, self.money, self.origin_region)

    def _cheapest(self, need: Need, spread: Spread, *, empty: bool) -> tuple[Cost, bool, list[Part], int]:
        """One offer for all copies where one has room, the cheapest; else filled, the cheapest per copy first."""
        places = self.places
        nodes, zones = spread is Spread.NODE, spread is Spread.ZONE
        alone = [sum(1 for u in units if u) if nodes else sum(units) for _, units in self.rooms(need, empty=empty)]
        each = [room.most(place.offer, [], need) for place in places]

        def part(index: int, copies: int) -> Part:
            units = copies if nodes else -(-copies // each[index])
            return Part(places[index].offer, copies, units, each[index])

        def priced(parts: list[Part]) -> tuple[int, int, Cost, bool]:
            cost, known = self.money.cost(self.work, self.site, parts, self.origin_region)
            milli = need.gpus * 1000 + need.share + gpu_milli(need.profile)
            stranded = sum(max(p.offer.resources.gpus * p.units * 1000 - p.copies * milli, 0) for p in parts)
            return cost.total - cost.egress - cost.uplift, stranded, cost, known

        if not zones or self.wanted == 1:
            whole = [i for i, count in enumerate(alone) if count >= self.wanted]
            tried = sorted((*priced([part(i, self.wanted)])[:2], i) for i in whole)
            if tried:
                parts = [part(tried[0][2], self.wanted)]
                _, stranded, cost, known = priced(parts)
                return cost, known, parts, stranded

        def per_copy(index: int) -> int:
            full = Part(places[index].offer, each[index], 1, each[index])
            return -(-priced([full])[0] // each[index])

        parts, wanted, used = [], self.wanted, set()
        for index in sorted((i for i, count in enumerate(alone) if count), key=lambda i: (per_copy(i), i)):
            zone = places[index].offer.zone
            count = min(wanted, alone[index])
            if zones:
                count = 0 if zone in used else min(1, count)
                used.add(zone)
            if count:
                parts.append(part(index, count))
                wanted -= count
        _, stranded, cost, known = priced(parts)
        return cost, known, parts, stranded
