"""Every verdict on every site, what each would cost, and who wins. Plain loops; see the rules' docstrings for why."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from placement.fleet.facts import Copy, SiteFacts
from placement.quota.accounts import Account
from tests.placement.oracle import room
from tests.placement.oracle.laws import allows, allows_site, of_offers
from tests.placement.oracle.money import Money
from tests.placement.oracle.packed import Packed, Place, Stand
from tests.placement.oracle.question import Question
from tests.placement.oracle.reach import answers_in, travels
from tests.placement.oracle.room import Need
from tests.placement.oracle.teams import Teams, asked
from tidegate.model.decision import Cost, Slot
from tidegate.model.policy import Effect, Rule
from tidegate.model.site import Offer, Site
from tidegate.model.workload import Spread

BITS = 2**64 - 1
SHAPE = ("gpus", "gpu-model", "gpu-memory", "gpu-sharing", "cpus", "memory", "copies")
FREE = ("gpus-free", "gpu-memory-free", "cpus-free", "memory-free")
TEAMS = ("team-limit", "team-quota", "team-budget")
PASSING = (*FREE, "copies-free", "volume-free", *TEAMS)
"""What waiting may cure."""


@dataclass
class Answer:
    """What is expected of a decision."""

    verdicts: dict[str, dict[str, bool]] = field(default_factory=dict)
    """By site, then by rule."""
    stands: dict[str, Stand] = field(default_factory=dict)
    """By site that has a price."""
    chosen: dict[str, Stand] = field(default_factory=dict)
    """By site that is allowed: the same, or another that rules which prefer like better."""
    scores: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Of the sites that are allowed."""
    penalties: dict[str, int] = field(default_factory=dict)
    """Of these, what rules that prefer other places add."""
    order: tuple[str, ...] = ()
    """Of these, best first."""
    winners: tuple[str, ...] = ()

    @property
    def cost(self) -> Cost:
        """Of the winners."""
        return sum((self.chosen[name].cost for name in self.winners), Cost())

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Of the winners."""
        return tuple(slot for name in self.winners for slot in self.chosen[name].slots)


class Judge:
    """One question, answered."""

    def __init__(self, q: Question, *, unless: str = "", besides: tuple[Teams, ...] = ()) -> None:
        """`unless`: a rule of the law that is left out; `besides`: quotas hold too where they would of these."""
        self.q, self.work = q, q.work
        self.money = Money(q.books, q.now)
        self.rules: list[tuple[str, Rule]] = [
            (f"{policy.name}/{rule.name}", rule)
            for policy in sorted(q.policies, key=lambda p: p.name)
            for rule in policy.rules
            if f"{policy.name}/{rule.name}" != unless
        ]
        self.bound = {name for name, rule in self.rules if rule.effect is Effect.ENFORCE}
        self.on_offers = [rule for name, rule in self.rules if name in self.bound and of_offers(rule)]
        self.optional = {name for name, _ in self.rules} - self.bound
        self.team = next((team for team in q.teams if team.name == self.work.team), None)
        self.teams = Teams(q.teams, q.counting, q.sites)
        self.now = self.teams, *besides
        self.ever = *self.now, Teams(q.teams, (), q.sites)
        """A quota holds now where it does of one of the first; if nobody held anything, where it does of these."""
        self.needs = room.needs_of(self.work.demand)
        self.by_site = self.work.spread is Spread.SITE
        self.wanted = 1 if self.by_site else self.work.copies
        self.sites = self.work.copies if self.by_site else 1
        there = [f.site for _, f in sorted(q.sites.items()) if f.site.location == self.work.data.origin]
        self.origin_region = there[0].region if there else ""
        self._judged: dict[tuple[str, str, bool], bool] = {}

    def answer(self) -> Answer:
        found, lasting, packed = Answer(), [], {}
        homes = [facts.site for facts in self.q.sites.values() if facts.site.home]
        products = self.products(homes)
        for name, facts in sorted(self.q.sites.items()):
            places = self.places(facts)
            here = packed[name] = Packed(self.work, facts.site, places, self.money, self.origin_region)
            verdict = found.verdicts[name] = self.verdicts(facts, here)
            if homes:
                verdict["products"] = products
            could = here.together(empty=True)
            verdict["spread"] = could < self.wanted or here.widest(empty=True) >= self.wanted
            self.price(found, name, here)
            if good(verdict, ("copies-free", "volume-free", *FREE, *TEAMS, "spread"), self.optional):
                lasting.append(name)
        if self.by_site and len(lasting) < self.work.copies:
            for verdict in found.verdicts.values():
                verdict["spread"] = False
        now_free = []
        for name, facts in sorted(self.q.sites.items()):
            here, verdict = packed[name], found.verdicts[name]
            self.free(facts, here.places, verdict)
            self.quotas(facts, found, verdict)
            room_said = ("latency", *SHAPE, "spread", *FREE)
            speaks = all(verdict[r] for r in room_said) and self.some_offer(facts)
            enough = here.widest(empty=False) >= self.wanted
            verdict["copies-free"] = enough or not speaks
            if good(verdict, ("copies-free", *TEAMS), self.optional) and verdict["copies-free"]:
                now_free.append(name)
        if self.by_site and len(now_free) < self.work.copies:
            for name in now_free:
                found.verdicts[name]["copies-free"] = False
        self.choose(found, packed)
        return found

    def some_offer(self, facts: SiteFacts) -> bool:
        """Each rule on offers has nothing against some offer (not all of them against the same), or there is none."""
        return all(allows_site(rule, self.work, facts.site, facts.offers, self.team) for rule in self.on_offers)

    def products(self, homes: list[Site]) -> bool:
        """What law forbids where the stores stand is forbidden everywhere; rules on offers say nothing of a store."""
        binding = [rule for name, rule in self.rules if name in self.bound and not of_offers(rule)]
        return all(allows(rule, self.work, home, None, self.team) for rule in binding for home in homes)

    def places(self, facts: SiteFacts) -> list[Place]:
        site, found, latency = facts.site, [], self.work.latency
        times = [answers_in(self.q, site, offer) for offer in facts.offers]
        good = [latency is None or (time is not None and time <= latency.p99_us) for time in times]
        modelled = any(offer.count and room.fits_model(offer, self.needs[0]) for offer in facts.offers)
        modelled = modelled or self.work.demand.cpu_fallback
        for offer, in_time in zip(facts.offers, good, strict=True):
            units = [self.q.copies.get((site.name, offer.name, unit), []) for unit in range(offer.count)]
            lawful = all(allows(rule, self.work, site, offer, self.team) for rule in self.on_offers)
            good_here = lawful and (in_time or not any(good))
            now = all(self.may_have(rule, facts, offer, (self.now, self.ever)) for rule in TEAMS[:2])
            ever = all(self.may_have(rule, facts, offer, (self.ever,)) for rule in TEAMS[:2])
            found.append(Place(offer, units, good_here and now, good_here and ever, not modelled))
        return found

    # Verdicts.

    def verdicts(self, facts: SiteFacts, here: Packed) -> dict[str, bool]:
        work, site, need, places = self.work, facts.site, self.needs[0], here.places
        gpu = need.on_gpu and not work.demand.cpu_fallback
        part = gpu and bool(need.share or need.profile)
        runs = ("ray",) if work.training else ("process", "kubernetes")
        latency, link = work.latency, site.uplink_bytes_per_day
        times = [answers_in(self.q, site, place.offer) for place in places] or [answers_in(self.q, site, None)]
        standing = [place.offer for place in places if place.offer.count > 0]
        verdict = {name: allows_site(rule, work, site, facts.offers, self.team) for name, rule in self.rules}
        verdict["available"] = facts.reachable and not facts.cordoned and site.name not in self.q.exclude
        verdict["engine"] = any(engine.value in runs for engine in site.engines)
        verdict["latency"] = latency is None or any(t is not None and t <= latency.p99_us for t in times)
        verdict["volume"] = not link or travels(self.q, site) <= link
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
        one_copy = all(verdict[rule] for rule in ("latency", *SHAPE[:-1])) and self.some_offer(facts)
        verdict["copies"] = not one_copy or here.together(empty=True) >= self.wanted
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
        empty: list[tuple[Offer, list[Copy]]] = [(p.offer, []) for p in places if p.offer.count > 0]
        link, sent = site.uplink_bytes_per_day, self.q.sent.get(site.name, 0)
        more = travels(self.q, site)
        verdict["volume-free"] = not link or not more or not verdict["volume"] or more + sent <= link
        fallback = self.work.demand.cpu_fallback
        Test = Callable[[Offer, list[Copy]], bool]

        def some(test: Test, among: Iterable[tuple[Offer, list[Copy]]]) -> bool:
            return any(test(offer, copies) for offer, copies in among)

        def asked_for(name: str, wanted: object, test: Test) -> None:
            verdict[name] = not wanted or some(test, units) or not some(test, empty)

        def gpus(offer: Offer, copies: list[Copy]) -> bool:
            if need.gpus:
                return len(room.whole_gpus(offer, copies)) >= need.gpus
            bare = Need(0, need.share, "", 0, 0, 0, turns=need.turns) if need.share else need
            return room.gives(offer, need) and any(
                room.free_for(offer, copies, gpu, bare) for gpu in range(offer.resources.gpus)
            )

        def gpu_bytes(offer: Offer, copies: list[Copy]) -> bool:
            if need.share:
                return room.gives(offer, need) and any(
                    room.memory_left(offer, copies, gpu) >= need.gpu_memory for gpu in range(offer.resources.gpus)
                )
            return bool(room.whole_gpus(offer, copies)) and offer.resources.gpu_memory_bytes >= need.gpu_memory

        asked_for("gpus-free", need.on_gpu and not fallback, gpus)
        asked_for("gpu-memory-free", need.gpu_memory and not fallback and not need.profile, gpu_bytes)
        asked_for("cpus-free", need.cpus, lambda o, c: room.left(o, c)[0] >= need.cpus)
        asked_for("memory-free", need.memory, lambda o, c: room.left(o, c)[1] >= need.memory)

    # Teams.

    def may_have(self, rule: str, facts: SiteFacts, offer: Offer, worlds: tuple[tuple[Teams, ...], ...]) -> bool:
        """Whether a quota lets copies stand on an offer, in the first world where it lets them on one that is meant.

        Where it does in none, all are alike.
        """
        if not self.by_model:
            return True
        meant = [one for one in facts.offers if self.meant(one)]
        for teams in worlds:
            if any(self.within(rule, one.gpu_model, teams) for one in meant):
                return self.within(rule, offer.gpu_model, teams)
        return True

    def within(self, rule: str, model: str, either: tuple[Teams, ...]) -> bool:
        """Whether all copies on GPUs of one model are within a quota, of one of these."""
        key = (rule, model, either is self.now)
        if key not in self._judged:
            wanted, team = asked(self.work, model), self.work.team
            self._judged[key] = any(
                teams.within_limits(team, wanted)
                if rule == "team-limit"
                else teams.within_share(team, wanted, yields=self.work.yields)
                for teams in either
            )
        return self._judged[key]

    @property
    def by_model(self) -> bool:
        return self.needs[0].on_gpu and self.teams.speaks_of_models

    def meant(self, offer: Offer) -> bool:
        return offer.resources.gpus > 0 and room.fits_model(offer, self.needs[0])

    def quotas(self, facts: SiteFacts, found: Answer, verdict: dict[str, bool]) -> None:
        for rule in ("team-limit", "team-quota"):
            models = [""]
            if self.by_model:
                models = [one.gpu_model for one in facts.offers if self.meant(one)]
                models = models or ([""] if self.work.demand.cpu_fallback else [])
            verdict[rule] = not models or any(self.within(rule, model, self.now) for model in models)
        stand = found.stands.get(facts.site.name)
        verdict["team-budget"] = stand is None or self.paid(stand, self.q.accounts, self.q.now)

    def paid(self, stand: Stand, accounts: dict[str, Account], now: int) -> bool:
        """Whether budgets allow for what it costs there, where so much is owed."""
        return self.teams.within_budgets(self.work, stand.cost.total * self.sites, accounts, now)

    # Money and choice.

    def price(self, found: Answer, name: str, here: Packed) -> None:
        most, shares = self.work.max_cost_micros_per_hour, self.sites
        stand = here.stand()
        if stand is not None:
            found.stands[name] = stand
        known = stand is not None and stand.known and bool(self.money.books)
        good = stand is None or (known and stand.cost.total * shares <= most)
        found.verdicts[name]["max-cost"] = not most or good

    def choose(self, found: Answer, packed: dict[str, Packed]) -> None:
        allowed = [name for name in sorted(self.q.sites) if good(found.verdicts[name], (), self.optional)]
        for name in allowed:
            stand, site = found.stands[name], self.q.sites[name].site
            assert stand.now, f"{name} is allowed without room"
            stand = found.chosen[name] = self.liked(packed[name], stand)
            penalty = found.penalties[name] = self.penalty(name, stand.slots)
            leaning, money = self.leans(site), stand.cost.total + penalty
            found.scores[name] = (leaning, money, stand.stranded, self.tie(name))
        found.order = tuple(sorted(allowed, key=lambda name: (*found.scores[name], name)))
        found.winners = found.order[: self.sites] if len(found.order) >= self.sites else ()

    def liked(self, here: Packed, cheapest: Stand) -> Stand:
        """Of the standings on the offers with no more against them than some offer has, the one of the least score."""
        name, offers = here.site.name, [place.offer for place in here.places]
        against = [self.penalty(name, (Slot(name, offer.name, 1),)) for offer in offers]
        found = {(cheapest.cost.total + self.penalty(name, cheapest.slots), cheapest.stranded, max(against)): cheapest}
        for level in sorted(set(against)):
            stand = here.only([one <= level for one in against]).stand()
            if stand is None or not stand.now or stand.need != cheapest.need:
                continue
            most, total = self.work.max_cost_micros_per_hour, stand.cost.total * self.sites
            priced = stand.known and bool(self.money.books)
            dear = most and not (priced and total <= most)
            if not dear and self.teams.within_budgets(self.work, total, self.q.accounts, self.q.now):
                found[stand.cost.total + self.penalty(name, stand.slots), stand.stranded, level] = stand
        return found[min(found)]

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


def good(verdict: dict[str, bool], but: tuple[str, ...], optional: set[str]) -> bool:
    """Whether every rule that binds allows, but for some."""
    return all(ok for rule, ok in verdict.items() if rule not in but and rule not in optional)
