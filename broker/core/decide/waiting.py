"""Waiting: who waits, who is next, who is asked again when something came free, and until when.

What has no room now and would have it if something that is taken came free waits, where its `wait` says so (a job for
ever, a service not at all). It is decided again when room or quota may have come free (the state's `freed`) and when a
month begins. Priority goes first, then the team that borrows the smaller share, then age; a class that finds nothing is
not asked twice. What comes after it in line may pass it where it fits: room is not left idle for the sake of order.

But not for ever. One that was passed by `PATIENCE` placements keeps a place: nothing that is not more important is put
at the first of the places that it hopes for, until it has its turn. A gang of many is not starved by many of one. The
decisions that this binds say so (`available`, excluded), and say for whom.

Limits: `ASKS` decisions in a turn; what is left goes on with the next turn. The oldest `OLDEST` may keep a place.
"""

from dataclasses import replace

from broker.core.accounting import hopes_of
from broker.core.decide.making_room import make_room
from broker.core.decide.once import counted_out, going
from broker.core.decide.placing import Deciding, Disagreement, Watch, place, unwatched
from broker.core.records import WorkloadRecord
from broker.core.state import State
from placement.quota.accounts import month_of
from placement.quota.coverage import RANK
from placement.quota.order import InLine, in_order, share
from placement.quota.order import place as place_in_line
from placement.quota.tree import NOBODY
from tidegate.model.decision import Decision, Outcome
from tidegate.model.event import WorkloadDecided, WorkloadDisplaced, WorkloadQueued
from tidegate.model.registry import ModelVersion
from tidegate.model.workload import Workload

ASKS = 32
PATIENCE = 50
OLDEST = 64
NOWHERE = ("",)
KEPT = "{site} is kept for {name} ({id}), which was passed by {passed}"


def among(state: State, workload: Workload) -> tuple[tuple[str, ...], str]:
    """The places open to a workload, and why not all are; nothing where all are, `NOWHERE` where none is."""
    keeper = _keeper(state)
    if keeper is None or keeper.workload.name == workload.name:
        return (), ""
    if RANK[workload.importance] < RANK[keeper.workload.importance]:
        return (), ""
    site = keeper.hopes[0]
    passed = state.placements - keeper.passed_from
    because = KEPT.format(site=site, name=keeper.workload.name, id=keeper.id, passed=passed)
    return tuple(name for name in state.sites if name != site) or NOWHERE, because


def _keeper(state: State) -> WorkloadRecord | None:
    """The most important and oldest of those whose patience is at its end."""
    oldest = [state.workloads[one] for one, _ in zip(state.waiting, range(OLDEST), strict=False)]
    late = [one for one in oldest if one.hopes and state.placements - one.passed_from >= PATIENCE]
    return min(late, key=lambda one: RANK[one.workload.importance], default=None)


def ask(
    state: State,
    workload: Workload,
    model: ModelVersion | None,
    at: int,
    watch: Watch = unwatched,
    record: WorkloadRecord | None = None,
) -> tuple[Decision, Decision | None, tuple[str, ...], str]:
    """A decision; another with victims where it needs them; the places that it was kept to, and why.

    `record` is the workload's own, where it has been submitted.
    """
    open_to, because = among(state, workload)
    found = None
    with counted_out(state, at, *going(state, workload.name, record)):
        decision = place(state, workload, model, at, watch, among=open_to)
        if decision.outcome is Outcome.REFUSED and not because:
            found = make_room(state, workload, model, at, decision, watch)
    return decision, found, open_to, because


def record(
    state: State,
    workload_id: str,
    decision: Decision,
    found: Decision | None,
    kept: tuple[tuple[str, ...], str],
    at: int,
    because: str = "",
) -> Deciding[Decision]:
    """The events of a decision that was asked for: placed, with whom it displaces; waiting; or refused."""
    one = state.workloads[workload_id]
    open_to, why_kept = kept
    if found is not None:
        decision = found
        for victim in decision.victims:
            yield WorkloadDisplaced(at, victim.workload_id, workload_id, victim)
        yield WorkloadDecided(at, workload_id, decision, because)
        for victim in decision.victims:
            yield from _elsewhere(state, victim.workload_id, workload_id, at)
    elif decision.outcome is Outcome.REFUSED and may_wait(one.workload, decision, bool(why_kept)):
        decision = replace(decision, outcome=Outcome.WAITING)
        yield WorkloadQueued(at, workload_id, decision, because or why_kept, among=open_to)
    else:
        yield WorkloadDecided(at, workload_id, decision, because, among=open_to)
    return decision


def may_wait(workload: Workload, decision: Decision, kept: bool = False) -> bool:
    """Whether it would fit if something came free, and wants to wait for that."""
    return not workload.patience.never and (kept or bool(hopes_of(decision, workload)))


def _elsewhere(state: State, victim: str, by: str, at: int) -> Deciding[None]:
    """A victim is decided again at once: it may fit elsewhere. It displaces nobody in this turn."""
    one = state.workloads[victim]
    because = f"made room for {by}"
    open_to, _ = among(state, one.workload)
    try:
        goes = going(state, one.workload.name, one)
        decision = place(state, one.workload, one.model, at, goes=goes, among=open_to)
    except Disagreement:
        return  # it waits, and is asked again
    if decision.outcome is Outcome.PLACED:
        yield WorkloadDecided(at, victim, decision, because, among=open_to)
    else:
        yield WorkloadQueued(at, victim, replace(decision, outcome=Outcome.WAITING), because, among=open_to)


def overdue(state: State, at: int) -> list[WorkloadRecord]:
    """What has waited for as long as it would."""
    waiting = (state.workloads[one] for one in state.waiting)
    return [one for one in waiting if (until := expires(one)) and at >= until]


def expires(one: WorkloadRecord) -> int:
    """When it is refused, ms since the epoch; 0 for never."""
    most = one.workload.patience.at_most_ms
    return one.queued_at + most if most else 0


def pending(state: State, at: int) -> bool:
    """Whether somebody is to be asked again."""
    queues = state.queues
    return bool(state.waiting) and (queues.done != state.freed or queues.month != month_of(at))


def go_on(state: State, at: int, watch: Watch = unwatched) -> Deciding[tuple[str, ...]]:
    """Ask who waits, as far as something came free since they were asked. What the auditor did not pass comes back."""
    if not pending(state, at):
        return ()
    queues, alarms, asks = state.queues, list[str](), 0
    if queues.month != month_of(at):
        queues.month = month_of(at)
        queues.tried.clear()
    while asks < ASKS:
        line = [one for one in _heads(state) if queues.tried.get(queues.of[one.workload_id], -1) != state.freed]
        if not line:
            queues.done = state.freed
            break
        one = state.workloads[_first(state, line).workload_id]
        asks += 1
        asked_of = queues.of[one.id]
        since = state.freed
        try:
            decision, found, open_to, why_kept = ask(state, one.workload, one.model, at, watch, one)
        except Disagreement as error:
            alarms.append(str(error))
            queues.tried[asked_of] = since
            continue
        if decision.outcome is Outcome.REFUSED and found is None:
            queues.tried[asked_of] = since
            continue
        waited = f"waited {_span(at - one.queued_at)}"
        yield from record(state, one.id, decision, found, (open_to, why_kept), at, waited)
    return tuple(alarms)


def give_up(state: State, at: int, watch: Watch = unwatched) -> Deciding[None]:
    """Refuse what has waited long enough, with a last decision; where that places it, so much the better."""
    for one in overdue(state, at):
        if one.id not in state.waiting:
            continue
        try:
            open_to, _ = among(state, one.workload)
            goes = going(state, one.workload.name, one)
            decision = place(state, one.workload, one.model, at, watch, goes=goes, among=open_to)
        except Disagreement:
            continue
        yield WorkloadDecided(at, one.id, decision, f"waited {_span(at - one.queued_at)}", among=open_to)


def line_of(state: State) -> list[InLine]:
    """All that wait, the next one first."""
    waiting = (_in_line(state.workloads[one], since) for one, since in state.waiting.items())
    return in_order(waiting, state.law.tree, state.fleet.ledger, state.fleet.columns.capacity)


def _heads(state: State) -> list[InLine]:
    return [_in_line(state.workloads[one], state.waiting[one]) for one in state.queues.heads()]


def _first(state: State, line: list[InLine]) -> InLine:
    tree, ledger, capacity = state.law.tree, state.fleet.ledger, state.fleet.columns.capacity
    shares = {team: share(tree, ledger, team, capacity) for team in dict.fromkeys(one.team for one in line)}
    return min(line, key=lambda one: place_in_line(one, shares))


def _in_line(one: WorkloadRecord, since: int) -> InLine:
    return InLine(one.id, one.workload.team or NOBODY, RANK[one.workload.importance], since)


def _span(ms: int) -> str:
    seconds = max(ms, 0) // 1000
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
