"""Draining: a plan that empties a site of its services, shown before it is asked for, or adopted as it is made.

Each service is decided again on all other sites, in the order in which the site got them, on a fleet in which those
before it have taken their new room. It stands at both places until the new one runs, so a plan never counts on room
that a service of its own still holds. Jobs run to their end; what lawfully fits nowhere else stays. Both are named.

Adopted, the site is cordoned, the plan recorded, and each move decided and audited again among the planned sites alone,
as in any plan that is adopted; nothing lies between, so its parent holds.
"""

from contextlib import ExitStack

from broker.core.commands import DrainSite
from broker.core.decide.keys import check_because, earlier, reused
from broker.core.decide.moving import as_move
from broker.core.decide.once import going, moved
from broker.core.decide.placing import Deciding, Disagreement, Watch, place, unwatched
from broker.core.decide.rebalance import carried_out
from broker.core.decide.sites import known
from broker.core.records import WorkloadRecord
from broker.core.replies import Move, Moves
from broker.core.state import State
from tidegate.model.decision import Decision, Outcome
from tidegate.model.event import PlanAdopted, SiteCordoned
from tidegate.model.plan import Goal, Manner, Plan, PlannedMove, Staying, Stays
from tidegate.model.workload import WorkloadKind


def planned(state: State, site: str, at: int, watch: Watch = unwatched, *, audited: bool = True) -> Plan:
    """The plan. The fleet is as before afterwards. Not `audited` where each move is audited as it is adopted."""
    leaving = [state.workloads[one] for one in known(state, site).desired if site in state.workloads[one].sites]
    others = tuple(name for name in state.sites if name != site)
    moves: list[PlannedMove] = []
    staying: list[Staying] = []
    before = gained = 0
    with ExitStack() as made:
        for record in leaving:
            pays = record.decision.cost.total if record.decision is not None else 0
            before += pays
            decision = None if _ends(record) else _decided(state, record, others, at, watch, audited)
            if decision is None:
                why = Stays.ENDS if _ends(record) else Stays.NOWHERE
                staying.append(Staying(record.id, record.workload.name, Goal.DRAIN, why))
                continue
            made.enter_context(moved(state, record, decision))
            moves.append(as_move(state, record, pays, Goal.DRAIN, Manner.MAKE_BEFORE_BREAK, decision, at))
            gained += moves[-1].gain_micros_per_hour
    return Plan(
        revision=state.offset,
        moves=tuple(moves),
        staying=tuple(staying),
        considered=len(leaving),
        cost_before_micros_per_hour=before,
        cost_after_micros_per_hour=before - gained,
        made_at=at,
    )


def drain(state: State, command: DrainSite, watch: Watch) -> Deciding[Moves]:
    """Cordon, plan, adopt. A service stands at both places until the new one runs.

    Sent again under its key it moves nothing and says what stays: what it led to stood in the same run of events as its
    answer.
    """
    record = known(state, command.site)
    check_because(command.because)
    answer = earlier(state, command.key, "cordon")
    if answer and answer.about != command.site:
        raise reused(command.key, answer)
    if answer is not None:
        still = [state.workloads[one] for one in record.desired if command.site in state.workloads[one].sites]
        return Moves(tuple(Move(one.id, one.workload.name, ()) for one in still if not _ends(one)))
    if not record.cordoned or command.key:
        yield SiteCordoned(command.at, command.site, True, command.because or "drain", command.key)
    plan = planned(state, command.site, command.at, watch, audited=False)
    alarms: list[str] = []
    moves: list[Move] = []
    if plan.moves:
        yield PlanAdopted(command.at, plan)
        moves = yield from carried_out(state, plan.moves, command.at, watch, f"drain {command.site}", alarms)
    stays = [Move(one.workload_id, one.name, ()) for one in plan.staying if one.why is not Stays.ENDS]
    return Moves((*moves, *stays), tuple(alarms), plan)


def _ends(record: WorkloadRecord) -> bool:
    """Whether it ends by itself."""
    return record.workload.kind is WorkloadKind.TRAINING_JOB


def _decided(
    state: State, record: WorkloadRecord, among: tuple[str, ...], at: int, watch: Watch, audited: bool
) -> Decision | None:
    if not among:
        return None
    try:
        goes = going(state, record.workload.name, record)
        decision = place(
            state, record.workload, record.model, at, watch, goes=goes, among=among, audited=audited, advise=False
        )
    except Disagreement:
        return None  # adopting it would be refused for the same reason, and raise the alarm
    return decision if decision.outcome is Outcome.PLACED else None
