"""Ranking: which of the sites that every enforced rule allows is better. Columns of numbers; nouns on demand.

The score is an ordered record, lower wins (`placement.scoring`). Nothing is sorted to find the best: each field narrows
down those that are least in the fields before it. What is recorded are the fields of every allowed site, from which a
reader makes the order again (`tidegate.model.decision.Ranking`).
"""

from dataclasses import dataclass

import numpy as np

from placement.bits import to_bytes
from placement.columns import Numbers
from placement.explain import name_offers, pack_numbers
from placement.fleet import Fleet
from placement.scoring.penalty import penalties
from placement.scoring.prefer import dispreferred
from placement.verdicts import Verdicts
from tidegate.model.decision import Ranking
from tidegate.model.workload import Workload


@dataclass(frozen=True, slots=True)
class Order:
    """The allowed sites and their scores. Shapes (allowed,)."""

    rows: Numbers
    """Rows of the fleet, ascending."""
    fields: tuple[Numbers, ...]
    """The fields of `Score`, in their order, but for the tie, which is the workload's own."""
    penalties: Numbers
    """What rules that prefer other places add to each."""

    @property
    def money(self) -> Numbers:
        """What each costs, penalties included."""
        return self.fields[2]

    def least(self) -> int | None:
        """The place of the best, ties left to the first; None where there is none."""
        return _least(self.fields, None) if len(self.rows) else None

    def best(self, count: int, ties: Numbers) -> list[int]:
        """The rows of the best `count`, best first; fewer where there are not so many."""
        fields = (*self.fields, ties)
        if count > 4:
            return [int(self.rows[place]) for place in np.lexsort((self.rows, *fields[::-1]))[:count]]
        left: Numbers | None = None
        places: list[int] = []
        while len(places) < min(count, len(self.rows)):
            if places:
                left = np.arange(len(self.rows)) if left is None else left
                left = left[left != places[-1]]
            places.append(_least(fields, left))
        return [int(self.rows[place]) for place in places]


def _least(fields: tuple[Numbers, ...], among: Numbers | None) -> int:
    """The place of the least, among some places or all."""
    for field in fields:
        numbers = field if among is None else field.take(among)
        least = numbers == np.minimum.reduce(numbers)
        among = least.nonzero()[0] if among is None else among[least]
        if len(among) == 1:
            break
    assert among is not None
    return int(among[0])


def order(verdicts: Verdicts, workload: Workload, fleet: Fleet) -> Order:
    """Every site that all enforced rules allow, with its score. The engine displaces nothing."""
    rows = verdicts.allowed.nonzero()[0]
    leaning = dispreferred(workload, fleet.columns)[rows]
    none = np.zeros(len(rows), dtype=np.int64)
    penalty = penalties(verdicts, workload, fleet, rows)
    money = verdicts.costs.total[rows] + penalty
    return Order(rows, (none, leaning, money, verdicts.packing.fragmentation[rows]), penalty)


def recorded(order: Order, verdicts: Verdicts, fleet: Fleet) -> Ranking | None:
    """The columns as a decision keeps them, ties left out; None where no site is allowed."""
    if len(order.rows) == 0:
        return None
    offers, copies, more = verdicts.packing.slot_columns(order.rows)
    named, codes = name_offers(offers, fleet.columns)
    displaced, leaning, _, fragmentation = order.fields
    return Ranking(
        bits=to_bytes(verdicts.bits, verdicts.legal.sites),
        costs=tuple(pack_numbers(column[order.rows]) for column in verdicts.costs.columns),
        scores=tuple(pack_numbers(field) for field in (displaced, leaning, fragmentation)),
        offers=named,
        offer_codes=codes,
        copies=pack_numbers(copies),
        more_slots=pack_numbers(more),
        penalties=pack_numbers(order.penalties),
    )
