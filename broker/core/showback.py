"""Showback: what every team holds, borrows, lends and spends. Read, never stored."""

from broker.core.state import State
from placement.quota.accounts import committed, month_of, rate, spent
from placement.quota.amounts import Amounts
from placement.quota.tree import ROOT, Tree
from tidegate.model.event import TeamView
from tidegate.model.money import Team


def teams(state: State, at: int) -> list[TeamView]:
    """Those that were declared, by name; then those that only spend."""
    tree = state.law.tree
    strangers = [Team(name) for name in sorted(state.accounts) if name not in tree.teams]
    running = _counts(state, [one.id for one in state.workloads.without(state.ended) if one.sites], live=True)
    waiting = _counts(state, list(state.waiting), live=True)
    declared = [tree.teams[name] for name in sorted(tree.teams)]
    return [_view(state, tree, team, at, running, waiting) for team in (*declared, *strangers)]


def _view(state: State, tree: Tree, team: Team, at: int, running: dict[str, int], waiting: dict[str, int]) -> TeamView:
    ledger, capacity = state.fleet.ledger, state.fleet.columns.capacity
    used = dict(ledger.used(tree, tree.path(team.name)[0]))
    guarantee, everything = tree.guarantee.get(team.name, {}), ledger.used(tree, ROOT)
    spoken = {name: held for name, held in used.items() if name in tree.spoken}  # the rest is nobody's to lend
    borrowed = {name: more for name, held in spoken.items() if (more := held - guarantee.get(name, 0)) > 0}
    lent: Amounts = {}
    for name, most in guarantee.items():
        idle, free = most - used.get(name, 0), capacity.get(name, 0) - everything.get(name, 0)
        if idle > max(free, 0):
            lent[name] = idle - max(free, 0)
    members = _members(tree, team.name)
    accounts = [state.accounts[name] for name in members if name in state.accounts]
    months = sorted({month for account in accounts for month in (*account.owed, month_of(at))})[-13:]
    owed = spent(accounts, month_of(at), at)
    return TeamView(
        team=team,
        used=used,
        borrowed=borrowed,
        lent=lent,
        running=sum(running.get(name, 0) for name in members),
        waiting=sum(waiting.get(name, 0) for name in members),
        spent_micros=owed,
        expected_micros=owed + committed(accounts, at),
        micros_per_hour=rate(accounts),
        by_month={month: spent(accounts, month, at) for month in months},
    )


def _members(tree: Tree, name: str) -> list[str]:
    return [name, *(one for below in tree.below.get(name, ()) for one in _members(tree, below))] if name else [name]


def _counts(state: State, ids: list[str], *, live: bool) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in ids:
        record = state.workloads[one]
        if record.live == live:
            found[record.workload.team] = found.get(record.workload.team, 0) + 1
    return found
