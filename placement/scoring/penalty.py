"""Penalty: what rules that prefer other places add to a candidate's money. Ranked with it, recorded beside it.

Only what every enforced rule allows is ranked, so a penalty of any size outbids no law. A rule on offers counts against
a candidate whose copies would stand on an offer that it refuses, once, however many of them do.
"""

import numpy as np

from placement.fleet.columns import Mask, Numbers
from placement.fleet.fleet import Fleet
from placement.law.legal import Legal
from placement.packing.packing import Packing
from placement.rules.law import LawRule
from placement.verdicts import Verdicts
from tidegate.model.workload import Workload

Against = list[tuple[Mask, int]]
"""Of each rule on offers: those that it refuses, shape (offers,), and the penalty in micros per hour."""


def penalties(verdicts: Verdicts, workload: Workload, fleet: Fleet, rows: Numbers) -> Numbers:
    """Shape (rows,): micros per hour at each of these sites, which all fit."""
    total = np.zeros(len(rows), dtype=np.int64)
    if not verdicts.legal.preferring:
        return total
    for column in verdicts.legal.preferring:
        rule = column.rule
        if isinstance(rule, LawRule) and not rule.of_offers:
            total += np.where(~column.allowed[rows], rule.penalty_micros_per_hour, 0)
    return total + where_they_stand(against_offers(verdicts.legal, workload, fleet), verdicts.packing, rows)


def against_offers(legal: Legal, workload: Workload, fleet: Fleet) -> Against:
    """What the rules that prefer say of offers."""
    rules = [one.rule for one in legal.preferring if isinstance(one.rule, LawRule) and one.rule.of_offers]
    return [(~rule.offers(workload, fleet), rule.penalty_micros_per_hour) for rule in rules]


def where_they_stand(against: Against, packing: Packing, rows: Numbers) -> Numbers:
    """Shape (rows,): the penalties of the offers that the packing chose at these of its sites, which all fit."""
    total = np.zeros(len(rows), dtype=np.int64)
    if against and len(rows):
        offers, _, more = packing.slot_columns(rows)
        starts = None if more is None else np.cumsum(1 + more) - (1 + more)
        for refused, micros in against:
            some = refused[offers] if starts is None else np.logical_or.reduceat(refused[offers], starts)
            total += np.where(some, micros, 0)
    return total
