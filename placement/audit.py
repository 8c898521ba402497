"""The auditor: an independent judge of one decision, from the nouns alone.

It shares no code with the engine, the rules, the packing or the scoring: plain loops over plain facts, one site at a
time, written to be read beside the design; equal offers are judged once. What a rule of the law means stands in
`audit_law`, what is kept of a fleet from one decision to the next in `audit_ground`.
It runs in tests and before a decision is adopted; a finding refuses the decision and raises an alarm.

What it holds a decision to:
1. every candidate is judged by every rule, and each verdict is the auditor's own;
2. every "no" has its miss, nothing else has one, and the miss's numbers say "no" too;
3. `ranked` is exactly what all enforced rules allow, with slots that fit, at the right cost, in the right order;
4. the slots are those of the best; a refusal missed nothing that is lawful and fits;
5. every copy has a seat, and no unit and no GPU is given more than it has (`audit_room`).

What it does not judge: which of a site's offers should hold the copies, and the relaxations and rule prices, which
advise and bind nobody.

Limits: sites excluded by the caller are not known here, so a miss that says `excluded` is believed. It is linear in
sites and offers and some tens of times slower than the engine. The file is longer than most because a judge that is
read in one place is easier to trust; what things cost it works out in `audit_money`, what has room in `audit_room`.
"""

from collections.abc import Iterable
from dataclasses import replace
from hashlib import blake2b

from placement import audit_law
from placement.audit_fit import Rooms, Traits, as_it_is, if_empty
from placement.audit_ground import ground_of
from placement.audit_money import Bill, Standing
from placement.audit_reach import Reach
from placement.audit_room import Stand, gives, needs, wrong_seats
from placement.audit_sets import LawOverPlaces
from placement.audit_teams import Teams
from placement.facts import SiteFacts
from placement.fleet import Fleet
from placement.law import Law
from tidegate.model.decision import Cost, Decision, Lack, Outcome, Ranked, Score, Slot, Unit
from tidegate.model.mig import gpu_milli
from tidegate.model.packed import unpack_numbers, zeros
from tidegate.model.policy import Effect
from tidegate.model.site import Offer, Site
from tidegate.model.workload import Workload


def audit(workload: Workload, decision: Decision, fleet: Fleet, law: Law, *, model_digest: str = "") -> tuple[str, ...]:
    """What is wrong with a decision made on this fleet under this law; empty where nothing is.

    Call it before the decision's slots are taken.
    """
    return tuple(_Audit(workload, decision, fleet, law, model_digest).findings())


class _Audit:
    def __init__(self, workload: Workload, decision: Decision, fleet: Fleet, law: Law, digest: str) -> None:
        self.workload, self.decision, self.law, self.digest = workload, decision, law, digest
        self.facts = dict(sorted(fleet.sites.items()))
        self.reach = Reach(workload, fleet, digest, decision.decided_at)
        self.teams = Teams(workload, fleet, law, decision.decided_at)
        self.by_site = workload.spread.value == "site"
        self.copies = 1 if self.by_site else workload.copies
        self.rules = {f"{policy.name}/{rule.name}": rule for policy in law.policies for rule in policy.rules}
        self.advises = {name for name, rule in self.rules.items() if rule.effect is not Effect.ENFORCE}
        self.team = next((team for team in law.teams if team.name == workload.team), None)
        self.rows = {name: row for row, name in enumerate(self.facts)}
        self.on_offers = {name: rule for name, rule in self.rules.items() if audit_law.speaks_of_offers(rule)}
        places = LawOverPlaces(workload, [facts.site for facts in self.facts.values()], self.team)
        self.lawful = {name: places.lawful(rule) for name, rule in self.rules.items() if name not in self.on_offers}
        self.unlawful = places.everywhere
        for name, allowed in self.lawful.items():
            self.unlawful &= allowed if name not in self.advises else places.everywhere
        self.unlawful ^= places.everywhere
        self.homes = [facts.site for facts in self.facts.values() if facts.site.home]
        self.comes_home = all(
            audit_law.lawful_at(self.rules[name], workload, home, None, self.team)
            for name in self.lawful
            if name not in self.advises
            for home in self.homes
        )
        self.stands = ground_of(fleet).stands
        self.bill = Bill(law, decision.decided_at, workload)
        standing = [facts.site.region for facts in self.facts.values() if facts.site.location == workload.data.origin]
        self.origin_region = standing[0] if standing else ""
        self.all_ranked: tuple[Ranked, ...] = ()
        self.ranked: dict[str, Ranked] = {}
        self.excluded: set[str] = set()
        self.numbers_say_yes: list[str] = []
        self.wanted = [Rooms(need) for need in needs(workload.demand)]
        self.wanted_of_any_model = [Rooms(replace(one.need, models=())) for one in self.wanted]
        self.traits = Traits(workload.demand)

    def findings(self) -> list[str]:
        found: list[str] = []
        names = tuple(sorted(self.facts))
        try:
            self.read_misses()
            self.all_ranked = self.decision.ranked
        except (IndexError, TypeError, ValueError) as error:
            return [f"the matrix or the ranking cannot be read: {error}"]
        self.ranked = {one.site: one for one in self.all_ranked}
        if self.decision.candidates != names:
            return ["candidates: not every site by name"]
        if self.decision.policies != tuple(policy.ref for policy in self.law.policies):
            found.append("policies: not those in force")
        found += self.bill.findings(self.decision)
        verdicts = {name: self.verdicts(self.facts[name]) for name in names}
        self.spread_over_sites(verdicts)
        found += self.check_matrix(verdicts)
        allowed = {name for name in names if self.passes(name, verdicts[name])}
        found += self.check_ranked(allowed)
        found += self.check_outcome()
        found += self.check_seats()
        return found

    def passes(self, name: str, verdict: dict[str, bool], *but: str) -> bool:
        """Whether the law on places and every other enforced rule allow a site, some rules left aside."""
        if self.unlawful >> self.rows[name] & 1:
            return False
        return all(ok or rule in self.advises or rule in but for rule, ok in verdict.items())

    # 1 and 2: the matrix and its misses.

    def check_matrix(self, verdicts: dict[str, dict[str, bool]]) -> list[str]:
        found: list[str] = []
        names = self.decision.candidates
        columns = {column.rule: column for column in self.decision.columns}
        expected = {rule for verdict in verdicts.values() for rule in verdict} | self.lawful.keys()
        if names and (set(columns) != expected or len(columns) != len(self.decision.columns)):
            return [f"columns: {sorted(set(columns) ^ expected)} should not differ"]
        for name in self.excluded & verdicts.keys():
            verdicts[name]["available"] = False
        for rule, column in columns.items():
            if column.bits and len(column.bits) != _up(len(names), 8):
                found.append(f"{rule}: {len(column.bits)} bytes of verdicts for {len(names)} candidates")
                continue
            everywhere = (1 << len(names)) - 1
            said = int.from_bytes(column.bits, "little") & everywhere if column.bits else everywhere
            found_true = self.lawful.get(rule)
            if found_true is None:
                found_true = sum(1 << row for row, name in enumerate(names) if verdicts[name][rule])
            if said != found_true:
                differing = [name for row, name in enumerate(names) if (said ^ found_true) >> row & 1]
                found += [f"{rule} at {name}: not what it said" for name in differing]
        return found + self.numbers_say_yes

    def read_misses(self) -> None:
        """Every miss, where it lies in its column. IndexError or ValueError where it says nothing."""
        names = self.decision.candidates
        for column in self.decision.columns:
            sites = [names[row] for row in zeros(column.bits, len(names))]
            parts = (column.offer_codes, column.measured_at, column.samples, column.likely, column.parts)
            offers, *_ = (unpack_numbers(part, len(sites)) for part in parts)
            if column.offers and not all(0 <= offer < len(column.offers) for offer in set(offers)):
                raise IndexError(f"{column.rule}: no such offer")
            codes = unpack_numbers(column.codes, len(sites))
            numbers = unpack_numbers(column.numbers, len(sites))
            if not all(0 <= code < len(column.lacks) for code in set(codes)):
                raise IndexError(f"{column.rule}: a miss that lacks nothing")
            compared = {
                code for code, lack in enumerate(column.lacks) if lack.unit is not Unit.WORDS and not lack.found
            }
            for site, code, number in zip(sites, codes, numbers, strict=True) if compared else ():
                if code in compared and _says_yes(column.lacks[code], number):
                    self.numbers_say_yes.append(f"{column.rule} at {site}: the miss's numbers say yes")
            if column.rule == "available":
                self.excluded |= {
                    s for s, code in zip(sites, codes, strict=True) if "excluded" in column.lacks[code].found
                }

    def verdicts(self, facts: SiteFacts) -> dict[str, bool]:
        """The auditor's own answer to every rule at one site; `spread` across sites comes later."""
        work, site = self.workload, facts.site
        offers, wanted = self.stands(site.name), self.wanted
        engines = {"ray"} if work.training else {"process", "kubernetes"}
        answer: dict[str, bool] = {
            name: audit_law.lawful(rule, work, site, facts.offers, self.team) for name, rule in self.on_offers.items()
        }
        if self.homes:
            answer["products"] = self.comes_home
        answer["available"] = facts.reachable and not facts.cordoned
        answer["engine"] = any(engine.value in engines for engine in site.engines)
        answer["latency"] = work.latency is None or self.soon_enough(site, offers)
        usable_offers = self.usable(facts, even_late=not answer["latency"])  # what it would cost late is judged too
        answer["volume"], answer["volume-free"] = self.reach.travels(site)
        binding = [name for name in self.on_offers if name not in self.advises]
        usable = all(answer[rule] for rule in (*binding, "latency"))
        place = self.traits.of(offers)
        shape = if_empty(self.traits, place)
        if not shape["gpu-model"]:
            wanted = self.wanted_of_any_model  # nor does it matter then which model it would stand on
        one_copy = usable and all(shape.values())
        emptied = [o.emptied for o in self.usable(facts, even_late=not answer["latency"], if_empty=True)]
        together = max(sum(w.of(o)[0] for o in emptied) for w in wanted)
        shape["copies"] = not one_copy or together >= self.copies
        shape["spread"] = together < self.copies or max(self.apart(emptied, w) for w in wanted) >= self.copies
        now = as_it_is(self.traits, place, shape)
        has_room = usable and all(shape.values()) and all(now.values())
        now["copies-free"] = not has_room or max(self.apart(usable_offers, w) for w in wanted) >= self.copies
        answer.update(shape)
        answer.update(now)
        answer |= self.teams.allows([o.offer for o in offers])
        matters = work.max_cost_micros_per_hour or self.teams.budgets
        price = self.price(site, (usable_offers, emptied), wanted) if matters else None
        answer["max-cost"] = self.affordable(price)
        answer["team-budget"] = price is None or not self.teams.budgets or self.teams.within_budget(price[0])
        return answer

    def spread_over_sites(self, verdicts: dict[str, dict[str, bool]]) -> None:
        """With `spread: site`, as many sites as copies must do: for good, or none does; and now, or none that would."""
        if not self.by_site:
            return
        passing = {
            "volume-free",
            "spread",
            "copies-free",
            "gpus-free",
            "gpu-memory-free",
            "cpus-free",
            "memory-free",
            "team-limit",
            "team-quota",
            "team-budget",
        }

        def allowed(*but: str) -> list[str]:
            return [
                name
                for name, verdict in verdicts.items()
                if name not in self.excluded and self.passes(name, verdict, *but)
            ]

        if len(allowed(*passing)) < self.workload.copies:
            for verdict in verdicts.values():
                verdict["spread"], verdict["copies-free"] = False, True  # the one has said what the other would
        now = allowed("team-limit", "team-quota", "team-budget")
        if len(now) < self.workload.copies:
            for name in now:
                verdicts[name]["copies-free"] = False

    # The law, as `audit_law` reads it.

    def lawful_offer(self, site: Site, offer: Offer) -> bool:
        """Whether no enforced rule that speaks of offers refuses this one."""
        return all(
            audit_law.lawful_at(rule, self.workload, site, offer, self.team)
            for name, rule in self.on_offers.items()
            if name not in self.advises
        )

    def penalty(self, site: Site, chosen: list[Offer]) -> int:
        """What rules that prefer other places add to a candidate."""
        total = 0
        for rule in self.rules.values():
            if rule.effect is Effect.PREFER:
                offers = chosen if audit_law.speaks_of_offers(rule) else [None]
                if not all(audit_law.lawful_at(rule, self.workload, site, offer, self.team) for offer in offers):
                    total += rule.penalty_micros_per_hour
        return total

    # Reach and room.

    def usable(self, facts: SiteFacts, *, even_late: bool = False, if_empty: bool = False) -> list[Stand]:
        """The offers of a site that copies may stand on, whether there is room or not; or might, if nobody held any."""
        offers = list(self.stands(facts.site.name))
        if self.on_offers:
            offers = [o for o in offers if self.lawful_offer(facts.site, o.offer)]
        within = (self.teams.emptied if if_empty else self.teams).may_hold(facts.offers)
        offers = [o for o in offers if o.offer.name in within]
        if self.workload.latency is None or even_late:
            return offers
        soon = {kind: self.in_time(facts.site, kind) for kind in {o.offer.device_class for o in offers}}
        return [o for o in offers if soon[o.offer.device_class]]

    def soon_enough(self, site: Site, offers: Iterable[Stand]) -> bool:
        """Some offer answers in time; a site that offers nothing is judged by the declared service time."""
        return any(self.in_time(site, kind) for kind in {o.offer.device_class for o in offers} or {""})

    def in_time(self, site: Site, device_class: str) -> bool:
        """Whether what a site has of a class of device answers in time."""
        latency, us = self.workload.latency, self.reach.answers_in_us(site, device_class)
        return latency is None or (us is not None and us <= latency.p99_us)

    def apart(self, offers: Iterable[Stand], wanted: Rooms, spread: str = "") -> int:
        rooms = [(o.offer.zone, *wanted.of(o)) for o in offers]
        spread = spread or self.workload.spread.value
        if spread == "node":
            return sum(units for _, _, units in rooms)
        if spread == "zone":
            return len({zone for zone, _, units in rooms if units})
        return sum(copies for _, copies, _ in rooms)

    # 3: what is ranked, and money.

    def check_ranked(self, allowed: set[str]) -> list[str]:
        found: list[str] = []
        ranked = self.all_ranked
        if len(ranked) != len({one.site for one in ranked}) or {one.site for one in ranked} != allowed:
            found.append(f"ranked: {sorted({one.site for one in ranked} ^ allowed)} should not differ")
        for one in ranked:
            if one.site in self.facts:
                found += self.check_one(one, self.facts[one.site])
        if list(ranked) != sorted(ranked, key=lambda one: one.score):
            found.append("ranked: not in the order of the scores")
        return found

    def check_one(self, one: Ranked, facts: SiteFacts) -> list[str]:
        offers = {o.offer.name: o for o in self.stands(one.site)}
        usable = {o.offer.name: o for o in self.usable(facts)}
        names = [slot.offer for slot in one.slots]
        if set(names) - offers.keys() or len(set(names)) < len(names) or any(s.site != one.site for s in one.slots):
            return [f"{one.site}: slots that are not offers of the site, once each"]
        wanted = next((w for w in self.wanted if self.apart(usable.values(), w) >= self.copies), None)
        if wanted is None or sum(slot.count for slot in one.slots) != self.copies:
            return [f"{one.site}: not as many copies as asked, or no room for them"]
        found: list[str] = []
        zones = [offers[name].offer.zone for name in names]
        for slot in one.slots:
            copies, units = wanted.of(usable[slot.offer]) if slot.offer in usable else (0, 0)
            if not 0 < slot.count <= (units if self.workload.spread.value == "node" else copies):
                found.append(f"{one.site}/{slot.offer}: {slot.count} copies exceed what is free")
        if self.workload.spread.value == "zone" and len(set(zones)) < self.copies:
            found.append(f"{one.site}: copies share a zone")
        cost = self.cost(facts.site, one.slots, offers, wanted)[0]
        if one.cost != cost:
            found.append(f"{one.site}: costs {cost}, said {one.cost}")
        penalty = self.penalty(facts.site, [offers[name].offer for name in names])
        if one.penalty_micros_per_hour != penalty:
            found.append(f"{one.site}: a penalty of {penalty}, said {one.penalty_micros_per_hour}")
        score = self.score(facts.site, cost.total + penalty, one.slots, offers, wanted)
        if one.score != score:
            found.append(f"{one.site}: scores {score}, said {one.score}")
        return found

    def units(self, slot: Slot, o: Stand, wanted: Rooms, spread: str = "") -> int:
        each = wanted.each(o)
        return slot.count if (spread or self.workload.spread.value) == "node" else _up(slot.count, each)

    def cost(
        self, site: Site, slots: tuple[Slot, ...], offers: dict[str, Stand], wanted: Rooms, spread: str = ""
    ) -> tuple[Cost, bool]:
        """The cost of slots at a site, and whether every bought unit in it has a listed price."""
        standing = [
            Standing(
                offers[slot.offer].offer,
                slot.count,
                self.units(slot, offers[slot.offer], wanted, spread),
                wanted.each(offers[slot.offer]),
            )
            for slot in slots
        ]
        return self.bill.cost(site, standing, self.origin_region)

    def affordable(self, price: tuple[int, bool] | None) -> bool:
        """The ceiling against the price."""
        most = self.workload.max_cost_micros_per_hour
        return not (most and price) or (price[1] and price[0] * (self.workload.copies if self.by_site else 1) <= most)

    def price(self, site: Site, offers: tuple[list[Stand], list[Stand]], wants: list[Rooms]) -> tuple[int, bool] | None:
        """What the copies cost, and whether every price is known; None where they could not stand there at all.

        As far apart as asked, now or else if nothing stood there; or else however close, now or if nothing did.
        """
        asked = self.workload.spread.value
        for spread in (asked, "none") if asked in ("node", "zone") else (asked,):
            for there in offers:
                wanted = next((w for w in wants if self.apart(there, w, spread) >= self.copies), None)
                if wanted is not None:
                    return self.cheapest(site, there, wanted, spread)
        return None

    def cheapest(self, site: Site, offers: list[Stand], wanted: Rooms, spread: str) -> tuple[int, bool]:
        """The cheapest single offer with room for all copies or, where there is none, several offers filled."""
        by_name = {o.offer.name: o for o in offers}
        choices: list[tuple[int, int, int, bool]] = []
        for index, o in enumerate(offers):
            copies, units = wanted.of(o)
            most_here = units if spread == "node" else min(copies, 1) if spread == "zone" else copies
            if most_here >= self.copies:
                slots = (Slot(site.name, o.offer.name, self.copies),)
                cost, known = self.cost(site, slots, by_name, wanted, spread)
                choices.append((cost.total, self.stranded(slots, by_name, wanted, spread), index, known))
        if choices:
            total, _, _, known = min(choices)
            return total, known
        cost, known = self.cost(site, self.filled(site, offers, wanted, spread), by_name, wanted, spread)
        return cost.total, known

    def filled(self, site: Site, offers: list[Stand], wanted: Rooms, spread: str) -> tuple[Slot, ...]:
        """The copies on several offers: the cheapest per copy first, one in each zone where the spread is by zone."""
        left, zones = self.copies, set[str]()
        by_price: list[tuple[int, int, int]] = []
        for index, o in enumerate(offers):
            copies, units = wanted.of(o)
            if copies:
                each = wanted.each(o)
                full, _ = self.bill.cost(site, [Standing(o.offer, each, 1, each)], self.origin_region)
                paid = full.compute + full.idle + full.spot_loss + full.availability
                by_price.append((_up(paid, each), index, units if spread == "node" else copies))
        slots: list[Slot] = []
        for _, index, most in sorted(by_price):
            zone = offers[index].offer.zone
            count = min(left, most) if spread != "zone" else int(zone not in zones and left > 0)
            zones.add(zone)
            left -= count
            slots += [Slot(site.name, offers[index].offer.name, count)] if count else []
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

    def score(self, site: Site, money: int, slots: tuple[Slot, ...], offers: dict[str, Stand], wanted: Rooms) -> Score:
        prefer = self.workload.prefer
        leans = bool(prefer.tiers or prefer.sites)
        liked = site.tier in prefer.tiers or site.name in prefer.sites
        left = self.stranded(slots, offers, wanted)
        return Score(0, int(leans and not liked), money, left, _tie(self.workload.name, site.name))

    # 4: what was chosen.

    def check_outcome(self) -> list[str]:
        ranked, wanted = self.all_ranked, self.workload.copies if self.by_site else 1
        if self.decision.outcome is Outcome.REFUSED:
            told = (self.decision.slots, self.decision.runner_up, self.decision.margin_micros_per_hour)
            found = ["refused, yet with slots or a runner-up"] if told != ((), "", 0) else []
            return found + (["refused, though enough sites are allowed"] if len(ranked) >= wanted else [])
        best = ranked[:wanted]
        found = []
        if len(best) < wanted or self.decision.slots != tuple(slot for one in best for slot in one.slots):
            found.append("slots: not those of the best")
        if self.decision.cost.total != sum(one.cost.total for one in best):
            found.append("cost: not that of the slots")
        other = ranked[wanted] if len(ranked) > wanted else None
        margin = other.cost.total - best[-1].cost.total if other and best else 0
        next_best = (self.decision.runner_up, self.decision.margin_micros_per_hour)
        if next_best != (other.site if other else "", margin):
            found.append(f"runner-up: {other.site if other else 'nobody'} by {margin}, said {next_best}")
        return found

    # 5: where the copies sit.

    def check_seats(self) -> list[str]:
        seats, slots = self.decision.seats, self.decision.slots
        if len(seats) != sum(slot.count for slot in slots) or any(slot.site not in self.facts for slot in slots):
            return ["seats: not one for each copy"]
        found: list[str] = []
        for slot in slots:
            mine, seats = seats[: slot.count], seats[slot.count :]
            facts = self.facts[slot.site]
            offer = next((offer for offer in facts.offers if offer.name == slot.offer), None)
            if offer is None:
                return [f"{slot.site}: no offer {slot.offer}"]
            stands = next(o for o in self.stands(slot.site) if o.offer.name == slot.offer)
            need = (self.wanted[0] if all(seat.gpus for seat in mine) else self.wanted[-1]).need
            if (need.models and offer.gpu_model not in need.models) or not gives(offer, need):
                found.append(f"{slot.site}/{slot.offer}: does not give out what is wanted")
            alone = self.workload.spread.value == "node"
            found += wrong_seats(stands.used_units, offer, slot.site, need, mine, alone=alone)
        return found


def _tie(workload: str, site: str) -> int:
    """SplitMix64's finaliser over 64 bits of each name, the upper half."""
    first, second = (int(blake2b(name.encode(), digest_size=8).hexdigest(), 16) for name in (workload, site))
    mixed = first ^ second
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ mixed >> shift) * factor % 2**64
    return (mixed ^ mixed >> 31) >> 32


def _up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


def _says_yes(lack: Lack, found: int) -> bool:
    """Whether a miss that compares numbers would be satisfied by them."""
    if lack.operator == "Ge":
        return found >= lack.wanted_number
    return lack.operator == "Le" and found <= lack.wanted_number
