"""The part of the fold that counts: what teams owe, how long their jobs took, how often something was placed.

`settle` follows every event about a workload, once the state has taken it in. Work that moves counts for its team where
it goes, once; what it still has where it leaves is room, and nobody's share. A charge runs while the workload has room
by its decision in force: from the moment it was placed until it ends, makes room or is asked to stop; a new decision is
a new price. Part of `State.apply`, and by itself no writer.

Limits: the newest 64 durations of a team, the first 64 places that a waiting workload hopes for.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from placement.fleet.facts import Holding
from placement.quota.accounts import Account, Charge, closed, opened
from placement.quota.ledger import Right
from tidegate.model import event as happened
from tidegate.model.assignment import Phase
from tidegate.model.decision import Decision, Kind
from tidegate.model.workload import Spread, Workload

if TYPE_CHECKING:
    from broker.core.records import WorkloadRecord
    from broker.core.state import State

DURATIONS_KEPT = 64
HOPES = 64
TRANSIENT = (Kind.CAPACITY, Kind.QUOTA)
"""The kinds of "no" that waiting may cure."""

PLACES_NOTHING = (
    happened.WorkloadSubmitted,
    happened.ModelRegistered,
    happened.AssignmentOutlawed,
    happened.PlanAdopted,
    happened.WorkloadQueued,
    happened.BrokerStarted,
    happened.BidPricesSet,
    happened.KeyAnswered,
)
"""What places nothing, nor changes where anything could be placed. Progress does where it gives room back."""
OPENS = (
    happened.SiteApplied,
    happened.PolicyApplied,
    happened.TeamApplied,
    happened.PriceBookApplied,
    happened.SiteJoined,
    happened.SiteCordoned,
    happened.LinkMeasured,
    happened.ServiceTimeMeasured,
)
"""What may let something fit that did not, beside room that comes free."""


def places_nothing(state: "State", event: happened.Event, offset: int) -> bool:
    """Whether an event that was just taken in changed nothing that a decision follows from.

    Whom a plan would displace also depends on what its victims have lost so far, which grows by itself.
    """
    if isinstance(event, happened.WorkloadProgressed):
        return state.freed != offset and state.ended.get(event.status.workload_id) != offset
    return isinstance(event, PLACES_NOTHING)


def settle(state: "State", workload_id: str, at: int) -> None:
    """Open, close or leave the workload's charge; note when it first ran and how long it took."""
    record = state.workloads.get(workload_id)
    if record is None:
        return
    for site in record.leaving:
        state.fleet.set_aside(f"{workload_id}@{site}")
    team = record.workload.team
    account = state.accounts.get(team, Account())
    running = account.charges.get(workload_id)
    price = record.decision.cost.total if record.decision and record.live and record.sites else None
    if price is None:
        if running is not None:
            state.accounts[team] = closed(account, workload_id, at)
    elif running is None or running.micros_per_hour != price:
        state.accounts[team] = opened(account, workload_id, Charge(price, at, _until(record, at)))
        state.placements += running is None
    if record.phase is Phase.RUNNING and not record.running_since:
        state.workloads[workload_id] = replace(record, running_since=at)
    if record.phase is Phase.SUCCEEDED and record.running_since and record.workload.training:
        known = state.durations.get(team, ())
        state.durations[team] = (*known, max(at - record.running_since, 0))[-DURATIONS_KEPT:]


def hold(state: "State", holdings: Iterable[Holding]) -> None:
    """Give a state that was read from a snapshot what its workloads hold, as the fold left it."""
    for holding in holdings:
        state.fleet.restore(holding)
        workload_id, _, site = holding.workload_id.partition("@")
        if site in state.workloads[workload_id].leaving:
            state.fleet.set_aside(holding.workload_id)


def _until(record: "WorkloadRecord", at: int) -> int:
    """When it ends at the latest, by its own word."""
    timeout = record.workload.training.timeout_ms if record.workload.training else 0
    return at + timeout if timeout else 0


def right_of(record: "WorkloadRecord") -> Right:
    """By which right a workload has its room."""
    return Right(record.workload.importance, record.workload.yields, record.placed_offset)


def hopes_of(decision: Decision, workload: Workload) -> tuple[str, ...]:
    """The places that would do but for what is taken now; none where too few would for the copies to spread over."""
    sites = len(decision.candidates)
    open_to = (1 << sites) - 1
    for column in decision.columns:
        told = column.may_pass if column.kind in TRANSIENT else column.bits
        if column.enforced and told:
            open_to &= int.from_bytes(told, "little")
    found = tuple(name for row, name in enumerate(decision.candidates) if open_to >> row & 1)
    return found[:HOPES] if len(found) >= (workload.copies if workload.spread is Spread.SITE else 1) else ()
