"""The auditor's own verdicts: what every rule says of every place to one workload, and what a place would cost it.

A verdict is a "no": the sets of places that each rule refuses (`Places`, as in `sets`), place by place where
`refuse` is asked. What copies find on offers depends on the offers alone, so it is worked out once for each `layout`
of a place (`Found`), and a price once for each lot of equal offers. It is read beside the design, top to bottom, in
the order of the rules.

Limits: linear in places; a place of a layout seen before costs some microseconds. It is longer than other files because
the rules are read in one go, from the first to the last.
"""

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property

from placement.audit import meaning
from placement.audit.fit import Rooms, Traits, as_it_is, if_empty
from placement.audit.ground import Ground, Lot, Place
from placement.audit.money import Bill, Standing
from placement.audit.reach import Reach
from placement.audit.room import Stand, needs
from placement.audit.sets import LawOverPlaces, Places
from placement.audit.teams import Teams
from placement.fleet.facts import SiteFacts
from placement.fleet.fleet import Fleet
from placement.law.law import Law
from tidegate.model.decision import Cost, Slot
from tidegate.model.mig import gpu_milli
from tidegate.model.policy import Effect, Rule
from tidegate.model.site import Offer, Site
from tidegate.model.workload import Workload

QUOTAS = frozenset(("team-limit", "team-quota", "team-budget"))
FREE = frozenset(("volume-free", "copies-free", "gpus-free", "gpu-memory-free", "cpus-free", "memory-free"))
OF_MANY = QUOTAS | FREE | {"spread"}
"""Rules that a place which never could be among many is not refused by: what they refuse may come free."""
SHAPE = frozenset(("gpus", "gpu-model", "gpu-memory", "gpu-sharing", "cpus", "memory", "copies"))
OWN = OF_MANY | SHAPE | {"available", "engine", "latency", "volume", "max-cost"}
"""The rules that are no law. `products` is one more where some site is a home."""


@dataclass(frozen=True, slots=True)
class Found:
    """What copies find at places of one layout, of those offers that they may stand on."""

    refuse: tuple[str, ...]
    lots: tuple[Lot, ...]
    """Those that they may stand on."""
    emptied: tuple[Lot, ...]
    """Those that they might, if nobody held any."""
    wants: tuple[Rooms, ...]


class Judge:
    """One workload, before one law, on one fleet, at one moment."""

    def __init__(self, workload: Workload, fleet: Fleet, ground: Ground, law: Law, digest: str, now: int) -> None:
        self.fleet, self.ground, self.law, self.digest, self.now = fleet, ground, law, digest, now
        self.rules = {f"{policy.name}/{rule.name}": rule for policy in law.policies for rule in policy.rules}
        self.advises = {name for name, rule in self.rules.items() if rule.effect is not Effect.ENFORCE}
        self.on_offers = {name: rule for name, rule in self.rules.items() if meaning.speaks_of_offers(rule)}
        self.binding = {name: rule for name, rule in self.on_offers.items() if name not in self.advises}
        self.by_name = any("offer.name" in meaning.keys_of(rule) for rule in self.on_offers.values())
        self.team = next((team for team in law.teams if team.name == workload.team), None)
        self.homes = [facts.site for facts in ground.sites.values() if facts.site.home]
        self.bill = Bill(law, now, workload)
        self._hear(workload)

    def about(self, workload: Workload, homes: tuple[Site, ...] | None = None) -> "Judge":
        """The same, to be asked about the workload with something in it changed, and homes as they would be."""
        other = copy(self)
        for known in ("lawful", "comes_home", "origin_region"):
            other.__dict__.pop(known, None)
        other.homes = self.homes if homes is None else list(homes)
        other.bill = self.bill.about(workload)
        other._hear(workload)
        return other

    def _hear(self, workload: Workload) -> None:
        self.workload = workload
        self.spread = workload.spread.value
        self.by_site = self.spread == "site"
        self.copies = 1 if self.by_site else workload.copies
        self.reach = Reach(workload, self.fleet, self.ground, self.digest, self.now)
        self.teams = Teams(workload, self.fleet, self.ground, self.law, self.now)
        self.wants = tuple(Rooms(need) for need in needs(workload.demand))
        self.any_model = tuple(Rooms(replace(one.need, models=())) for one in self.wants)
        self.traits = Traits(workload.demand)
        self.engines = {"ray"} if workload.training else {"process", "kubernetes"}
        self._found: dict[object, Found] = {}
        self._whole: dict[object, dict[int, tuple[int, int]]] = {}
        """What all copies on one offer cost and strand, by what that depends on of the place, and by price."""

    # Over all places.

    @cached_property
    def everywhere(self) -> Places:
        """All of them."""
        return (1 << len(self.ground.sites)) - 1

    @cached_property
    def lawful(self) -> dict[str, Places]:
        """Where each rule that speaks of no offers allows the workload."""
        sites = [facts.site for facts in self.ground.sites.values()]
        law = LawOverPlaces(self.workload, sites, self.team, self.ground.said, self.ground.truths)
        return {name: law.lawful(rule) for name, rule in self.rules.items() if name not in self.on_offers}

    def refused(self, excluded: Places) -> dict[str, Places]:
        """By rule, the places that it refuses; `excluded` are those that the caller left out."""
        no = {name: self.everywhere & ~places for name, places in self.lawful.items()}
        no |= dict.fromkeys((*self.on_offers, *OWN, *(("products",) if self.homes else ())), 0)
        for row, facts in enumerate(self.ground.sites.values()):
            for rule in self.refuse(facts):
                no[rule] |= 1 << row
        no["available"] |= excluded
        if self.by_site:
            self.spread_over_sites(no)
        return no

    def spread_over_sites(self, no: dict[str, Places]) -> None:
        """With `spread: site`, as many sites as copies must do: for good, or none does; and now, or none that would."""
        if self.allowed(no, OF_MANY).bit_count() < self.workload.copies:
            no["spread"], no["copies-free"] = self.everywhere, 0  # the one has said what the other would
        now = self.allowed(no, QUOTAS)
        if now.bit_count() < self.workload.copies:
            no["copies-free"] |= now

    def allowed(self, no: dict[str, Places], but: frozenset[str] = frozenset()) -> Places:
        """The places that no enforced rule refuses, some rules left aside."""
        refused = 0
        for rule, places in no.items():
            if rule not in self.advises and rule not in but:
                refused |= places
        return self.everywhere & ~refused

    # At one place.

    def refuse(self, facts: SiteFacts, site: Site | None = None) -> list[str]:
        """The rules that refuse one place, the law on places and what is spread over sites apart.

        `site`: the place as it would be declared, where that is asked; what it offers is what it does offer.
        """
        site = site or facts.site
        no = [
            n for n, r in self.on_offers.items() if not meaning.lawful(r, self.workload, site, facts.offers, self.team)
        ]
        usable = not self.binding.keys() & set(no)
        if self.homes and not self.comes_home:
            no.append("products")
        if not facts.reachable or facts.cordoned:
            no.append("available")
        if not any(engine.value in self.engines for engine in site.engines):
            no.append("engine")
        whole, left = self.reach.travels(site)
        no += ([] if whole else ["volume"]) + ([] if left else ["volume-free"])
        soon = self.soon(facts)
        if soon == frozenset():
            no.append("latency")
        found = self.found(facts, site, soon, usable=usable)
        no += found.refuse
        if self.workload.max_cost_micros_per_hour or self.teams.budgets:
            price = self.price(site, found)
            if not self.affordable(price):
                no.append("max-cost")
            if price and self.teams.budgets and not self.teams.within_budget(price[0]):
                no.append("team-budget")
        return no

    @cached_property
    def comes_home(self) -> bool:
        """Whether the law lets what the workload leaves behind come to where it is kept."""
        law = LawOverPlaces(self.workload, self.homes, self.team)
        binding = [rule for name, rule in self.rules.items() if name not in self.on_offers and name not in self.advises]
        return all(law.lawful(rule) == law.everywhere for rule in binding)

    def soon(self, facts: SiteFacts) -> frozenset[str] | None:
        """The classes of device that answer in time there; None where nothing was promised.

        A site that offers nothing is judged by the declared service time, as a device of no class.
        """
        latency = self.workload.latency
        if latency is None:
            return None
        trip = self.reach.trip_us(facts.site)
        if trip is None:
            return frozenset()
        classes = self.ground.place(facts.site.name).classes or {""}
        return frozenset([one for one in classes if trip + self.reach.service_us(one) <= latency.p99_us])

    def found(self, facts: SiteFacts, site: Site, soon: frozenset[str] | None, *, usable: bool) -> Found:
        """What copies find there. Once for each layout, and for each choice of its offers."""
        place = self.ground.place(facts.site.name)
        lots = self.open_to(place.lots, site, self.binding)
        key = (place.layout, tuple([lot.rows[0] for lot in lots]) if self.binding else (), soon, usable)
        found = self._found.get(key)
        if found is None:
            if soon:  # where nothing answers in time, what it would cost late is judged too
                lots = tuple(lot for lot in lots if lot.first.offer.device_class in soon)
            usable = usable and soon != frozenset()
            found = self._found[key] = self.find(place, lots, usable=usable)
        return found

    def open_to(self, lots: tuple[Lot, ...], site: Site, rules: dict[str, Rule]) -> tuple[Lot, ...]:
        """Those of the lots that no rule of these refuses; taken apart where a rule knows offers by name."""
        if not rules:
            return lots
        if self.by_name:
            lots = tuple(
                Lot(one, (one,), (row,), one.emptied, lot.price)
                for lot in lots
                for one, row in zip(lot.members, lot.rows, strict=True)
            )
        return tuple(lot for lot in lots if self.lawful_offer(rules, site, lot.first.offer))

    def lawful_offer(self, rules: dict[str, Rule], site: Site, offer: Offer) -> bool:
        """Whether none of these rules refuses it."""
        return all(meaning.lawful_at(rule, self.workload, site, offer, self.team) for rule in rules.values())

    def held(self, lots: tuple[Lot, ...], place: Place, *, bare: bool = False) -> tuple[Lot, ...]:
        """Of the lots, those whose GPUs the team may hold; if nobody held any, where `bare`."""
        may = self.teams.may_hold(place.models, bare=bare)
        return lots if may is None else tuple(lot for lot in lots if may(lot.first.offer.gpu_model))

    def find(self, place: Place, lots: tuple[Lot, ...], *, usable: bool) -> Found:
        """Room for one copy, for all of them, and for the team."""
        words, wants = self.traits.of(place.kinds), self.wants
        lots, emptied = self.held(lots, place), self.held(lots, place, bare=True)
        shape = if_empty(self.traits, words)
        if not shape["gpu-model"]:
            wants = self.any_model  # nor does it matter then which model it would stand on
        one_copy = usable and all(shape.values())
        together = any(self.enough(emptied, w, "none", bare=True) for w in wants)
        shape["copies"] = not one_copy or together
        shape["spread"] = not together or any(self.enough(emptied, w, bare=True) for w in wants)
        now = as_it_is(self.traits, words, shape)
        has_room = usable and all(shape.values()) and all(now.values())
        now["copies-free"] = not has_room or any(self.enough(lots, w) for w in wants)
        no = [rule for rule, ok in (*shape.items(), *now.items()) if not ok]
        return Found((*no, *self.teams.refuse(place.models)), lots, emptied, wants)

    def enough(self, lots: Iterable[Lot], wanted: Rooms, spread: str = "", *, bare: bool = False) -> bool:
        """Whether all copies have room as far apart as asked; if nothing stood there, where `bare`."""
        spread, left = spread or self.spread, self.copies
        zones: set[str] = set()
        for lot in lots:
            copies, units = wanted.of(lot.bare if bare else lot.first)
            if spread == "zone":
                zones |= {lot.first.offer.zone} if units else set()
            else:
                left -= len(lot.members) * (units if spread == "node" else copies)
            if left <= 0 or len(zones) >= self.copies:
                return True
        return False

    # Money.

    def affordable(self, price: tuple[int, bool] | None) -> bool:
        """The ceiling against the price."""
        most = self.workload.max_cost_micros_per_hour
        return not (most and price) or (price[1] and price[0] * (self.workload.copies if self.by_site else 1) <= most)

    def price(self, site: Site, found: Found) -> tuple[int, bool] | None:
        """What the copies cost, and whether every price is known; None where they could not stand there at all.

        As far apart as asked, now or else if nothing stood there; or else however close, now or if nothing did.
        """
        for spread in (self.spread, "none") if self.spread in ("node", "zone") else (self.spread,):
            for bare in (False, True):
                lots = found.emptied if bare else found.lots
                for wanted in found.wants:
                    if self.enough(lots, wanted, spread, bare=bare):
                        return self.cheapest(site, lots, wanted, spread, bare=bare)
        return None

    def cheapest(
        self, site: Site, lots: tuple[Lot, ...], wanted: Rooms, spread: str, *, bare: bool
    ) -> tuple[int, bool]:
        """The cheapest single offer with room for all copies or, where there is none, several offers filled."""
        priced = self._whole.setdefault((spread, id(wanted), site.region, site.jurisdiction, site.location), {})
        best: tuple[int, int, int] | None = None
        offer = None
        for lot in lots:
            copies, units = wanted.of(lot.bare if bare else lot.first)
            most_here = units if spread == "node" else min(copies, 1) if spread == "zone" else copies
            if most_here >= self.copies:
                whole = priced.get(lot.price)
                if whole is None:
                    whole = priced[lot.price] = self.whole(site, lot.first, wanted, spread)
                choice = (*whole, lot.rows[0])
                if best is None or choice < best:
                    best, offer = choice, lot.first.offer
        if best is not None and offer is not None:
            return best[0], self.bill.knows(offer, site)
        by_name = {one.offer.name: one.emptied if bare else one for lot in lots for one in lot.members}
        cost, known = self.cost(site, self.filled(site, lots, wanted, spread, bare=bare), by_name, wanted, spread)
        return cost.total, known

    def whole(self, site: Site, o: Stand, wanted: Rooms, spread: str) -> tuple[int, int]:
        """What all copies on one offer cost and strand."""
        slots, there = (Slot(site.name, o.offer.name, self.copies),), {o.offer.name: o}
        return self.cost(site, slots, there, wanted, spread)[0].total, self.stranded(slots, there, wanted, spread)

    def cost(
        self, site: Site, slots: tuple[Slot, ...], offers: dict[str, Stand], wanted: Rooms, spread: str = ""
    ) -> tuple[Cost, bool]:
        """The cost of slots at a site, and whether every bought unit in it has a listed price."""
        return self.bill.cost(site, self.standing(slots, offers, wanted, spread), self.origin_region)

    def standing(
        self, slots: tuple[Slot, ...], offers: dict[str, Stand], wanted: Rooms, spread: str = ""
    ) -> list[Standing]:
        """The copies of each slot, as they are billed."""
        return [
            Standing(o.offer, slot.count, self.units(slot, o, wanted, spread), wanted.each(o))
            for slot in slots
            for o in (offers[slot.offer],)
        ]

    @cached_property
    def origin_region(self) -> str:
        """Where the data's origin stands; of several sites there, the first by name says so."""
        origin = self.workload.data.origin
        return next((f.site.region for f in self.ground.sites.values() if f.site.location == origin), "")

    def units(self, slot: Slot, o: Stand, wanted: Rooms, spread: str = "") -> int:
        """How many units the copies of one slot stand on."""
        return slot.count if (spread or self.spread) == "node" else -(-slot.count // wanted.each(o))

    def filled(self, site: Site, lots: tuple[Lot, ...], wanted: Rooms, spread: str, *, bare: bool) -> tuple[Slot, ...]:
        """The copies on several offers: the cheapest per copy first, one in each zone where the spread is by zone."""
        left, zones = self.copies, set[str]()
        by_price: list[tuple[int, int, int, Offer]] = []
        for lot in lots:
            copies, units = wanted.of(lot.bare if bare else lot.first)
            if copies:
                each = wanted.each(lot.first)
                full, _ = self.bill.cost(site, [Standing(lot.first.offer, each, 1, each)], self.origin_region)
                paid = full.compute + full.idle + full.spot_loss + full.availability
                most = units if spread == "node" else copies
                for one, row in zip(lot.members, lot.rows, strict=True):
                    by_price.append((-(-paid // each), row, most, one.offer))
        slots: list[Slot] = []
        for _, _, most, offer in sorted(by_price, key=lambda one: one[:2]):
            count = min(left, most) if spread != "zone" else int(offer.zone not in zones and left > 0)
            zones.add(offer.zone)
            left -= count
            slots += [Slot(site.name, offer.name, count)] if count else []
        return tuple(slots)

    def stranded(self, slots: tuple[Slot, ...], offers: dict[str, Stand], wanted: Rooms, spread: str = "") -> int:
        """Thousandths of a GPU left over beside the copies on the units they stand on."""
        left, need = 0, wanted.need
        share = need.resources.gpus * 1000 + need.share + gpu_milli(need.profile)
        for slot in slots:
            o = offers[slot.offer]
            gpus = o.offer.resources.gpus * self.units(slot, o, wanted, spread)
            left += max(gpus * 1000 - slot.count * share, 0)
        return left
