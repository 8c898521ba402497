"""Team budget: what the team has spent this month, what its running work will add, and this work, stay within it.

The month is the calendar's (UTC). Work is counted to the end of the month, or for as long as it may run by its own
`timeout`. The budget of a team above holds for all below it together. Where a place has no room or no known price,
there is nothing to count, and other rules have said so.

What a month with nothing in it could not pay, at any place that no lasting rule refuses, is no matter of waiting; the
rest may wait for the next month.
"""

import numpy as np

from placement.columns import Mask, Numbers
from placement.fleet import Fleet
from placement.packing import Packing
from placement.quota.accounts import Account, committed, month_end, month_of, spent, up
from placement.quota.tree import Tree
from placement.rules.rule import Column, Findings, Plain
from placement.rules.team import enough
from tidegate.model.decision import Kind, Lack, Unit
from tidegate.model.workload import Spread, Workload


class TeamBudget(Plain):
    """In micros of this month."""

    name = "team-budget"

    def __init__(self, tree: Tree, packing: Packing, total: Numbers, now: int) -> None:
        """`total`, shape (sites,): what each place would cost, micros per hour."""
        self._tree, self._packing, self._total, self._now = tree, packing, total, now
        self._could_pay: Mask = np.ones(len(total), dtype=np.bool_)
        self.kind = Kind.QUOTA
        self._projected: dict[str, Numbers] = {}

    def column(self, workload: Workload, fleet: Fleet) -> Column:
        """Silent where no team on the way up has a budget."""
        return super().column(workload, fleet) if self._tree.has_budget(workload.team) else self.silent(fleet)

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,)."""
        allowed = np.ones(len(fleet.columns), dtype=np.bool_)
        self.kind = Kind.QUOTA
        self._projected = {}
        self._could_pay = np.ones(len(fleet.columns), dtype=np.bool_)
        adds = None
        for node in self._tree.path(workload.team):
            team = self._tree.teams.get(node)
            if team is None or not team.budget_micros_per_month:
                continue
            adds = self._adds(workload) if adds is None else adds
            self._projected[node] = adds + self._owed(fleet, node)
            good = self._projected[node] <= team.budget_micros_per_month
            allowed &= good | ~self._packing.priceable
            self._could_pay &= adds <= team.budget_micros_per_month
        return allowed

    def settle(self, workload: Workload, fleet: Fleet, open_to: Mask) -> Mask:
        """As `TeamRule.settle`."""
        left: Mask = self._could_pay & open_to
        if not enough(left if open_to.any() else self._could_pay & self._packing.priceable, workload):
            self.kind = Kind.PRICE
        return left

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """The budget and what the month would come to, of the lowest team that would go over."""
        lacks: dict[Lack, int] = {}
        codes, numbers = [], []
        for row in map(int, refused):
            for node, projected in self._projected.items():
                most = self._tree.teams[node].budget_micros_per_month
                if projected[row] > most:
                    lack = Lack("team.budget", "Le", (node,), (), most, Unit.MICROS)
                    codes.append(lacks.setdefault(lack, len(lacks)))
                    numbers.append(int(projected[row]))
                    break
        return Findings(tuple(lacks), np.array(codes, dtype=np.int64), np.array(numbers, dtype=np.int64))

    def _adds(self, workload: Workload) -> Numbers:
        """What this work adds to the month at each place, micros."""
        left = month_end(self._now) - self._now
        timeout = workload.training.timeout_ms if workload.training else 0
        runs = min(left, timeout) if timeout else left
        shares = workload.copies if workload.spread is Spread.SITE else 1
        return np.array([up(int(one) * shares * runs) for one in self._total], dtype=np.int64)

    def _owed(self, fleet: Fleet, node: str) -> int:
        accounts = list(self._accounts(fleet, node))
        return spent(accounts, month_of(self._now), self._now) + committed(accounts, self._now)

    def _accounts(self, fleet: Fleet, node: str) -> list[Account]:
        known = fleet.ledger.accounts.get(node)
        below = (one for child in self._tree.below.get(node, ()) for one in self._accounts(fleet, child))
        return [*([known] if known else []), *below]
