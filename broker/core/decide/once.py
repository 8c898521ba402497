"""Counted once: what a state is to a decision about work that stands already, or that takes the place of such work.

    vacated       workloads are gone: their room is free, and their teams pay for them no longer
    counted_out   they hold their room still, until what takes their place runs; but limits, guarantees and budgets
                  count what their team would hold and pay afterwards, and so count them no more
    going         whom that is true of: a workload itself where it moves, and the versions of a service before it
    moved         a move is tried: it has been made as far as anything that is decided next can tell

A new version that never runs leaves the old one standing, so between the two both count for everybody else. What
leaves a place for another does not: the fold sets it aside (`accounting.settle`).

Everything is put back unit by unit and charge by charge, so afterwards nothing has changed.
"""

from collections.abc import Generator
from contextlib import contextmanager

from broker.core.accounting import right_of
from broker.core.naming import versions_before
from broker.core.records import WorkloadRecord
from broker.core.state import State
from placement.fleet.facts import Carried, Holding
from placement.quota.accounts import Account, Charge, all_closed, opened
from placement.rules.volume import carried
from tidegate.model.decision import Decision
from tidegate.model.workload import WorkloadKind


def going(state: State, name: str, record: WorkloadRecord | None = None) -> tuple[str, ...]:
    """The ids of those that go once a workload of this name stands; `record` is its own, where it has one."""
    found = [record.id] if record is not None else []
    older = state.workloads.get(record.supersedes) if record is not None else None
    named = state.workloads.get(state.names.get(name, ""))
    service = named is not None and named.live and named.workload.kind is WorkloadKind.INFERENCE_SERVICE
    if older is None and named is not None and service and (record is None or named.submitted_before(record)):
        older = named
    if older is not None:
        found += [one.id for one in (older, *versions_before(state, older)) if one.live and one.id not in found]
    return tuple(found)


@contextmanager
def vacated(state: State, at: int, *workload_ids: str) -> Generator[None]:
    """The state as if workloads had left at a moment."""
    gone = [state.workloads[one] for one in workload_ids if one]
    places = [place for one in gone for place in _places(one)]
    held = [state.fleet.holdings[place] for place in places if place in state.fleet.holdings]
    aside = [place for place in places if place in state.fleet.aside]
    for holding in held:
        state.fleet.release(holding.workload_id)
    try:
        with _paid_off(state, at, gone):
            yield
    finally:
        for holding in held:
            state.fleet.restore(holding)
        for place in aside:
            state.fleet.set_aside(place)


@contextmanager
def counted_out(state: State, at: int, *workload_ids: str) -> Generator[None]:
    """The state as if workloads that stand counted for nobody from a moment on."""
    out = [state.workloads[one] for one in workload_ids]
    places = [place for one in out for place in _places(one) if place not in state.fleet.aside]
    for place in places:
        state.fleet.set_aside(place)
    try:
        with _paid_off(state, at, out):
            yield
    finally:
        for place in places:
            state.fleet.count_again(place)


@contextmanager
def moved(state: State, record: WorkloadRecord, decision: Decision) -> Generator[Holding]:
    """The state as if a service had been moved there: it holds both places, and counts where it goes, at its price."""
    team, holder = record.workload.team, f"{record.id}@?"  # which is the holder's name of no site
    sent = {site: carried(record.workload, state.sites[site].site) for site in decision.sites}
    before, at = state.accounts.get(team), decision.decided_at
    with counted_out(state, at, record.id):
        holding = state.fleet.take(
            holder,
            decision.slots,
            record.workload.demand,
            team,
            decision.seats,
            carried=tuple(Carried(site, a_day) for site, a_day in sent.items() if a_day),
            right=right_of(record),
        )
        charge = Charge(decision.cost.total, at)
        state.accounts[team] = opened(state.accounts.get(team, Account()), record.id, charge)
        try:
            yield holding
        finally:
            state.fleet.release(holder)
            if before is None:
                del state.accounts[team]


def _places(record: WorkloadRecord) -> list[str]:
    return [f"{record.id}@{site}" for site in dict.fromkeys((*record.sites, *record.leaving))]


@contextmanager
def _paid_off(state: State, at: int, gone: list[WorkloadRecord]) -> Generator[None]:
    """The accounts as if what these cost had ended at a moment."""
    ids: dict[str, list[str]] = {}
    for one in gone:
        ids.setdefault(one.workload.team, []).append(one.id)
    paying = {team: state.accounts[team] for team in ids if team in state.accounts}
    state.accounts.update({team: all_closed(account, ids[team], at) for team, account in paying.items()})
    try:
        yield
    finally:
        state.accounts.update(paying)
