"""Leaning: on which offers of a place copies stand where a rule prefers others than the cheapest.

A rule that prefers (`effect: prefer`) and speaks of offers adds its penalty to a place whose copies stand on an offer
that it refuses. The packing knows prices alone. So where what it chose is refused by such a rule, it is asked again for
the offers with less against them: for each sum of penalties that an offer of the fleet has, for those that have no more
than that. Of all these standings that of the least score is kept: money and penalty together, then what it strands,
then the least sum.

Only places that every enforced rule allows are asked, and only for what these rules allow too: as much room, GPUs where
there are some, within the ceiling and the budget. So a preference takes no place away and brings none back; what rules
say, and what they cost, is told of the cheapest offers, as if nothing were preferred.

Limits: the least `MOST_LEVELS` sums are tried, a packing each. Work to which no such rule speaks pays nothing.
"""

import numpy as np

from placement.fleet.columns import Mask, Numbers
from placement.fleet.fleet import Fleet
from placement.packing.packing import Packing
from placement.rules.law import LawRule
from placement.rules.max_cost import MaxCost
from placement.rules.team_budget import TeamBudget
from placement.scoring.cost import Costs
from placement.scoring.penalty import Against, against_offers, where_they_stand
from placement.verdicts import Question, Verdicts
from tidegate.model.workload import Workload

MOST_LEVELS = 16


def leans(verdicts: Verdicts) -> bool:
    """Whether a rule that prefers speaks of offers to the workload."""
    preferring = verdicts.legal.preferring
    return bool(preferring) and any(isinstance(one.rule, LawRule) and one.rule.of_offers for one in preferring)


def leaning(verdicts: Verdicts, workload: Workload, fleet: Fleet, question: Question) -> Verdicts:
    """With the packing and the costs of where copies are to stand; the same object where that is as it was."""
    if not leans(verdicts):
        return verdicts
    against = against_offers(verdicts.legal, workload, fleet)
    rows = verdicts.allowed.nonzero()[0]
    rows = rows[where_they_stand(against, verdicts.packing, rows) > 0]
    return _Leaning(verdicts, workload, fleet, question).among(rows, against) if len(rows) else verdicts


class _Leaning:
    """One question, asked at other offers of the same places."""

    def __init__(self, verdicts: Verdicts, workload: Workload, fleet: Fleet, question: Question) -> None:
        self.verdicts, self.workload, self.fleet, self.question = verdicts, workload, fleet, question

    def among(self, rows: Numbers, against: Against) -> Verdicts:
        """`rows`: the sites where something is against the cheapest offers."""
        base, columns = self.verdicts.packing, self.fleet.columns
        sums = np.zeros(len(columns.offers), dtype=np.int64)
        for refused, micros in against:
            sums[refused] += micros
        money = self.verdicts.costs.total[rows] + where_they_stand(against, base, rows)
        stranded, best = base.charged.fragmentation[rows], base
        for level in np.unique(sums)[:-1][:MOST_LEVELS][::-1].tolist():
            part = self._packed(rows, sums <= level)
            same = (part.fits & (part.falls_back == base.falls_back[rows])).nonzero()[0]
            whole = base.put(rows[same], part, same)
            total = self._costs(whole)
            same = same[self._within(whole, total)[rows[same]]]
            here = total.total[rows[same]] + where_they_stand(against, part, same)
            left = part.charged.fragmentation[same]
            better = (here < money[same]) | ((here == money[same]) & (left <= stranded[same]))
            same, here, left = same[better], here[better], left[better]
            money[same], stranded[same] = here, left
            best = best.put(rows[same], part, same) if len(same) else best
        return self.verdicts if best is base else self.verdicts._replace(packing=best, costs=self._costs(best))

    def _packed(self, rows: Numbers, open_to: Mask) -> Packing:
        base, columns = self.verdicts.packing, self.fleet.columns
        usable, prices = base.usable.within(open_to, open_to), self.question.law.prices(columns)
        return Packing(self.workload, columns, prices, usable, base.other_models, tuple(rows.tolist()))

    def _costs(self, packing: Packing) -> Costs:
        columns, source = self.fleet.columns, self.question.source_region
        if source is None:
            source = columns.region_of_location(self.workload.data.origin)
        return Costs(self.workload, columns, self.question.law.tariff, packing, source)

    def _within(self, packing: Packing, total: Costs) -> Mask:
        """Shape (sites,): where the ceiling and the month allow what it would cost."""
        law, workload, fleet = self.question.law, self.workload, self.fleet
        within: Mask = TeamBudget(law.tree, packing, total.total, self.question.now).allows(workload, fleet)
        if workload.max_cost_micros_per_hour:
            within &= MaxCost(packing, total.total, law.price_book is not None).allows(workload, fleet)
        return within
