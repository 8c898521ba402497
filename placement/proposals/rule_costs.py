"""What rules cost a placed workload: the best place without each of them, against the place that was chosen."""

from dataclasses import dataclass

import numpy as np

from placement.bits import to_bits, to_mask
from placement.fleet.fleet import Fleet
from placement.packing.packing import Packing
from placement.rules.law import lawful_offers
from placement.scoring.cost import Costs
from placement.verdicts import Question, Verdicts
from tidegate.model.decision import Cost, RulePrice
from tidegate.model.workload import Workload


@dataclass(frozen=True, slots=True)
class Cheapest:
    """The best place that one rule alone refuses, and what it would cost there, micros per hour."""

    rule: str
    site: str
    total: int


def cheapest_without(verdicts: Verdicts, fleet: Fleet, below: int) -> tuple[Cheapest, ...]:
    """For each enforced rule, the cheapest site below a price which only this rule refuses, where there is one.

    A site has a price where the copies could stand, if only nothing stood there now or they stood closer, the answer
    came sooner or the model were another (`placement.packing.packing`); so rules on room have theirs too: it is what
    waiting would save.
    """
    found: list[Cheapest] = []
    total, packing = verdicts.costs.total, verdicts.packing
    for column, alone in verdicts.by_one_alone(to_bits(packing.priceable & packing.charged.priced & (total < below))):
        rows = np.flatnonzero(to_mask(alone, len(total)))
        cheapest = int(rows[np.argmin(total[rows])])
        found.append(Cheapest(column.rule.name, fleet.columns.names[cheapest], int(total[cheapest])))
    return tuple(found)


def cheapest_with_offers(
    verdicts: Verdicts, workload: Workload, fleet: Fleet, question: Question, below: int
) -> tuple[Cheapest, ...]:
    """The same for each enforced rule on offers, packed again with those that it forbids: of a site that it allows too.

    A packing for each such rule that forbids an offer here; there are few.
    """
    law, columns = question.law, fleet.columns
    on_offers = (
        [rule for rule in law.rules if rule.enforced and rule.of_offers] if verdicts.legal.offers is not None else []
    )
    found: list[Cheapest] = []
    for rule in on_offers:
        if rule.offers(workload, fleet).all():
            continue
        lawful = lawful_offers(tuple(one for one in on_offers if one is not rule), workload, fleet)
        packing = Packing(workload, columns, law.prices(columns), verdicts.usable.within(lawful, lawful))
        source = question.source_region or columns.region_of_location(workload.data.origin)
        total = Costs(workload, columns, law.tariff, packing, source).total
        open_to = verdicts.refusals == ~rule.allows(workload, fleet)  # by no rule, or by this one alone
        kept_dearer = ~rule.allows(workload, fleet) | (total < verdicts.costs.total)
        rows = np.flatnonzero(open_to & packing.fits & packing.charged.priced & (total < below) & kept_dearer)
        if len(rows):
            cheapest = int(rows[np.argmin(total[rows])])
            found.append(Cheapest(rule.name, columns.names[cheapest], int(total[cheapest])))
    return tuple(found)


def rule_prices(without: tuple[Cheapest, ...], chosen: Cost) -> tuple[RulePrice, ...]:
    """What each rule costs: the chosen cost less that of the best place without it. Only those that cost something.

    With `spread: site` the chosen cost is a sum over sites, not to be compared with one site: do not ask.
    """
    saved = ((one, chosen.total - one.total) for one in without)
    return tuple(RulePrice(one.rule, one.site, money) for one, money in saved if money > 0)
