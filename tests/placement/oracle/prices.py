"""What each rule costs, the long way: the question is asked again without it.

A rule of the law is left out of the question, and what is then the cheapest place counts, of those that it alone
refused or, where it speaks of offers, kept to other offers. A rule of the engine's own cannot be left out: there the
price is that of the cheapest place which it alone refuses, as if nothing stood there, or copies stood closer, or the
answer came sooner, or the model were another. Only what would save money is a price, and only known prices count.
"""

from tests.placement.oracle.judge import Answer, Judge, good
from tests.placement.oracle.laws import of_offers
from tests.placement.oracle.question import Question
from tidegate.model.workload import Spread

Prices = dict[str, tuple[str, int]]
"""By rule, the cheaper place and what is saved there, micros an hour."""


def prices(q: Question, answer: Answer) -> Prices:
    """What is expected of `Decision.rule_prices`; nothing where several sites are chosen, or none."""
    if q.work.spread is Spread.SITE or not answer.winners:
        return {}
    judge, found = Judge(q), Prices()
    below = answer.cost.total
    for rule in sorted({rule for verdict in answer.verdicts.values() for rule in verdict} - judge.optional):
        noun = next((one for name, one in judge.rules if name == rule), None)
        if noun is not None and of_offers(noun):
            there = _without(q, rule, answer)
        else:
            there = {
                name: stand.cost.total
                for name, stand in answer.stands.items()
                if stand.known and _alone(answer.verdicts[name], rule, judge.optional)
            }
        least = min(((total, name) for name, total in there.items()), default=None)
        if least and least[0] < below:
            found[rule] = (least[1], below - least[0])
    return found


def _alone(verdict: dict[str, bool], rule: str, optional: set[str]) -> bool:
    return not verdict[rule] and good(verdict, (rule,), optional)


def _without(q: Question, rule: str, answer: Answer) -> dict[str, int]:
    """What places cost without the rule that alone refused them, or kept them to dearer offers."""
    judge = Judge(q, unless=rule)
    again, found = judge.answer(), dict[str, int]()
    for name in again.order:
        verdict, stand = answer.verdicts[name], again.stands[name]
        if stand.known and good(verdict, (rule,), judge.optional):
            before = answer.stands[name].cost.total if verdict[rule] else stand.cost.total + 1
            if stand.cost.total < before:
                found[name] = stand.cost.total
    return found
