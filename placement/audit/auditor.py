"""The auditor: an independent judge of one decision, from the nouns alone.

It shares no code with the engine, the rules, the packing or the scoring: plain loops over plain facts, written to be
read beside the design. What it finds of places by itself stands in `places`, what a rule of the law means in
`meaning`, what is kept of a fleet from one decision to the next in `ground`.
It runs in tests and before a decision is adopted; a finding refuses the decision and raises an alarm.

What it holds a decision to:
1. every candidate is judged by every rule, and each verdict is the auditor's own; who was left out is who the caller
   left out;
2. every "no" has its miss, nothing else has one, and the miss's numbers say "no" too;
3. `ranked` is exactly what all enforced rules allow, with slots that fit, at the right cost, in the right order;
4. the slots are those of the best; a refusal missed nothing that is lawful and fits; the month is what an hour comes to
   (`month`);
5. every copy has a seat, and no unit and no GPU is given more than it has (`room`);
6. each proposal makes it fit, with nothing in it that could be left out, and breaks no law (`proposals`);
7. each rule's price is what the best place without it would save, and no rule that costs something is left out
   (`prices`);
8. each rule is of its kind, and where waiting never helps is told (`waiting`).

What it does not judge: which of a site's offers should hold the copies, what a miss found where it does say "no", and
whether other proposals were better. Limits: linear in sites and offers, some ten times slower than the engine.
"""

from hashlib import blake2b

from placement.audit import meaning, month, prices, proposals, waiting
from placement.audit.ground import ground_of
from placement.audit.leaning import Leaning
from placement.audit.places import Judge
from placement.audit.room import gives, wrong_seats
from placement.fleet.facts import SiteFacts
from placement.fleet.fleet import Fleet
from placement.law.law import Law
from tidegate.model.decision import Cost, Decision, Lack, Outcome, Ranked, RuleColumn, Score, Unit
from tidegate.model.packed import count_zeros, unpack_numbers, zeros
from tidegate.model.policy import Effect
from tidegate.model.site import Offer, Site
from tidegate.model.workload import Workload


def audit(
    workload: Workload,
    decision: Decision,
    fleet: Fleet,
    law: Law,
    *,
    model_digest: str = "",
    exclude: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """What is wrong with a decision made on this fleet under this law; empty where nothing is.

    `exclude` is what the caller asked the engine to leave out. Call it before the decision's slots are taken.
    """
    return tuple(_Audit(workload, decision, fleet, law, model_digest, exclude).findings())


class _Audit:
    def __init__(
        self, workload: Workload, decision: Decision, fleet: Fleet, law: Law, digest: str, exclude: frozenset[str]
    ) -> None:
        self.workload, self.decision, self.law = workload, decision, law
        self.ground = ground_of(fleet)
        self.judge = Judge(workload, fleet, self.ground, law, digest, decision.decided_at)
        self.facts, self.rows = self.ground.sites, self.ground.rows
        self.excluded = sum(1 << row for name, row in self.rows.items() if name in exclude) if exclude else 0
        self.by_site, self.copies = self.judge.by_site, self.judge.copies
        self.prefers = {name: rule for name, rule in self.judge.rules.items() if rule.effect is Effect.PREFER}
        on_offers = {name: rule for name, rule in self.prefers.items() if name in self.judge.on_offers}
        self.leaning = Leaning(self.judge, on_offers) if on_offers else None
        self.ranked: tuple[Ranked, ...] = ()

    def findings(self) -> list[str]:
        decision = self.decision
        if decision.candidates != tuple(self.facts):
            return ["candidates: not every site by name"]
        found: list[str] = []
        try:
            for column in decision.columns:
                found += self.check_misses(column)
            self.ranked = decision.ranked
        except (IndexError, TypeError, ValueError) as error:
            return [f"the matrix or the ranking cannot be read: {error}"]
        if decision.policies != tuple(policy.ref for policy in self.law.policies):
            found.append("policies: not those in force")
        everywhere = self.judge.everywhere
        said = int.from_bytes(decision.among, "little") if decision.among else everywhere
        if said != everywhere & ~self.excluded:
            found.append("among: not who the caller asked about")
        found += self.judge.bill.findings(decision)
        refused = self.judge.refused(self.excluded)
        found += self.check_matrix(refused)
        allowed = self.judge.allowed(refused)
        found += self.check_ranked({name for name, row in self.rows.items() if allowed >> row & 1})
        found += self.check_outcome()
        found += month.findings(decision.monthly, decision.cost, self.workload, self.interruptions_ppm())
        found += self.check_seats()
        known = all(slot.site in self.facts for slot in decision.slots)
        if known and decision.readings != self.judge.reach.readings(decision.slots, self.facts):
            found.append("readings: not what was measured or declared")
        found += proposals.findings(decision, self.judge, self.excluded)
        found += prices.findings(decision, self.judge, refused)
        found += waiting.findings(decision, self.judge, refused)
        return found

    # 1 and 2: the matrix and its misses.

    def check_matrix(self, refused: dict[str, int]) -> list[str]:
        found: list[str] = []
        names, everywhere = self.decision.candidates, self.judge.everywhere
        columns = {column.rule: column for column in self.decision.columns}
        if names and (set(columns) != set(refused) or len(columns) != len(self.decision.columns)):
            return [f"columns: {sorted(set(columns) ^ set(refused))} should not differ"]
        for name, column in columns.items():
            if column.bits and len(column.bits) != _up(len(names), 8):
                found.append(f"{name}: {len(column.bits)} bytes of verdicts for {len(names)} candidates")
                continue
            said = int.from_bytes(column.bits, "little") & everywhere if column.bits else everywhere
            differing = said ^ everywhere ^ refused.get(name, 0)
            if differing:
                found += [f"{name} at {n}: not what it said" for row, n in enumerate(names) if differing >> row & 1]
            rule = self.judge.rules.get(name)
            because = rule is None or column.because == self.because(name)
            enforced = column.enforced == (name not in self.judge.advises)
            penalty = rule.penalty_micros_per_hour if rule and rule.effect is Effect.PREFER else 0
            if not (because and enforced and column.penalty_micros_per_hour == penalty):
                found.append(f"{name}: not the rule that is in force")
        return found

    def because(self, name: str) -> str:
        """The reason that a rule of the law gives, or else its policy."""
        policy = next(one for one in self.law.policies if name.startswith(f"{one.name}/"))
        return self.judge.rules[name].because or policy.because

    def check_misses(self, column: RuleColumn) -> list[str]:
        """Every miss, where it lies in its column. IndexError or ValueError where it says nothing."""
        count = count_zeros(column.bits, len(self.decision.candidates))
        parts = (column.offer_codes, column.measured_at, column.samples, column.likely, column.parts)
        offers, *_ = (unpack_numbers(part, count) for part in parts)
        if column.offers and not all(0 <= offer < len(column.offers) for offer in set(offers)):
            raise IndexError(f"{column.rule}: no such offer")
        codes, numbers = unpack_numbers(column.codes, count), unpack_numbers(column.numbers, count)
        if not all(0 <= code < len(column.lacks) for code in set(codes)):
            raise IndexError(f"{column.rule}: a miss that lacks nothing")
        compared = {c: one for c, one in enumerate(column.lacks) if one.unit is not Unit.WORDS and not one.found}
        if not compared:
            return []
        yes = [at for at, (code, n) in enumerate(zip(codes, numbers, strict=True)) if _says_yes(compared.get(code), n)]
        sites = zeros(column.bits, len(self.decision.candidates)) if yes else ()
        return [f"{column.rule} at {self.decision.candidates[sites[at]]}: the miss's numbers say yes" for at in yes]

    # 3: what is ranked, and money.

    def check_ranked(self, allowed: set[str]) -> list[str]:
        found: list[str] = []
        ranked = self.ranked
        if len(ranked) != len({one.site for one in ranked}) or {one.site for one in ranked} != allowed:
            found.append(f"ranked: {sorted({one.site for one in ranked} ^ allowed)} should not differ")
        for one in ranked:
            found += self.check_one(one, self.facts[one.site])
        if list(ranked) != sorted(ranked, key=lambda one: one.score):
            found.append("ranked: not in the order of the scores")
        return found

    def check_one(self, one: Ranked, facts: SiteFacts) -> list[str]:
        judge, place = self.judge, self.ground.place(one.site)
        offers = {o.offer.name: o for o in place.stands}
        there = judge.found(facts, facts.site, judge.soon(facts), usable=True)
        usable = {place.stands[row].offer.name for lot in there.lots for row in lot.rows}
        names = [slot.offer for slot in one.slots]
        if set(names) - offers.keys() or len(set(names)) < len(names) or any(s.site != one.site for s in one.slots):
            return [f"{one.site}: slots that are not offers of the site, once each"]
        wanted = next((w for w in judge.wants if judge.enough(there.lots, w)), None)
        if wanted is None or sum(slot.count for slot in one.slots) != self.copies:
            return [f"{one.site}: not as many copies as asked, or no room for them"]
        found: list[str] = []
        zones = [offers[name].offer.zone for name in names]
        for slot in one.slots:
            copies, units = wanted.of(offers[slot.offer]) if slot.offer in usable else (0, 0)
            if not 0 < slot.count <= (units if judge.spread == "node" else copies):
                found.append(f"{one.site}/{slot.offer}: {slot.count} copies exceed what is free")
        if judge.spread == "zone" and len(set(zones)) < self.copies:
            found.append(f"{one.site}: copies share a zone")
        if found:
            return found
        cost = judge.cost(facts.site, one.slots, offers, wanted)[0]
        if one.cost != cost:
            found.append(f"{one.site}: costs {cost}, said {one.cost}")
        penalty = self.penalty(facts.site, [offers[name].offer for name in names])
        if one.penalty_micros_per_hour != penalty:
            found.append(f"{one.site}: a penalty of {penalty}, said {one.penalty_micros_per_hour}")
        left = judge.stranded(one.slots, offers, wanted)
        if self.leaning is not None:
            least = self.leaning.least(facts, there, wanted)
            others = penalty - self.penalty(facts.site, [offers[name].offer for name in names], of_offers=True)
            if (cost.total + penalty - others, left) != least:
                found.append(f"{one.site}: another standing scores {least}")
        score = self.score(facts.site, cost.total + penalty, left)
        if one.score != score:
            found.append(f"{one.site}: scores {score}, said {one.score}")
        return found

    def penalty(self, site: Site, chosen: list[Offer], *, of_offers: bool = False) -> int:
        """What rules that prefer other places add to a candidate; `of_offers`: those alone that speak of offers."""
        total, judge = 0, self.judge
        for name, rule in self.prefers.items():
            if of_offers and name not in judge.on_offers:
                continue
            if name in judge.on_offers:
                liked = all(meaning.lawful_at(rule, self.workload, site, offer, judge.team) for offer in chosen)
            else:
                liked = bool(judge.lawful[name] >> self.rows[site.name] & 1)
            total += 0 if liked else rule.penalty_micros_per_hour
        return total

    def score(self, site: Site, money: int, left: int) -> Score:
        prefer = self.workload.prefer
        leans = bool(prefer.tiers or prefer.sites)
        liked = site.tier in prefer.tiers or site.name in prefer.sites
        return Score(0, int(leans and not liked), money, left, _tie(self.workload.name, site.name))

    # 4: what was chosen.

    def check_outcome(self) -> list[str]:
        ranked, wanted = self.ranked, self.workload.copies if self.by_site else 1
        if self.decision.outcome is Outcome.REFUSED:
            told = (self.decision.slots, self.decision.cost, self.decision.runner_up)
            refused = told == ((), Cost(), "") and self.decision.margin_micros_per_hour == 0
            found = [] if refused else ["refused, yet with slots, a cost or a runner-up"]
            return found + (["refused, though enough sites are allowed"] if len(ranked) >= wanted else [])
        best = ranked[:wanted]
        found = []
        if len(best) < wanted or self.decision.slots != tuple(slot for one in best for slot in one.slots):
            found.append("slots: not those of the best")
        if self.decision.cost != sum((one.cost for one in best), Cost()):
            found.append("cost: not that of the slots")
        other = ranked[wanted] if len(ranked) > wanted else None
        margin = other.cost.total - best[-1].cost.total if other and best else 0
        next_best = (self.decision.runner_up, self.decision.margin_micros_per_hour)
        if next_best != (other.site if other else "", margin):
            found.append(f"runner-up: {other.site if other else 'nobody'} by {margin}, said {next_best}")
        return found

    def interruptions_ppm(self) -> int:
        """How often an hour one of the chosen units is expected to be taken away, in millionths."""
        total, judge = 0, self.judge
        for one in self.ranked:
            slots = tuple(slot for slot in self.decision.slots if slot.site == one.site)
            if slots and slots == one.slots:
                facts, offers = self.facts[one.site], {o.offer.name: o for o in self.ground.place(one.site).stands}
                lots = judge.found(facts, facts.site, judge.soon(facts), usable=True).lots
                wanted = next((w for w in judge.wants if judge.enough(lots, w)), None)
                if wanted and all(wanted.each(offers[slot.offer]) for slot in slots if slot.offer in offers):
                    total += judge.bill.interruptions_ppm(facts.site, judge.standing(slots, offers, wanted))
        return total

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
            stands = next(o for o in self.ground.place(slot.site).stands if o.offer.name == slot.offer)
            need = (self.judge.wants[0] if all(seat.gpus for seat in mine) else self.judge.wants[-1]).need
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


def _says_yes(lack: Lack | None, found: int) -> bool:
    """Whether a miss that compares numbers would be satisfied by them."""
    if lack is None:
        return False
    if lack.operator == "Ge":
        return found >= lack.wanted_number
    return lack.operator == "Le" and found <= lack.wanted_number
