"""Ranking: which of the sites that every enforced rule allows is better. Columns of numbers; nouns on demand.

The score is an ordered record, lower wins (`placement.scoring`). Nothing is sorted to find the best two: one walk does.
What is recorded are the fields of every allowed site, from which a reader makes the order again
(`tidegate.model.decision.Ranking`).
"""

from dataclasses import dataclass

import numpy as np

from placement.bits import to_bytes
from placement.explain import used
from placement.fleet.columns import Numbers
from placement.fleet.fleet import Fleet
from placement.native import INT, column, native
from placement.recording import pack_numbers, pack_same
from placement.scoring.penalty import penalties
from placement.scoring.prefer import dispreferred
from placement.verdicts import Verdicts
from tidegate.model.decision import Cost, Ranking
from tidegate.model.workload import Workload


@dataclass(frozen=True)
class Order:
    """The allowed sites and their scores. Shapes (allowed,)."""

    rows: Numbers
    """Rows of the fleet, ascending."""
    fields: tuple[Numbers, Numbers, Numbers, Numbers]
    """The fields of `Score`, in their order, but for the tie, which is the workload's own."""
    penalties: Numbers
    """What rules that prefer other places add to each."""
    causes: tuple[Numbers, ...]
    """What each costs, in the order of `Cost`'s fields."""
    interruptions: Numbers
    """Expected interruptions an hour at each, in millionths."""
    none: Numbers
    """Zeros: a field, a penalty or a cause that is nothing everywhere is this very column."""

    @property
    def money(self) -> Numbers:
        """What each costs, penalties included."""
        return self.fields[2]

    def cost(self, row: int) -> Cost:
        """What one of them costs, by cause."""
        place = self._place(row)
        return Cost(*[int(cause[place]) for cause in self.causes])

    def interrupted(self, row: int) -> int:
        """Expected interruptions an hour at one of them, in millionths."""
        return int(self.interruptions[self._place(row)])

    def paid(self, row: int) -> int:
        """What one of them costs, penalties left out."""
        place = self._place(row)
        return int(self.money[place]) - int(self.penalties[place])

    def _place(self, row: int) -> int:
        return int(self.rows.searchsorted(row))

    @property
    def least(self) -> int:
        """What the best costs, penalties included; 0 where there is none."""
        best, _ = _two(*self.fields, self.none)
        return int(self.money[best]) if best >= 0 else 0

    def best(self, count: int, ties: Numbers) -> list[int]:
        """The rows of the best `count`, best first; fewer where there are not so many."""
        if count > 2:
            return [int(self.rows[place]) for place in np.lexsort((self.rows, ties, *self.fields[::-1]))[:count]]
        return [int(self.rows[place]) for place in _two(*self.fields, ties)[:count] if place >= 0]


@native(INT, INT, *[column(INT)] * 5)
def _better(
    one: int, other: int, displaced: Numbers, leaning: Numbers, money: Numbers, fragmentation: Numbers, ties: Numbers
) -> bool:
    if displaced[one] != displaced[other]:
        return bool(displaced[one] < displaced[other])
    if leaning[one] != leaning[other]:
        return bool(leaning[one] < leaning[other])
    if money[one] != money[other]:
        return bool(money[one] < money[other])
    if fragmentation[one] != fragmentation[other]:
        return bool(fragmentation[one] < fragmentation[other])
    if ties[one] != ties[other]:
        return bool(ties[one] < ties[other])
    return one < other


@native(*[column(INT)] * 5)
def _two(
    displaced: Numbers, leaning: Numbers, money: Numbers, fragmentation: Numbers, ties: Numbers
) -> tuple[int, int]:
    """The places of the best and the second best, -1 where there is none: the least field by field, then the first."""
    first = second = -1
    for place in range(len(money)):
        if first < 0 or _better(place, first, displaced, leaning, money, fragmentation, ties):
            first, second = place, first
        elif second < 0 or _better(place, second, displaced, leaning, money, fragmentation, ties):
            second = place
    return first, second


def order(verdicts: Verdicts, workload: Workload, fleet: Fleet) -> Order:
    """Every site that all enforced rules allow, with its score. The engine displaces nothing."""
    rows = verdicts.allowed.nonzero()[0]
    none = np.zeros(len(rows), dtype=np.int64)
    leans = bool(workload.prefer.tiers or workload.prefer.sites)
    leaning = dispreferred(workload, fleet.columns).take(rows) if leans else none
    penalty = penalties(verdicts, workload, fleet, rows) if verdicts.legal.preferring else none
    packing, nothing = verdicts.packing, fleet.columns.nothing
    *causes, interruptions = [
        none if column is nothing else column.take(rows)
        for column in (*verdicts.costs.columns, packing.charge.interruptions)
    ]
    money = verdicts.costs.total.take(rows) + penalty
    fields = (none, leaning, money, packing.charged.fragmentation.take(rows))
    return Order(rows, fields, penalty, tuple(causes), interruptions, none)


def recorded(order: Order, verdicts: Verdicts, fleet: Fleet) -> Ranking | None:
    """The columns as a decision keeps them, ties left out; None where no site is allowed."""
    if len(order.rows) == 0:
        return None
    packing = verdicts.packing
    offers, copies, more = packing.slot_columns(order.rows)
    named, codes = used(*fleet.columns.names_of(offers))
    displaced, leaning, _, fragmentation = order.fields
    columns = (*order.causes, displaced, leaning, fragmentation, order.penalties)
    packed = tuple([b"" if column is order.none else pack_numbers(column) for column in columns])
    causes = len(order.causes)
    return Ranking(
        bits=to_bytes(verdicts.bits, verdicts.legal.sites),
        costs=packed[:causes],
        scores=packed[causes:-1],
        offers=named,
        offer_codes=codes,
        copies=pack_same(packing.wanted, len(offers)) if copies is None else pack_numbers(copies),
        more_slots=b"" if more is None else pack_numbers(more),
        penalties=packed[-1],
    )
