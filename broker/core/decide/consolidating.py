"""Consolidating: units that little stands on, and that all of it can leave for units that are in use anyway.

A unit (one node, one instance) is worth emptying only whole, so its services are tried together: each is asked of the
engine at the other sites where something stands already, one after the other, and all of them must land on units in
use. The first unit is the one with the fewest copies. What was landed on is not emptied afterwards, so nothing moves
twice and the count of units in use only falls.

Only services move, and only to other sites: within a site the engine fills units in their order by itself.

Limits: `UNITS` are tried, and no more than `TOGETHER` services of one.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

from broker.core.decide.once import moved
from broker.core.state import State
from tidegate.model.decision import Decision

Unit = tuple[str, str, int]
Landing = Callable[[str, str], Decision | None]
"""From a workload's id and a site to the audited decision there, or None."""

UNITS, TOGETHER = 200, 8


def emptied_units(
    state: State, affordable: Mapping[str, tuple[str, ...]], landing: Landing
) -> Iterator[list[tuple[str, Decision]]]:
    """For each unit that can be emptied: who leaves it, and the decisions that let them.

    `affordable` has those who may move, and the sites that each may go to, the best first. The caller makes these
    moves, or leaves them, before asking for the next unit.
    """
    gone: set[str] = set()
    kept: set[Unit] = set()
    for unit, copies in sorted(_standing(state).items(), key=lambda entry: (len(entry[1]), entry[0]))[:UNITS]:
        leaving = sorted(set(copies))
        alone = all(workload_id in affordable and workload_id not in gone for workload_id in leaving)
        if unit in kept or not alone or len(leaving) > TOGETHER or not _only(state, leaving, unit):
            continue
        used = set(_standing(state)) - {unit}
        landed = _land(state, leaving, used, affordable, landing)
        if landed is None:
            continue
        yield [(workload_id, decision) for workload_id, decision, _ in landed]
        if all(state.workloads[workload_id].sites == decision.sites for workload_id, decision, _ in landed):
            gone |= set(leaving)
            kept |= {unit for _, _, units in landed for unit in units}


def _standing(state: State) -> dict[Unit, list[str]]:
    """By unit, the workload of every copy on it; what is leaving has left."""
    found: dict[Unit, list[str]] = {}
    for holding in state.fleet.holdings.values():
        workload_id, _, site = holding.workload_id.partition("@")
        if site in state.workloads[workload_id].sites:
            for copy in holding.copies:
                found.setdefault((copy.site, copy.offer, copy.unit), []).append(workload_id)
    return found


def _only(state: State, leaving: list[str], unit: Unit) -> bool:
    """Whether all their copies stand on this unit: otherwise moving them breaks up more than it empties."""
    holdings = (state.fleet.holdings[f"{workload_id}@{unit[0]}"] for workload_id in leaving)
    return all((copy.site, copy.offer, copy.unit) == unit for holding in holdings for copy in holding.copies)


def _land(
    state: State, leaving: list[str], used: set[Unit], affordable: Mapping[str, tuple[str, ...]], landing: Landing
) -> list[tuple[str, Decision, set[Unit]]] | None:
    """Everybody's landing on units in use, tried on the fleet and undone; None where one finds none."""
    landed: list[tuple[str, Decision, set[Unit]]] = []
    open_sites = {site for site, _, _ in used}
    with ExitStack() as made:
        for workload_id in leaving:
            sites = (site for site in affordable[workload_id] if site in open_sites)
            found = next(filter(None, (_at(state, workload_id, site, used, landing, made) for site in sites)), None)
            if found is None:
                return None
            landed.append(found)
        return landed


def _at(
    state: State, workload_id: str, site: str, used: set[Unit], landing: Landing, made: ExitStack
) -> tuple[str, Decision, set[Unit]] | None:
    """The landing at one site, made until `made` is left; None where it is none, or on a unit that nothing uses."""
    decision = landing(workload_id, site)
    if decision is None:
        return None
    with ExitStack() as trial:
        holding = trial.enter_context(moved(state, state.workloads[workload_id], decision))
        units = {(copy.site, copy.offer, copy.unit) for copy in holding.copies}
        if units <= used:
            made.push(trial.pop_all())
            return workload_id, decision, units
    return None
