"""Order: who is next in line. Priority first, then the smaller share, then who has waited longer, then the id.

A team's share is its dominant one: of what it holds beyond its guarantee, the greatest part of the fleet's capacity of
anything, in millionths. So teams within their guarantees come before those that borrow, and of those the one that
borrows least. In a hierarchy the shares are compared from the root down. Shares change with every placement, so the
line is a function of the moment; ties break on age and id, and never on the order in which a set was walked.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from placement.quota.ledger import Ledger
from placement.quota.tree import Tree

PPM = 1_000_000

Share = tuple[int, ...]
Place = tuple[int, Share, int, str]


@dataclass(frozen=True, slots=True)
class InLine:
    """One that waits."""

    workload_id: str
    team: str
    rank: int
    """How important; 0 is most."""
    since: int
    """The event since which it waits."""


def share(tree: Tree, ledger: Ledger, team: str, capacity: Mapping[str, int]) -> Share:
    """Millionths of the fleet that each team on the way down from the root borrows."""
    return tuple(_borrowed(tree, ledger, node, capacity) for node in reversed(tree.path(team)))


def place(one: InLine, shares: Mapping[str, Share]) -> Place:
    """Where it stands: lower is earlier."""
    return one.rank, shares[one.team], one.since, one.workload_id


def in_order(line: Iterable[InLine], tree: Tree, ledger: Ledger, capacity: Mapping[str, int]) -> list[InLine]:
    """All that wait, the next one first."""
    line = list(line)
    shares = {team: share(tree, ledger, team, capacity) for team in dict.fromkeys(one.team for one in line)}
    return sorted(line, key=lambda one: place(one, shares))


def _borrowed(tree: Tree, ledger: Ledger, node: str, capacity: Mapping[str, int]) -> int:
    guarantee = tree.guarantee.get(node, {})
    return max(
        (
            (used - guarantee.get(name, 0)) * PPM // capacity[name]
            for name, used in ledger.used(tree, node).items()
            if capacity.get(name, 0) > 0 and used > guarantee.get(name, 0)
        ),
        default=0,
    )
