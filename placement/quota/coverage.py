"""Coverage: which of the work that stands, its team's guarantee covers, and which only borrows its room.

At every team its guarantee is given out in order, to its own work and to that of the teams below it together:

    1. what the team below covers already       3. the more important
    2. firm work                                4. who has held room longer, then by id

Work that does not fit what is left is passed over. If it yields, it uses nothing up: what is borrowed can come and go
without changing what is covered. Firm work uses up what is left even so, since nobody can take its room back. So what
is covered stays so until firm or more important work of its own team comes.

Whose room may be taken, from this. `W` may displace `V` where `V` yields and, at the team where their ways to the root
meet, `W`'s side covers `W` and `V`'s side does not cover `V`; or, both in one team, where `V` is less important and not
covered. And at no level above may `V` be covered and `W` not.

Why that cannot go round in circles. Give every state the list of its firm work, which nobody displaces; then of its
covered work by level and importance; then of its borrowing work by importance. Placing work where room is free adds
to the list. A reclaim adds `W` and takes away only what stands later in it: what is not covered where `W` is, or
borrows with less importance. Nothing else displaces anybody. So the list only ever grows, read with its most
significant part first; there are finitely many, so without new work the displacing ends. A displaced `V` in
particular never displaces its `W`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from placement.quota.amounts import Amounts, add
from placement.quota.ledger import Ledger, Right
from placement.quota.tree import NOBODY, ROOT, Tree
from tidegate.model.workload import Priority

RANK: dict[Priority, int] = {priority: rank for rank, priority in enumerate(Priority)}
"""0 is the most important."""


@dataclass(frozen=True, slots=True)
class Held:
    """A workload with all that it holds, at whatever sites."""

    workload_id: str
    team: str
    amounts: Amounts
    right: Right

    @property
    def rank(self) -> int:
        """How important; 0 is most."""
        return RANK[self.right.importance]


def held(ledger: Ledger) -> list[Held]:
    """Every workload that holds something, its sites together."""
    found: dict[str, Held] = {}
    for stake in ledger.stakes.values():
        known = found.get(stake.workload_id)
        if known is None:
            known = Held(stake.workload_id, stake.team or NOBODY, {}, stake.right)
            found[stake.workload_id] = known
        add(known.amounts, stake.amounts)
    return list(found.values())


class Coverage:
    """Who is covered where. Made for one moment."""

    def __init__(self, tree: Tree, work: Iterable[Held]) -> None:
        self._tree = tree
        self._at: dict[str, set[str]] = {}
        """By workload, the teams on its way to the root that cover it."""
        by_team: dict[str, list[Held]] = {}
        for one in work:
            self._at[one.workload_id] = set()
            by_team.setdefault(one.team, []).append(one)
        for root in tree.below[ROOT]:
            self._cover(root, by_team)

    def at(self, workload_id: str, team: str) -> bool:
        """Whether the team covers the workload."""
        return team in self._at.get(workload_id, ())

    def may_displace(self, one: Held, other: Held) -> str:
        """Why `one` may take the room of `other`: `borrowed` or `priority`; empty where it may not."""
        if not other.right.yields or one.workload_id == other.workload_id:
            return ""
        mine, theirs = self._tree.path(one.team), self._tree.path(other.team)
        shared = [node for node in mine if node in theirs]
        if any(self.at(other.workload_id, node) and not self.at(one.workload_id, node) for node in shared):
            return ""
        if one.team == other.team:
            less = other.rank > one.rank and not self.at(other.workload_id, one.team)
            return "priority" if less else ""
        my_side = next((node for node in reversed(mine) if node not in shared), one.team)
        if not self.at(one.workload_id, my_side):
            return ""
        their_side = next((node for node in reversed(theirs) if node not in shared), "")
        return "" if their_side and self.at(other.workload_id, their_side) else "borrowed"

    def _cover(self, node: str, by_team: Mapping[str, list[Held]]) -> list[Held]:
        below = [one for child in self._tree.below.get(node, ()) for one in self._cover(child, by_team)]
        children = set(self._tree.below.get(node, ()))
        work = [*by_team.get(node, ()), *below]
        order = sorted(
            work,
            key=lambda one: (
                self._at[one.workload_id].isdisjoint(children),
                one.right.yields,
                one.rank,
                one.right.since,
                one.workload_id,
            ),
        )
        given: Amounts = {}
        for one in order:
            covered = self._tree.covers(node, given, one.amounts)
            if covered:
                self._at[one.workload_id].add(node)
            if covered or not one.right.yields:
                add(given, one.amounts)
        return work
