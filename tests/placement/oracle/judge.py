"""Every verdict on every site, what each would cost, and who wins. Plain loops; see the rules' docstrings for why."""

from dataclasses import dataclass, field
from hashlib import blake2b

from placement.facts import Copy, Measurement, SiteFacts
from tidegate.model.decision import Cost, Slot
from tidegate.model.mig import gpu_milli
from tidegate.model.money import PriceBook, Team
from tidegate.model.policy import Effect, Policy
from tidegate.model.site import Offer, Site
from tidegate.model.workload import Spread, Workload

from . import room
from .laws import allows, allows_site, of_offers
from .money import Money, Part
from .room import Need

HALF_HOUR, DAY = 30 * 60_000, 24 * 60 * 60_000
BITS = 2**64 - 1


@dataclass(frozen=True)
class Question:
    """Everything a decision follows from, as nouns."""

    work: Workload
    sites: dict[str, SiteFacts]
    links: dict[tuple[str, str], Measurement]
    service_times: dict[tuple[str, str], Measurement]
    standing: tuple[Copy, ...]
    sent: dict[str, int]
    """Bytes a day over each site's uplink."""
    held_by_team: dict[str, tuple[int, int, int]]
    """Thousandths of a GPU, thousandths of a CPU, bytes of memory."""
    policies: tuple[Policy, ...]
    books: tuple[PriceBook, ...]
    teams: tuple[Team, ...]
    digest: str
    now: int


@dataclass
class Place:
    """One offer of one site: its units with what sits there."""

    offer: Offer
    units: list[list[Copy]]
    usable: bool
    """No enforced law forbids it, and it answers soon enough, or no offer of the site does: then the price is told."""
    any_model: bool
    """No offer of the site has a GPU of a model that is asked for: then the price is told of any."""

    def rooms(self, need: Need, *, empty: bool) -> list[int]:
        """For each unit, how many more copies it takes."""
        if not self.usable or not (self.any_model or room.fits_model(self.offer, need)):
            return [0 for _ in self.units]
        return [room.most(self.offer, [] if empty else copies, need) for copies in self.units]


@dataclass
class Answer:
    """What is expected of a decision."""

    verdicts: dict[str, dict[str, bool]] = field(default_factory=dict)
    """By site, then by rule."""
    costs: dict[str, Cost] = field(default_factory=dict)
    slots: dict[str, tuple[Slot, ...]] = field(default_factory=dict)
    scores: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Of the sites that are allowed."""
    winners: tuple[str, ...] = ()


class Judge:
    """One question, answered."""

    def __init__(self, q: Question) -> None:
        self.q, self.work = q, q.work
        self.money = Money(q.books, q.now)
        self.rules = [
            (f"{policy.name}/{rule.name}", rule)
            for policy in sorted(q.policies, key=lambda p: p.name)
            for rule in policy.rules
        ]
        self.bound = {name for name, rule in self.rules if rule.effect is Effect.ENFORCE}
        self.team = next((team for team in q.teams if team.name == self.work.team), None)
        self.needs = room.needs_of(self.work.demand)
        self.by_site = self.work.spread is Spread.SITE
        self.wanted = 1 if self.by_site else self.work.copies
        there = [f.site for _, f in sorted(q.sites.items()) if f.site.location == self.work.data.origin]
        self.origin_region = there[0].region if there else ""

    def answer(self) -> Answer:
        found, lasting, speaks = Answer(), [], {}
        for name, facts in sorted(self.q.sites.items()):
            places = self.places(facts)
            verdict = found.verdicts[name] = self.verdicts(facts, places)
            spread = self.widest(places, empty=True)
            could = self.together(places, empty=True)
            verdict["spread"] = could < self.wanted or spread >= self.wanted
            self.price(found, facts.site, places)
            if self.good(verdict, ("copies-free", "volume-free", *FREE, *TEAMS, "spread")):
                lasting.append(name)
        if self.by_site and len(lasting) < self.work.copies:
            for verdict in found.verdicts.values():
                verdict["spread"] = False
        now_free = []
        for name, facts in sorted(self.q.sites.items()):
            places, verdict = self.places(facts), found.verdicts[name]
            self.free(facts, places, verdict)
            room_said = ("latency", *SHAPE, "spread", *FREE)
            speaks[name] = all(verdict[r] for r in room_said) and all(
                verdict[r] for r, rule in self.rules if r in self.bound and of_offers(rule)
            )
            enough = self.widest(places, empty=False) >= self.wanted
            verdict["copies-free"] = enough or not speaks[name]
            if self.good(verdict, ("copies-free", *TEAMS)) and verdict["copies-free"]:
                now_free.append(name)
        if self.by_site and len(now_free) < self.work.copies:
            for name in now_free:
                found.verdicts[name]["copies-free"] = False
        self.choose(found)
        return found

    def good(self, verdict: dict[str, bool], but: tuple[str, ...]) -> bool:
        """Whether every rule that binds allows, but for some."""
        free = {name for name, _ in self.rules} - self.bound
        return all(ok for rule, ok in verdict.items() if rule not in but and rule not in free)

    def places(self, facts: SiteFacts) -> list[Place]:
        site, found, latency = facts.site, [], self.work.latency
        times = [self.answers_in(site, offer) for offer in facts.offers]
        good = [latency is None or (time is not None and time <= latency.p99_us) for time in times]
        modelled = any(offer.count and room.fits_model(offer, self.needs[0]) for offer in facts.offers)
        modelled = modelled or self.work.demand.cpu_fallback
        for offer, in_time in zip(facts.offers, good, strict=True):
            units = [
                [c for c in self.q.standing if (c.site, c.offer, c.unit) == (site.name, offer.name, unit)]
                for unit in range(offer.count)
            ]
            lawful = all(
                allows(rule, self.work, site, offer, self.team)
                for name, rule in self.rules
                if name in self.bound and of_offers(rule)
            )
            found.append(Place(offer, units, (in_time or not any(good)) and lawful, not modelled))
        return found

    # Reach.

    def answers_in(self, site: Site, offer: Offer | None) -> int | None:
        latency = self.work.latency
        if latency is None:
            return 0
        trips: list[int] = []
        for origin in latency.origins:
            declared: int | None = 0 if site.location == origin else None
            for reach in site.reach:
                declared = reach.rtt_us if reach.origin == origin else declared
            trip = self.believed(self.q.links.get((origin, site.name)), declared)
            if trip is None:
                return None
            trips.append(trip)
        measured = None
        if offer is not None and offer.device_class:
            measured = self.q.service_times.get((self.q.digest, offer.device_class))
        return max([0, *trips]) + (self.believed(measured, latency.service_time_us) or 0)

    def believed(self, seen: Measurement | None, declared: int | None) -> int | None:
        if seen is None or self.q.now - seen.measured_at > DAY:
            return declared
        stale = self.q.now - seen.measured_at > HALF_HOUR
        time = seen.us + (seen.us + 1) // 2 if stale else seen.us
        return declared if (stale or seen.samples < 20) and declared is not None and declared > time else time

    def travels(self, site: Site) -> int:
        data, inference = self.work.data, self.work.inference
        moved = 0 if not data.origin or data.origin == site.location else data.bytes_per_day
        each = 768 + (320 if inference and inference.audit.value == "every_prediction" else 0)
        return moved + (inference.requests_per_day * each if inference else 0)

    # Verdicts.

    def verdicts(self, facts: SiteFacts, places: list[Place]) -> dict[str, bool]:
        work, site, need = self.work, facts.site, self.needs[0]
        gpu = need.on_gpu and not work.demand.cpu_fallback
        part = gpu and bool(need.share or need.profile)
        runs = ("ray",) if work.training else ("process", "kubernetes")
        latency = work.latency
        times = [self.answers_in(site, place.offer) for place in places] or [self.answers_in(site, None)]
        standing = [place.offer for place in places if place.offer.count > 0]
        verdict = {name: allows_site(rule, work, site, facts.offers, self.team) for name, rule in self.rules}
        verdict["available"] = facts.reachable and not facts.cordoned
        verdict["engine"] = any(engine.value in runs for engine in site.engines)
        verdict["latency"] = latency is None or any(t is not None and t <= latency.p99_us for t in times)
        verdict["volume"] = not site.uplink_bytes_per_day or self.travels(site) <= site.uplink_bytes_per_day
        verdict["gpus"] = not gpu or any(
            (o.resources.gpus >= 1 if part else len(room.whole_gpus(o, [])) >= need.gpus) for o in standing
        )
        verdict["gpu-model"] = (
            work.demand.cpu_fallback or any(room.fits_model(o, need) for o in standing) or not need.models
        )
        verdict["gpu-memory"] = (
            work.demand.cpu_fallback
            or not need.gpu_memory
            or any(self.gpu_memory(o, need) >= need.gpu_memory for o in standing)
        )
        verdict["gpu-sharing"] = not part or any(
            o.resources.gpus and room.gives(o, need, enough=False) for o in standing
        )
        verdict["cpus"] = not need.cpus or any(o.resources.cpus_milli >= need.cpus for o in standing)
        verdict["memory"] = not need.memory or any(o.resources.memory_bytes >= need.memory for o in standing)
        one_copy = all(verdict[rule] for rule in ("latency", *SHAPE[:-1])) and all(
            verdict[name] for name, rule in self.rules if name in self.bound and of_offers(rule)
        )
        verdict["copies"] = not one_copy or self.together(places, empty=True) >= self.wanted
        return verdict

    def gpu_memory(self, offer: Offer, need: Need) -> int:
        if need.profile:
            found = room.profile(offer, need.profile)
            return found.memory_mib << 20 if found else 0
        return offer.resources.gpu_memory_bytes if offer.resources.gpus else 0

    def free(self, facts: SiteFacts, places: list[Place], verdict: dict[str, bool]) -> None:
        """The rules on what is left: a "no" only where an empty unit would have done."""
        need, site = self.needs[0], facts.site
        units = [(p.offer, copies) for p in places for copies in p.units]
        empty = [(p.offer, []) for p in places if p.offer.count > 0]
        link, sent = site.uplink_bytes_per_day, self.q.sent.get(site.name, 0)
        verdict["volume-free"] = not link or not verdict["volume"] or self.travels(site) + sent <= link
        fallback = self.work.demand.cpu_fallback

        def some(test: object, among: object) -> bool:
            return any(test(offer, copies) for offer, copies in among)  # type: ignore[operator, attr-defined]

        def asked(name: str, wanted: object, test: object) -> None:
            verdict[name] = not wanted or some(test, units) or not some(test, empty)

        def gpus(offer: Offer, copies: list[Copy]) -> bool:
            if need.gpus:
                return len(room.whole_gpus(offer, copies)) >= need.gpus
            if need.share:
                bare = Need(0, need.share, "", 0, 0, 0, turns=need.turns)
                return room.gives(offer, need) and any(
                    room._free_for(offer, copies, g, bare) for g in range(offer.resources.gpus)
                )
            return room.gives(offer, need) and any(
                room._free_for(offer, copies, g, need) for g in range(offer.resources.gpus)
            )

        def gpu_bytes(offer: Offer, copies: list[Copy]) -> bool:
            if need.share:
                bare = Need(0, 1, "", need.gpu_memory, 0, 0, turns=need.turns)
                return room.gives(offer, need) and any(
                    self.memory_left(offer, copies, g) >= bare.gpu_memory for g in range(offer.resources.gpus)
                )
            return bool(room.whole_gpus(offer, copies)) and offer.resources.gpu_memory_bytes >= need.gpu_memory

        asked("gpus-free", need.on_gpu and not fallback, gpus)
        asked("gpu-memory-free", need.gpu_memory and not fallback and not need.profile, gpu_bytes)
        asked("cpus-free", need.cpus, lambda o, c: room.left(o, c)[0] >= need.cpus)
        asked("memory-free", need.memory, lambda o, c: room.left(o, c)[1] >= need.memory)
        verdict["team-limit"] = self.within_limit()
        verdict["team-quota"] = verdict["team-budget"] = True  # no question has guarantees or budgets

    def memory_left(self, offer: Offer, copies: list[Copy], gpu: int) -> int:
        there = [copy for copy in copies if gpu in copy.gpus]
        if any(copy.resources.gpus for copy in there):
            return 0
        taken = sum(copy.resources.gpu_memory_bytes for copy in there if copy.gpu_share_milli)
        return offer.resources.gpu_memory_bytes - taken

    def within_limit(self) -> bool:
        """Its team's limit and that of every team above it, for all that stand at or below."""
        teams, name = {team.name: team for team in self.q.teams}, self.work.team
        demand = self.work.demand
        asked = (self.milli(self.needs[0]), demand.resources.cpus_milli, demand.resources.memory_bytes)
        while name in teams:
            below = [one for one in self.q.held_by_team if self.is_below(one, name, teams)]
            held = [sum(self.q.held_by_team[one][i] for one in below) for i in range(3)]
            limit = teams[name].limit
            most = (limit.gpus * 1000, limit.cpus_milli, limit.memory_bytes) if limit else (0, 0, 0)
            # What is not asked for is not made worse: a limit that came after what is held bars no other work.
            if any(m and a and h + a * self.work.copies > m for m, h, a in zip(most, held, asked, strict=True)):
                return False
            name = teams[name].parent
        return True

    def is_below(self, name: str, above: str, teams: dict[str, Team]) -> bool:
        parent = teams[name].parent if name in teams else ""
        return name == above or (parent != "" and self.is_below(parent, above, teams))

    def milli(self, need: Need) -> int:
        return need.gpus * 1000 + need.share + gpu_milli(need.profile)

    # Room.

    def together(self, places: list[Place], *, empty: bool) -> int:
        return max(sum(sum(place.rooms(need, empty=empty)) for place in places) for need in self.needs)

    def widest(self, places: list[Place], *, empty: bool) -> int:
        return max(self.apart(places, need, empty=empty) for need in self.needs)

    def apart(self, places: list[Place], need: Need, *, empty: bool, spread: Spread | None = None) -> int:
        """How many copies could stand so far apart, as asked or as given, by putting one in every place that is."""
        spread = spread or self.work.spread
        rooms = [(place.offer, place.rooms(need, empty=empty)) for place in places]
        if spread is Spread.NODE:
            return sum(1 for _, units in rooms for count in units if count)
        if spread is Spread.ZONE:
            return len({offer.zone for offer, units in rooms if any(units)})
        return sum(sum(units) for _, units in rooms)

    # Money and choice.

    def price(self, found: Answer, site: Site, places: list[Place]) -> None:
        """Where the copies would stand and what that costs: now, or if nothing stood there; or however close."""
        verdict, asked = found.verdicts[site.name], self.work.spread
        most, shares = self.work.max_cost_micros_per_hour, self.work.copies if self.by_site else 1
        for spread in (asked, Spread.NONE) if asked in (Spread.NODE, Spread.ZONE) else (asked,):
            for empty in (False, True):
                for need in self.needs:
                    if self.apart(places, need, empty=empty, spread=spread) < self.wanted:
                        continue
                    cost, known, parts, stranded = self.cheapest(site, places, need, spread, empty=empty)
                    found.costs[site.name] = cost
                    verdict["max-cost"] = not most or (known and cost.total * shares <= most)
                    if spread is asked and not empty:
                        found.slots[site.name] = tuple(Slot(site.name, p.offer.name, p.copies) for p in parts)
                        found.scores[site.name] = (self.leans(site), cost.total, stranded, self.tie(site.name))
                    return
        verdict["max-cost"] = True

    def cheapest(
        self, site: Site, places: list[Place], need: Need, spread: Spread, *, empty: bool
    ) -> tuple[Cost, bool, list[Part], int]:
        """One offer for all copies where one has room, the cheapest; else filled, the cheapest per copy first."""
        rooms = [place.rooms(need, empty=empty) for place in places]
        nodes, zones = spread is Spread.NODE, spread is Spread.ZONE
        alone = [sum(1 for u in units if u) if nodes else sum(units) for units in rooms]
        each = [room.most(place.offer, [], need) if place.usable else 0 for place in places]

        def part(index: int, copies: int) -> Part:
            units = copies if nodes else -(-copies // each[index])
            return Part(places[index].offer, copies, units, each[index])

        def priced(parts: list[Part]) -> tuple[int, int, Cost, bool]:
            cost, known = self.money.cost(self.work, site, parts, self.origin_region)
            milli = self.milli(need)
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

    def choose(self, found: Answer) -> None:
        allowed = [name for name in sorted(self.q.sites) if self.good(found.verdicts[name], ())]
        scores: dict[str, tuple[int, ...]] = {}
        for name in allowed:
            leaning, money, stranded, tie = found.scores[name]
            scores[name] = (leaning, money + self.penalty(name, found.slots[name]), stranded, tie)
        found.scores = scores
        best = sorted(allowed, key=lambda name: (*scores[name], name))
        wanted = self.work.copies if self.by_site else 1
        found.winners = tuple(best[:wanted]) if len(best) >= wanted else ()

    def penalty(self, name: str, slots: tuple[Slot, ...]) -> int:
        facts, total = self.q.sites[name], 0
        chosen = [offer for offer in facts.offers if offer.name in {slot.offer for slot in slots}]
        for _, rule in self.rules:
            if rule.effect is Effect.PREFER:
                every = chosen if of_offers(rule) else [None]
                good = all(allows(rule, self.work, facts.site, offer, self.team) for offer in every)
                total += 0 if good else rule.penalty_micros_per_hour
        return total

    def leans(self, site: Site) -> int:
        prefer = self.work.prefer
        liked = site.tier in prefer.tiers or site.name in prefer.sites
        return int(bool(prefer.tiers or prefer.sites) and not liked)

    def tie(self, name: str) -> int:
        one, two = (int.from_bytes(blake2b(n.encode(), digest_size=8).digest(), "big") for n in (self.work.name, name))
        z = one ^ two
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & BITS
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & BITS
        return (z ^ (z >> 31)) >> 32


SHAPE = ("gpus", "gpu-model", "gpu-memory", "gpu-sharing", "cpus", "memory", "copies")
FREE = ("gpus-free", "gpu-memory-free", "cpus-free", "memory-free")
TEAMS = ("team-limit", "team-quota", "team-budget")
