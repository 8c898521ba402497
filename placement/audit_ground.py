"""What the auditor knows of a fleet before it knows the question: what stands on every unit, and what every team holds.

It is kept from one decision to the next, by fleet and weakly, and believes no stamp and nothing that the engine keeps:
each time all sites' offers and all holdings are compared with those of the time before. Holdings that differ are taken
out and put in; where the offers of any site differ, everything is counted anew. Equal values count as unchanged, which
they are: the facts are frozen.

Offers with the same units, on which the same stands, are of one `kind`, so that a question is put to each kind once.

Limits: a hundred thousand kinds, then the count begins anew. Comparing costs a microsecond or less for each site and a
fraction of it for each holding.
"""

from weakref import WeakKeyDictionary

from placement.audit_room import Node, Stand
from placement.facts import Copy, Holding
from placement.fleet import Fleet
from tidegate.model.site import Offer

Sums = dict[str, int]
MOST_KINDS = 100_000


class Ground:
    """One fleet, counted from its sites and its holdings."""

    def __init__(self) -> None:
        self.offers: dict[str, tuple[Offer, ...]] = {}
        self.holdings: dict[str, Holding] = {}
        self.models: dict[tuple[str, str], str] = {}
        self.capacity: Sums = {}
        self.held: dict[str, Sums] = {}
        self.firm: dict[str, Sums] = {}
        self.sent: dict[str, int] = {}
        """Bytes a day over each site's uplink."""
        self._copies: dict[tuple[str, str], dict[int, list[Copy]]] = {}
        self._stands: dict[str, tuple[Stand, ...]] = {}
        self._kinds: dict[object, int] = {}

    def follow(self, fleet: Fleet) -> None:
        """Be what the fleet is now."""
        offers = {name: facts.offers for name, facts in fleet.sites.items()}
        if offers != self.offers or len(self._kinds) > MOST_KINDS:
            self.__init__()  # type: ignore[misc]
            self._declare(offers)
        self.offers = offers  # the very objects, which are compared faster than equal ones the next time
        now = dict(fleet.holdings)
        if now == self.holdings:
            self.holdings = now
            return
        for name, before in self.holdings.items():
            if now.get(name) != before:
                self._count(before, -1)
        for name, after in now.items():
            if self.holdings.get(name) != after:
                self._count(after, 1)
        self.holdings = now

    def stands(self, site: str) -> tuple[Stand, ...]:
        """The site's offers, with what is on their units."""
        found = self._stands.get(site)
        if found is None:
            found = self._stands[site] = tuple(self._stand(site, offer) for offer in self.offers[site])
        return found

    def sums_of(self, holding: Holding) -> Sums:
        """What one holding counts for its team."""
        sums: Sums = {}
        for copy in holding.copies:
            count_gpus(sums, copy.gpu_milli, self.models.get((copy.site, copy.offer), ""))
            more(sums, "cpus", copy.resources.cpus_milli)
            more(sums, "memory", copy.resources.memory_bytes)
        return sums

    def _declare(self, offers: dict[str, tuple[Offer, ...]]) -> None:
        for site, there in offers.items():
            for offer in there:
                self.models[site, offer.name] = offer.gpu_model
                whole = offer.resources
                count_gpus(self.capacity, whole.gpus * offer.count * 1000, offer.gpu_model)
                more(self.capacity, "cpus", whole.cpus_milli * offer.count)
                more(self.capacity, "memory", whole.memory_bytes * offer.count)

    def _count(self, holding: Holding, sign: int) -> None:
        """Put a holding in, or take it out."""
        for books in (self.held, *(() if holding.right.yields else (self.firm,))):
            for name, amount in self.sums_of(holding).items():
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
            self._stands.pop(copy.site, None)

    def _stand(self, site: str, offer: Offer) -> Stand:
        units = self._copies.get((site, offer.name), {})
        used = {unit: Node(offer, tuple(copies)) for unit, copies in units.items() if unit < offer.count}
        unit = (offer.resources, offer.gpu_model, offer.gpu_sharing, offer.mig_layout)
        on_it = tuple(sorted(tuple(_taken(copy) for copy in node.copies) for node in used.values()))
        bare = Stand(offer, {}, offer.count, self._kind((unit, offer.count, ())))
        return (
            Stand(offer, used, offer.count - len(used), self._kind((unit, offer.count, on_it)), bare) if used else bare
        )

    def _kind(self, key: object) -> int:
        return self._kinds.setdefault(key, len(self._kinds))


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
