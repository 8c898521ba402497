"""The ledger: who holds what and by which right, with the sums that the rules ask for, kept as they change.

One stake for each holding (a workload at a site). Sums over a team and the teams below it are kept for one tree at a
time and follow each stake in as many steps as the tree is deep; another tree counts them anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from placement.quota.accounts import Account
from placement.quota.amounts import Amounts, add
from placement.quota.tree import NOBODY, ROOT, Tree
from tidegate.model.workload import Priority


@dataclass(frozen=True, slots=True)
class Right:
    """By which right a workload holds its room."""

    importance: Priority = Priority.STANDARD
    yields: bool = False
    since: int = 0
    """The event since which it has held room: its seniority."""


NO_RIGHT = Right()
"""Of what was taken before rights were recorded: firm, and neither important nor unimportant."""


@dataclass(frozen=True, slots=True)
class Stake:
    """What one workload holds at one site."""

    holder: str
    """`w41@site`."""
    team: str
    amounts: Amounts
    right: Right

    @property
    def workload_id(self) -> str:
        """Whose it is."""
        return self.holder.partition("@")[0]


class Ledger:
    """Stakes by holder. Only the fleet that owns it changes it."""

    def __init__(self) -> None:
        self.accounts: Mapping[str, Account] = {}
        """By team, what it owes; the broker's state gives its own, and keeps it."""
        self._stakes: dict[str, Stake] = {}
        self._tree: Tree | None = None
        self._used: dict[str, Amounts] = {}
        self._firm: dict[str, Amounts] = {}

    @property
    def stakes(self) -> Mapping[str, Stake]:
        """By holder."""
        return MappingProxyType(self._stakes)

    def put(self, stake: Stake) -> None:
        """Enter a stake; replaces the holder's."""
        self.drop(stake.holder)
        self._stakes[stake.holder] = stake
        self._count(stake, 1)

    def drop(self, holder: str) -> None:
        """Strike a stake; nothing happens where there is none."""
        if stake := self._stakes.pop(holder, None):
            self._count(stake, -1)

    def used(self, tree: Tree, node: str) -> Amounts:
        """What the team and those below it hold together; of `ROOT`, all of it. Not to be changed."""
        self._keep(tree)
        return self._used.get(node, {})

    def firm(self, tree: Tree, node: str) -> Amounts:
        """The part of `used` that does not yield."""
        self._keep(tree)
        return self._firm.get(node, {})

    def own_firm(self, tree: Tree, node: str) -> Amounts:
        """The part of `firm` that is the team's own, and not of teams below it."""
        left = dict(self.firm(tree, node))
        for below in tree.below.get(node, ()):
            add(left, self.firm(tree, below), -1)
        return left

    def copy(self) -> "Ledger":
        """One of its own, with the same stakes."""
        copied = Ledger()
        copied._stakes, copied.accounts = dict(self._stakes), self.accounts
        return copied

    def _keep(self, tree: Tree) -> None:
        if tree is not self._tree:
            self._tree, self._used, self._firm = tree, {}, {}
            for stake in self._stakes.values():
                self._count(stake, 1)

    def _count(self, stake: Stake, sign: int) -> None:
        if self._tree is None:
            return
        for node in (*self._tree.path(stake.team or NOBODY), ROOT):
            add(self._used.setdefault(node, {}), stake.amounts, sign)
            if not stake.right.yields:
                add(self._firm.setdefault(node, {}), stake.amounts, sign)
