"""The arithmetic behind the rules on teams: may this much more be held? The first bound that is broken, in numbers.

    limit       at every level, what the teams hold together and what is wanted stay within the limit
    share       a team that may not borrow stays within its guarantee, one that may within its borrowing limit
    lending     what is borrowed leaves idle what other teams do not lend
    firm work   what does not yield leaves reachable what is guaranteed to others

The last one is why a guarantee can be relied on. Let `reach` of a team be its guarantee or, where that is more, its own
firm work and the `reach` of the teams below it. While the sum over all roots is within the fleet's capacity, all that
yields could go and every guarantee would have room, by count. Firm work that would make the sum exceed the capacity is
refused; it may wait, or say that it yields.

By count means: not by node and not by law. A guarantee is reachable where the team's work can go at all; a gang that
wants eight GPUs on one node may find them on two. Capacity is what is declared or was observed, whether or not the site
can be reached now: a cut link is no failure, so it takes no guarantee away.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from placement.quota.amounts import Amounts, add, over, plus
from placement.quota.ledger import Ledger
from placement.quota.tree import ROOT, Tree


@dataclass(frozen=True, slots=True)
class Excess:
    """A bound that would be broken."""

    bound: str
    """`limit`, `guaranteed`, `borrowing_limit`, `lent` or `firm`."""
    team: str
    """Whose bound it is; empty for the whole fleet's."""
    name: str
    """What is too much of it (`gpus`, `gpus/H100`, `cpus`, `memory`)."""
    most: int
    found: int


def over_limit(tree: Tree, ledger: Ledger, team: str, wanted: Mapping[str, int]) -> Excess | None:
    """The lowest level whose limit would be exceeded."""
    for node in tree.path(team):
        if most := tree.limit.get(node):
            found = plus(ledger.used(tree, node), wanted)
            for name in over(found, most):
                if name in wanted:
                    return Excess("limit", node, name, most[name], found[name])
    return None


def over_share(
    tree: Tree, ledger: Ledger, team: str, wanted: Mapping[str, int], *, yields: bool, capacity: Mapping[str, int]
) -> Excess | None:
    """The first of the other bounds that would be broken."""
    path = tree.path(team)
    if tree.bounds_borrowing:
        for node in path:
            if excess := _over_borrowing(tree, ledger, node, wanted):
                return excess
    if tree.keeps and (excess := _over_lent(tree, ledger, path, wanted, capacity)):
        return excess
    if tree.guarantees and not yields:
        return _over_firm(tree, ledger, path, wanted, capacity)
    return None


def covered_at(tree: Tree, ledger: Ledger, path: tuple[str, ...], wanted: Mapping[str, int]) -> str:
    """The lowest team of the path whose guarantee has room for what is wanted; `ROOT` where none has."""
    return next((node for node in path if tree.covers(node, ledger.used(tree, node), wanted)), ROOT)


def _over_borrowing(tree: Tree, ledger: Ledger, node: str, wanted: Mapping[str, int]) -> Excess | None:
    team = tree.teams.get(node)
    if team is None or (team.borrowing and team.borrowing_limit is None):
        return None
    used, guarantee = ledger.used(tree, node), tree.guarantee[node]
    found = plus(used, wanted)
    if team.borrowing:
        most = tree.borrowing[node]
        for name in over(found, most):
            if name in wanted:
                return Excess("borrowing_limit", node, name, most[name], found[name])
        return None
    if tree.covers(node, used, wanted):
        return None
    short = [name for name in wanted if found[name] > guarantee.get(name, 0)]
    name = next((name for name in short if name in guarantee), short[0])
    return Excess("guaranteed", node, name, guarantee.get(name, 0), found[name])


def _over_lent(
    tree: Tree, ledger: Ledger, path: tuple[str, ...], wanted: Mapping[str, int], capacity: Mapping[str, int]
) -> Excess | None:
    """Whether what others keep to themselves would be used. Asked of the least guarantee that covers what is wanted."""
    scope = covered_at(tree, ledger, path, wanted)
    if scope == path[0]:
        return None
    has = capacity if scope == ROOT else tree.guarantee[scope]
    used = ledger.used(tree, scope)
    kept = _idle(tree, ledger, scope, frozenset(path))
    for name, amount in wanted.items():
        if kept.get(name, 0) and (scope == ROOT or name in has):
            most = max(has.get(name, 0) - used.get(name, 0) - kept[name], 0)
            if amount > most:
                return Excess("lent", "" if scope == ROOT else scope, name, most, amount)
    return None


def _idle(tree: Tree, ledger: Ledger, node: str, path: frozenset[str]) -> Amounts:
    """What the teams below a node that are not on the path keep to themselves and do not use."""
    found: Amounts = {}
    for below in tree.below.get(node, ()):
        idle = _idle(tree, ledger, below, path)
        if below not in path:
            used = ledger.used(tree, below)
            for name, kept in tree.keeps.get(below, {}).items():
                idle[name] = max(idle.get(name, 0), kept - used.get(name, 0))
        add(found, {name: amount for name, amount in idle.items() if amount > 0})
    return found


def _over_firm(
    tree: Tree, ledger: Ledger, path: tuple[str, ...], wanted: Mapping[str, int], capacity: Mapping[str, int]
) -> Excess | None:
    for name, amount in wanted.items():
        if name not in tree.spoken:
            continue
        before = _reach(tree, ledger, ROOT, name, path[0], 0)
        after = _reach(tree, ledger, ROOT, name, path[0], amount)
        if path[0] not in tree.teams:  # a team that nobody declared: its work stands right below the root
            after += amount
        bound = max(capacity.get(name, 0), before)
        if after > bound:
            return Excess("firm", "", name, max(amount - (after - bound), 0), amount)
    return None


def _reach(tree: Tree, ledger: Ledger, node: str, name: str, team: str, more: int) -> int:
    """What must stay reachable below a node, were `more` firm work added to a team."""
    own = ledger.own_firm(tree, node).get(name, 0) + (more if node == team else 0)
    below = sum(_reach(tree, ledger, one, name, team, more) for one in tree.below.get(node, ()))
    return max(tree.guarantee.get(node, {}).get(name, 0), own + below)
