"""What the auditor knows of a fleet before it knows the question: what stands on every unit, and what every team holds.

It is kept from one decision to the next, by fleet and weakly, and believes no stamp and nothing that the engine keeps:
each time all sites and all holdings are compared with those of the time before. What differs is taken out and put in, a
site with what stands on it. Equal values count as unchanged, which they are: the facts are frozen.

Offers with the same units, on which the same stands, are of one `kind`; those of them that cost the same make up a
`Lot` of their place; places that offer the same have one `layout`. A question is put to each of these once.

Limits: a hundred thousand kinds, then the count begins anew. Comparing costs a microsecond or less for each site and a
fraction of it for each holding.
"""

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from placement.audit.meaning import site_says
from placement.audit.room import Node, Stand
from placement.fleet.facts import Copy, Holding, SiteFacts
from placement.fleet.fleet import Fleet
from tidegate.model.policy import Expression
from tidegate.model.site import Offer, Site

Sums = dict[str, int]
MOST_KINDS = 100_000


@dataclass(frozen=True, slots=True)
class Lot:
    """Offers of one place that differ in name alone: the same units with the same on them, at the same price."""

    first: Stand
    members: tuple[Stand, ...]
    rows: tuple[int, ...]
    """Where the place lists them."""
    bare: Stand
    """The first, if nothing stood there."""
    price: int
    """The same for those whose units cost the same at one place."""


@dataclass(frozen=True, slots=True)
class Place:
    """What one site offers, with what stands there."""

    stands: tuple[Stand, ...]
    lots: tuple[Lot, ...]
    layout: int
    """The same for places that offer the same in the same order, with the same on it."""
    kinds: tuple[Stand, ...]
    """One of each kind."""
    classes: frozenset[str]
    """Of devices."""
    models: frozenset[str]
    """Of the GPUs that there are; the empty name for those of no model."""


class Ground:
    """One fleet, counted from its sites and its holdings."""

    def __init__(self) -> None:
        self.sites: dict[str, SiteFacts] = {}
        """In the order of their names."""
        self.rows: dict[str, int] = {}
        self.holdings: dict[str, Holding] = {}
        self.models: dict[tuple[str, str], str] = {}
        self.capacity: Sums = {}
        self.held: dict[str, Sums] = {}
        self.firm: dict[str, Sums] = {}
        self.sent: dict[str, int] = {}
        """Bytes a day over each site's uplink."""
        self.said: dict[str, dict[tuple[str, ...], int]] = {}
        """By attribute of sites: each value, with the places that have it as bits (`sets`)."""
        self.truths: dict[Expression, tuple[int, int]] = {}
        """Of expressions on sites alone: where they are true, and where they are false."""
        self._copies: dict[tuple[str, str], dict[int, list[Copy]]] = {}
        self._at: dict[str, dict[str, Holding]] = {}
        self._places: dict[str, Place] = {}
        self._kinds: dict[object, int] = {}

    def follow(self, fleet: Fleet) -> None:
        """Be what the fleet is now."""
        if len(self._kinds) > MOST_KINDS:
            self.__init__()  # type: ignore[misc]
        sites, holdings = dict(fleet.sites), dict(fleet.holdings)
        if sites != self.sites:
            self._declare(sites)
        self.sites = sites  # the very objects, which are compared faster than equal ones the next time
        if holdings != self.holdings:
            for name, before in self.holdings.items():
                if holdings.get(name) != before:
                    self._count(before, -1)
            for name, after in holdings.items():
                if self.holdings.get(name) != after:
                    self._count(after, 1)
        self.holdings = holdings

    def place(self, site: str) -> Place:
        """The site's offers, with what is on their units."""
        found = self._places.get(site)
        if found is None:
            stands = tuple(self._stand(site, offer) for offer in self.sites[site].offers)
            lots: dict[int, list[int]] = {}
            layout = tuple(self._kind(_alike(stand)) for stand in stands)
            for row, lot in enumerate(layout):
                lots.setdefault(lot, []).append(row)
            found = self._places[site] = Place(
                stands=stands,
                lots=tuple(self._lot(stands, tuple(rows)) for rows in lots.values()),
                layout=self._kind(layout),
                kinds=tuple({stand.kind: stand for stand in stands}.values()),
                classes=frozenset(stand.offer.device_class for stand in stands),
                models=frozenset(stand.offer.gpu_model for stand in stands if stand.offer.resources.gpus),
            )
        return found

    def sums_of(self, holding: Holding) -> Sums:
        """What one holding counts for its team."""
        sums: Sums = {}
        for copy in holding.copies:
            count_gpus(sums, copy.gpu_milli, self.models.get((copy.site, copy.offer), ""))
            more(sums, "cpus", copy.resources.cpus_milli)
            more(sums, "memory", copy.resources.memory_bytes)
        return sums

    def _declare(self, sites: dict[str, SiteFacts]) -> None:
        """Other sites, or others than they were: only what they hold and offer is counted anew."""
        if list(sites) != list(self.sites):
            self.rows = {name: row for row, name in enumerate(sites)}
            self.said.clear()
            self.truths.clear()
        for name in {**self.sites, **sites}:
            before, after = self.sites.get(name), sites.get(name)
            if before == after:
                continue
            there = list(self._at.get(name, {}).values())
            if (before and before.offers) != (after and after.offers):
                for holding in there:
                    self._count(holding, -1)
                self._offer(name, before.offers if before else (), -1)
                self._offer(name, after.offers if after else (), 1)
                for holding in there:
                    self._count(holding, 1)
                self._places.pop(name, None)
            if before and after and before.site != after.site:
                self._say(name, after.site)

    def _offer(self, site: str, offers: tuple[Offer, ...], sign: int) -> None:
        """Put a site's offers in, or take them out."""
        for offer in offers:
            if sign > 0:
                self.models[site, offer.name] = offer.gpu_model
            else:
                del self.models[site, offer.name]
            whole = offer.resources
            count_gpus(self.capacity, whole.gpus * offer.count * 1000 * sign, offer.gpu_model)
            more(self.capacity, "cpus", whole.cpus_milli * offer.count * sign)
            more(self.capacity, "memory", whole.memory_bytes * offer.count * sign)

    def _say(self, name: str, site: Site) -> None:
        """What a site that was declared otherwise says of itself now."""
        bit = 1 << self.rows[name]
        for key, values in self.said.items():
            for value in [value for value, places in values.items() if places & bit]:
                values[value] &= ~bit
            found = site_says(key, site)
            values[found] = values.get(found, 0) | bit
        self.truths.clear()

    def _count(self, holding: Holding, sign: int) -> None:
        """Put a holding in, or take it out."""
        sums = self.sums_of(holding)
        for books in (self.held, *(() if holding.right.yields else (self.firm,))):
            for name, amount in sums.items():
                more(books.setdefault(holding.team, {}), name, sign * amount)
        for one in holding.carried:
            more(self.sent, one.site, sign * one.bytes_per_day)
        for copy in holding.copies:
            if not (copy.gpus or copy.resources.cpus_milli or copy.resources.memory_bytes):
                continue
            units = self._copies.setdefault((copy.site, copy.offer), {})
            if sign > 0:
                units.setdefault(copy.unit, []).append(copy)
            else:
                units[copy.unit].remove(copy)
                if not units[copy.unit]:
                    del units[copy.unit]
            self._places.pop(copy.site, None)
        for site in dict.fromkeys(copy.site for copy in holding.copies):
            if sign > 0:
                self._at.setdefault(site, {})[holding.workload_id] = holding
            else:
                del self._at[site][holding.workload_id]

    def _stand(self, site: str, offer: Offer) -> Stand:
        units = self._copies.get((site, offer.name), {})
        used = {unit: Node(offer, tuple(copies)) for unit, copies in units.items() if unit < offer.count}
        unit = self._kind((offer.resources, offer.gpu_model, offer.gpu_sharing, offer.mig_layout))
        price = self._kind((unit, offer.instance_type or offer.name, offer.pricing))
        bare = Stand(offer, {}, offer.count, self._kind((unit, offer.count, ())), price)
        if not used:
            return bare
        on_it = tuple(sorted(tuple(_taken(copy) for copy in node.copies) for node in used.values()))
        return Stand(offer, used, offer.count - len(used), self._kind((unit, offer.count, on_it)), price, bare)

    def _lot(self, stands: tuple[Stand, ...], rows: tuple[int, ...]) -> Lot:
        first = stands[rows[0]]
        return Lot(first, tuple(stands[row] for row in rows), rows, first.emptied, first.price)

    def _kind(self, key: object) -> int:
        return self._kinds.setdefault(key, len(self._kinds))


def _alike(stand: Stand) -> tuple[object, ...]:
    """All that one offer can differ in from another with the same units, but for its name where that has no price."""
    offer = stand.offer
    return stand.kind, offer.zone, offer.device_class, offer.elastic, stand.price


def _taken(copy: Copy) -> tuple[object, ...]:
    """All that a copy takes of its unit, in an order."""
    took = copy.resources
    amounts = (took.gpus, took.gpu_memory_bytes, took.cpus_milli, took.memory_bytes)
    return (*amounts, copy.gpus, copy.gpu_share_milli, copy.mig_profile, copy.mig_start)


_KEPT: WeakKeyDictionary[Fleet, Ground] = WeakKeyDictionary()


def ground_of(fleet: Fleet) -> Ground:
    """What is known of a fleet, as it is at this moment."""
    ground = _KEPT.pop(fleet, None) or Ground()
    ground.follow(fleet)
    _KEPT[fleet] = ground  # only now: what was counted halfway is not kept
    return ground


def forget(fleet: Fleet) -> None:
    """Know nothing of a fleet any more: the next judgement counts it from the beginning."""
    _KEPT.pop(fleet, None)


def count_gpus(sums: Sums, gpu_milli: int, model: str) -> None:
    """Add GPUs, and those of a model beside."""
    more(sums, "gpus", gpu_milli)
    if model:
        more(sums, f"gpus/{model}", gpu_milli)


def more(sums: Sums, what: str, amount: int) -> None:
    """Add to one of the sums."""
    sums[what] = sums.get(what, 0) + amount
