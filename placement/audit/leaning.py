"""The auditor on what is preferred of offers: the least that any standing at a place scores, by its own count.

For each sum of penalties that an offer of the place has, the copies are stood on those offers alone that have no more
than that: on the cheapest one that has room for all of them, or on several. What is against a standing counts with its
price; the ceiling and the month must allow it as they allow the cheapest. In plain loops, and shared with nobody.
"""

from placement.audit.fit import Rooms
from placement.audit.ground import Lot
from placement.audit.places import Found, Judge
from placement.fleet.facts import SiteFacts
from tidegate.model.decision import Slot
from tidegate.model.policy import Rule

LEVELS = 16
FEW = 4
"""So many rules have no more sums than `LEVELS`, whatever the offers."""


class Leaning:
    """The rules that prefer, as far as they speak of offers."""

    def __init__(self, judge: Judge, rules: dict[str, Rule]) -> None:
        self.judge, self.rules = judge, rules
        self.levels: list[int] | None = None
        if len(rules) > FEW:
            every = [self._sums(facts, judge.ground.place(name).lots) for name, facts in judge.ground.sites.items()]
            self.levels = sorted({level for sums in every for _, level in sums})

    def least(self, facts: SiteFacts, found: Found, wanted: Rooms) -> tuple[int, int]:
        """Money with what is against it, and what is stranded, of the best standing on the lots that there are."""
        judge, sums = self.judge, self._sums(facts, found.lots)
        levels = self.levels or sorted({level for _, level in sums})
        best: tuple[int, int] | None = None
        for level in [*levels[:-1][:LEVELS], levels[-1]]:
            lots = tuple(lot for lot, against in sums if against <= level)
            if not judge.enough(lots, wanted):
                continue
            slots = self._slots(facts, lots, wanted)
            offers = {one.offer.name: one for lot in lots for one in lot.members}
            cost, known = judge.cost(facts.site, slots, offers, wanted)
            within = judge.affordable((cost.total, known))
            within = within and (not judge.teams.budgets or judge.teams.within_budget(cost.total))
            if not within and level != levels[-1]:
                continue
            against = sum(
                rule.penalty_micros_per_hour
                for name, rule in self.rules.items()
                if not all(judge.lawful_offer({name: rule}, facts.site, offers[slot.offer].offer) for slot in slots)
            )
            score = cost.total + against, judge.stranded(slots, offers, wanted)
            best = score if best is None else min(best, score)
        return best or (0, 0)

    def _sums(self, facts: SiteFacts, lots: tuple[Lot, ...]) -> list[tuple[Lot, int]]:
        """Each lot, taken apart where a rule knows offers by name, with the penalties of the rules that refuse it."""
        if self.judge.by_name:
            lots = tuple(
                Lot(one, (one,), (row,), one.emptied, lot.price)
                for lot in lots
                for one, row in zip(lot.members, lot.rows, strict=True)
            )
        return [
            (
                lot,
                sum(
                    rule.penalty_micros_per_hour
                    for name, rule in self.rules.items()
                    if not self.judge.lawful_offer({name: rule}, facts.site, lot.first.offer)
                ),
            )
            for lot in lots
        ]

    def _slots(self, facts: SiteFacts, lots: tuple[Lot, ...], wanted: Rooms) -> tuple[Slot, ...]:
        judge, site, choices = self.judge, facts.site, list[tuple[int, int, int, str]]()
        for lot in lots:
            copies, units = wanted.of(lot.first)
            here = units if judge.spread == "node" else min(copies, 1) if judge.spread == "zone" else copies
            if here >= judge.copies:
                name = lot.first.offer.name
                slots, offers = (Slot(site.name, name, judge.copies),), {name: lot.first}
                cost = judge.cost(site, slots, offers, wanted)[0]
                own = cost.total - cost.egress - cost.uplift
                choices.append((own, judge.stranded(slots, offers, wanted), lot.rows[0], name))
        if choices:
            return (Slot(site.name, min(choices)[-1], judge.copies),)
        return judge.filled(site, lots, wanted, judge.spread, bare=False)
