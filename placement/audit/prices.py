"""The auditor on rule prices: what the best place without each enforced rule would save, by its own count.

A rule costs something where there is a place that nothing else refuses, at a known price below the chosen one. A rule
on offers also costs something where a place that is allowed has cheaper offers that this rule alone forbids.
Nothing is said of a refusal, nor of work that is spread over sites, whose sum is not to be compared with one place.
"""

from placement.audit.places import Judge
from placement.audit.sets import Places
from placement.fleet.facts import SiteFacts
from tidegate.model.decision import Decision

Best = dict[str, tuple[int, int]]
"""By rule: the least price, and the row of the first place that has it."""


def findings(decision: Decision, judge: Judge, refused: dict[str, Places]) -> list[str]:
    """What is wrong with the prices of rules. `refused`: the places that each rule refuses."""
    best: Best = {}
    if decision.slots and not judge.by_site:
        _of_places(judge, refused, best)
        _of_offers(judge, refused, best)
    names, chosen = list(judge.ground.sites), decision.cost.total
    true = {rule: (names[row], chosen - total) for rule, (total, row) in best.items() if total < chosen}
    said = {one.rule: (one.cheaper_site, one.micros_per_hour) for one in decision.rule_prices}
    found = [] if len(said) == len(decision.rule_prices) else ["rule prices: a rule has two"]
    for rule in sorted(said.keys() | true.keys()):
        if said.get(rule) != true.get(rule):
            found.append(f"rule prices: {rule} costs {true.get(rule)}, said {said.get(rule)}")
    return found


def _of_places(judge: Judge, refused: dict[str, Places], best: Best) -> None:
    binding = {rule: places for rule, places in refused.items() if rule not in judge.advises and places}
    once = twice = 0
    for places in binding.values():
        twice |= once & places
        once |= places
    alone = once & ~twice
    sites = list(judge.ground.sites.values())
    for rule, places in binding.items():
        for row in _rows(places & alone):
            there = judge.found(sites[row], sites[row].site, judge.soon(sites[row]), usable=True)
            _offer(best, rule, judge.price(sites[row].site, there), row)


def _of_offers(judge: Judge, refused: dict[str, Places], best: Best) -> None:
    sites = list(judge.ground.sites.values())
    for rule in judge.binding:
        others = {name: one for name, one in judge.binding.items() if name != rule}
        no = {name: places for name, places in refused.items() if name != rule}
        for row in _rows(judge.allowed(no)):
            facts = sites[row]
            place = judge.ground.place(facts.site.name)
            lots = judge.held(judge.open_to(place.lots, facts.site, others), place)
            soon = judge.soon(facts)
            lots = tuple(lot for lot in lots if not soon or lot.first.offer.device_class in soon)
            wanted = next((w for w in judge.wants if judge.enough(lots, w)), None)
            if wanted is not None:
                price = judge.cheapest(facts.site, lots, wanted, judge.spread, bare=False)
                if refused[rule] >> row & 1 or price[0] < _with_all(judge, facts):
                    _offer(best, rule, price, row)


def _with_all(judge: Judge, facts: SiteFacts) -> int:
    """What an allowed place costs under every rule: where that is no more, the rule on offers costs nothing there."""
    price = judge.price(facts.site, judge.found(facts, facts.site, judge.soon(facts), usable=True))
    return price[0] if price else 0


def _offer(best: Best, rule: str, price: tuple[int, bool] | None, row: int) -> None:
    if price is not None and price[1] and (rule not in best or (price[0], row) < best[rule]):
        best[rule] = price[0], row


def _rows(places: Places) -> list[int]:
    """The rows of a set, in order."""
    return [row for row in range(places.bit_length()) if places >> row & 1]
