"""Ranking: which of the sites that every enforced rule allows is better. Columns of numbers; nouns on demand.

The score is an ordered record, lower wins (`placement.scoring`). Nothing is sorted to find the best: each field narrows
down those that are least in the fields before it. What is recorded are the fields of every allowed site, from which a
reader makes the order again (`tidegate.model.decision.Ranking`).
"""

from dataclasses import dataclass

import numpy as np

from placement.bits import to_bytes
from placement.explain import pack_numbers, pack_same, used
from placement.fleet.columns import Numbers
from placement.fleet.fleet import Fleet
from placement.lazily import lazily
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
    fields: tuple[Numbers, ...]
    """The fields of `Score`, in their order, but for the tie, which is the workload's own."""
    penalties: Numbers
    """What rules that prefer other places add to each."""
    causes: tuple[Numbers, ...]
    """What each costs, in the order of `Cost`'s fields."""
    interruptions: Numbers
    """Expected interruptions an hour at each, in millionths."""
    none: Numbers
    """Zeros: a field, a penalty or a cause that is nothing everywhere is this very column."""
    leans: bool
    """Whether the workload prefers some to others, money apart."""

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

    @lazily
    def first(self) -> Numbers:
        """The places of those that are best but for ties."""
        return _least(self._telling, None)

    @lazily
    def _telling(self) -> tuple[Numbers, ...]:
        """The fields in which sites may differ."""
        _, leaning, money, fragmentation = self.fields
        return (leaning, money, fragmentation) if self.leans else (money, fragmentation)

    @lazily
    def second(self) -> Numbers:
        """The places of those that are best but for ties when the first are left out."""
        among = np.ones(len(self.rows), dtype=np.bool_)
        among[self.first] = False
        return _least(self._telling, among.nonzero()[0])

    def best(self, count: int, ties: Numbers) -> list[int]:
        """The rows of the best `count`, best first; fewer where there are not so many."""
        if count > 2:
            return [int(self.rows[place]) for place in np.lexsort((self.rows, ties, *self.fields[::-1]))[:count]]
        places: list[int] = []
        for group in ("first", "second"):
            among: Numbers = getattr(self, group) if len(places) < min(count, len(self.rows)) else self.rows[:0]
            while len(among) and len(places) < count:
                place = int(among[0] if len(among) == 1 else among[ties.take(among).argmin()])
                places.append(place)
                among = among[among != place]
        return [int(self.rows[place]) for place in places]


def _least(fields: tuple[Numbers, ...], among: Numbers | None) -> Numbers:
    """The places of the least, among some places or all."""
    for field in fields:
        numbers = field if among is None else field.take(among)
        if len(numbers) == 0:
            break
        least = (numbers == np.minimum.reduce(numbers)).nonzero()[0]
        among = least if among is None else among.take(least)
        if len(among) == 1:
            break
    return np.zeros(0, dtype=np.int64) if among is None else among


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
    return Order(rows, fields, penalty, tuple(causes), interruptions, none, leans)


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
