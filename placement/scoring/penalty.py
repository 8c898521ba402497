"""Penalty: what rules that prefer other places add to a candidate's money. Ranked with it, recorded beside it.

Only what every enforced rule allows is ranked, so a penalty of any size outbids no law. A rule on offers counts against
a candidate whose copies would stand on an offer that it refuses.
"""

import numpy as np

from placement.fleet.columns import Numbers
from placement.fleet.fleet import Fleet
from placement.rules.law import LawRule
from placement.verdicts import Verdicts
from tidegate.model.workload import Workload


def penalties(verdicts: Verdicts, workload: Workload, fleet: Fleet, rows: Numbers) -> Numbers:
    """Shape (rows,): micros per hour at each of these sites, which all fit."""
    columns, total = fleet.columns, np.zeros(len(rows), dtype=np.int64)
    for column in verdicts.legal.preferring:
        rule = column.rule
        assert isinstance(rule, LawRule)
        refused = ~column.allowed[rows]
        if rule.of_offers:
            good = rule.offers(workload, fleet)
            for place, row in enumerate(rows.tolist()):
                chosen = (columns.offer_row[slot.site, slot.offer] for slot in verdicts.packing.slots(row))
                refused[place] = not all(good[offer] for offer in chosen)
        total += np.where(refused, rule.penalty_micros_per_hour, 0)
    return total
