"""Team budget: what the team has spent this month, what its running work will add, and this work, stay within it.

The month is the calendar's (UTC). Work is counted to the end of the month, or for as long as it may run by its own
`timeout`. The budget of a team above holds for all below it together. Where a place has no room or no known price,
there is nothing to count, and other rules have said so.

What the whole of the next month could not pay with nothing in it, at the price that the place has now, nor the rest of
this one if all that runs ended, is no matter of waiting there (`Column.for_good`); nor anywhere, where that is so at
too many of the places that no lasting rule refuses (`settle`). The rest may wait.
"""

import numpy as np

from placement.bits import to_bits
from placement.fleet.columns import Mask, Numbers
from placement.fleet.fleet import Fleet
from placement.packing.packing import Packing
from placement.quota.accounts import HOUR_MS, Line, gone, month_end, owed, up
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
        self.kind = Kind.QUOTA
        self._projected: dict[str, Numbers] = {}

    def column(self, workload: Workload, fleet: Fleet) -> Column:
        """Silent where no team on the way up has a budget, or all of them could pay the dearest place."""
        nodes = self._limited(workload)
        if not nodes:
            return self.silent(fleet)
        dearest = up(int(np.maximum.reduce(self._total, initial=0)) * self._often(workload))
        if all(dearest + self._owed(fleet, node) <= most for node, most in nodes):
            return self.silent(fleet)
        return super().column(workload, fleet)

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,)."""
        allowed = np.ones(len(fleet.columns), dtype=np.bool_)
        self.kind = Kind.QUOTA
        self._projected = {}
        adds = self._adds(self._often(workload))
        for node, most in self._limited(workload):
            self._projected[node] = adds + self._owed(fleet, node)
            good = self._projected[node] <= most
            allowed &= good | ~self._packing.priceable
        return allowed

    def settle(self, workload: Workload, fleet: Fleet, column: Column, open_to: Mask) -> Mask:
        """As `TeamRule.settle`."""
        ever = column.allowed | self._could_pay(workload, fleet)
        left: Mask = ever & open_to
        if enough(left if open_to.any() else ever & self._packing.priceable, workload):
            column.for_good = to_bits(~ever)
        else:
            self.kind = Kind.PRICE
        return left

    def _could_pay(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): where the rest of this month could, if all that runs ended; or the next, if nothing ran."""
        now, then = self._adds(self._often(workload)), self._adds(self._often(workload, following=True))
        this, following = np.ones((2, len(fleet.columns)), dtype=np.bool_)
        for node, most in self._limited(workload):
            this &= now + self._gone(fleet, node) <= most
            following &= then <= most
        return this | following

    def _limited(self, workload: Workload) -> list[tuple[str, int]]:
        """The teams on the way up that have a budget, and what it is."""
        if not self._tree.has_budget(workload.team):
            return []
        teams = [self._tree.teams.get(node) for node in self._tree.path(workload.team)]
        return [(team.name, team.budget_micros_per_month) for team in teams if team and team.budget_micros_per_month]

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

    def _adds(self, often: int) -> Numbers:
        """Shape (sites,): what this work adds to the month at each place, micros. `often`: as `_often` says."""
        if int(np.maximum.reduce(self._total, initial=0)) * often < 2**62:
            return -(-self._total * often // HOUR_MS)
        return np.array([up(one * often) for one in self._total.tolist()], dtype=np.int64)

    def _often(self, workload: Workload, *, following: bool = False) -> int:
        """Places that it stands at, times the milliseconds that it runs this month; `following`: in the whole next."""
        begin = month_end(self._now) if following else self._now
        left = month_end(begin) - begin
        timeout = workload.training.timeout_ms if workload.training else 0
        runs = min(left, timeout) if timeout else left
        return runs * (workload.copies if workload.spread is Spread.SITE else 1)

    def _owed(self, fleet: Fleet, node: str) -> int:
        return owed(self._lines(fleet, node), self._now)

    def _gone(self, fleet: Fleet, node: str) -> int:
        """What the month has cost up to now."""
        return gone(self._lines(fleet, node), self._now)

    def _lines(self, fleet: Fleet, node: str) -> list[Line]:
        """Of the team and those below it."""
        kept: dict[str, Line] = fleet.columns.kept("accounts", dict)
        account, found = fleet.ledger.accounts.get(node), []
        if account is not None:
            line = kept.get(node)
            if line is None or not line.holds(account, self._now):
                line = kept[node] = Line.of(account, self._now)
            found.append(line)
        return [*found, *(line for child in self._tree.below.get(node, ()) for line in self._lines(fleet, child))]
