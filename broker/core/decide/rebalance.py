"""Adopting a plan: its parent must still hold, and every move is decided and audited again before it is made.

A plan was made of a copy, elsewhere; here nothing of it is believed but which sites it chose. If anything that
placement depends on has changed since its revision, the whole plan is refused (Conflict: plan again). Otherwise its
moves are decided in their order, each against a fleet in which those before it stand where they were just put, and
each asked about the planned sites alone. A move that does not come out as planned is left out, and named in the reply.

A plan is carried out `TURN` moves at a time, each run of them a command of its own, so that the loop has other turns in
between. What happens there can only make later moves come out otherwise, and then they are left out. The same request
sent again, after a crash for instance, makes those moves that have not been made yet, and no move twice; so are moves
of a later wave made, once those before them have left the room that they need.

Limits: `MOST_MOVES` in one plan.
"""

from collections.abc import Sequence

from broker.core.commands import AdoptPlan
from broker.core.decide.keys import earlier, reused
from broker.core.decide.once import going
from broker.core.decide.placing import Deciding, Disagreement, Watch, place, unwatched
from broker.core.records import WorkloadRecord
from broker.core.replies import Move, Moves
from broker.core.state import State
from tidegate.model.decision import Decision, Outcome
from tidegate.model.errors import Conflict, Refused
from tidegate.model.event import PlanAdopted, WorkloadDecided
from tidegate.model.plan import Manner, Plan, PlannedMove

MOST_MOVES = 1_000
TURN = 16
BECAUSE = "rebalance"


def adopt(state: State, command: AdoptPlan, watch: Watch) -> Deciding[Moves]:
    """Carry out the moves from `first` on, as many as one turn makes. Nothing happens for a plan without moves."""
    plan = command.plan
    answer = earlier(state, command.key, "adopt")
    if answer and answer.about != f"plan/{plan.revision}":
        raise reused(command.key, answer)
    if not answer and not command.first:
        _check(state, plan)
        if plan.moves:
            yield PlanAdopted(command.at, plan, command.key)
    alarms: list[str] = []
    some = plan.moves[command.first : command.first + TURN]
    moves = yield from carried_out(state, some, command.at, watch, BECAUSE, alarms)
    return Moves(tuple(moves), tuple(alarms))


def carried_out(
    state: State, moves: Sequence[PlannedMove], at: int, watch: Watch, because: str, alarms: list[str]
) -> Deciding[list[Move]]:
    """Make each move that comes out as planned, in their order. What the auditor does not pass is added to `alarms`."""
    made: list[Move] = []
    for move in moves:
        record = state.workloads.get(move.workload_id)
        slots = record.decision.slots if record is not None and record.live and record.decision is not None else ()
        if record is not None and slots == move.before:
            try:
                decision = decided(state, record, move, at, watch)
            except Disagreement as error:
                alarms.append(str(error))
                decision = None
            if decision is not None and decision.slots == move.after:
                yield event_of(at, move, decision, because)
                slots = move.after
        made.append(Move(move.workload_id, move.name, sites_of(move) if slots == move.after else ()))
    return made


def decided(
    state: State, record: WorkloadRecord, move: PlannedMove, at: int, watch: Watch = unwatched
) -> Decision | None:
    """The decision that makes the move, audited; None where it does not place it. Raises `Disagreement`."""
    leaves = record.id if move.disruption.manner is Manner.STOP_FIRST else ""
    goes = going(state, record.workload.name, record)
    decision = place(state, record.workload, record.model, at, watch, without=leaves, goes=goes, among=sites_of(move))
    return decision if decision.outcome is Outcome.PLACED else None


def event_of(at: int, move: PlannedMove, decision: Decision, because: str = BECAUSE) -> WorkloadDecided:
    """What is recorded of a move that was decided."""
    first = move.disruption.manner is Manner.STOP_FIRST
    return WorkloadDecided(at, move.workload_id, decision, because, sites_of(move), first)


def sites_of(move: PlannedMove) -> tuple[str, ...]:
    """The sites it goes to, each once."""
    return tuple(dict.fromkeys(slot.site for slot in move.after))


def _check(state: State, plan: Plan) -> None:
    """Refused where it is no plan for this state; afterwards it would be too late."""
    if len(plan.moves) > MOST_MOVES:
        wanted = f"at most {MOST_MOVES}"
        raise Refused("too many moves", field="plan.moves", found=len(plan.moves), wanted=wanted)
    if not state.placement_offset <= plan.revision <= state.offset:
        raise Conflict(
            "the fleet has changed since the plan was made",
            field="plan.revision",
            found=plan.revision,
            wanted=f"{state.placement_offset} to {state.offset}: plan again",
        )
    seen: set[str] = set()
    for index, move in enumerate(plan.moves):
        field = f"plan.moves[{index}]"
        record = state.workloads.get(move.workload_id)
        if record is None or not record.live or record.decision is None:
            raise Conflict("does not stand any more", field=f"{field}.workload_id", found=move.workload_id)
        if record.decision.slots != move.before:
            raise Conflict("stands elsewhere", field=f"{field}.before", found=move.before, wanted="plan again")
        if not move.after or move.workload_id in seen:
            raise Refused("goes nowhere, or goes twice", field=field, found=move.workload_id)
        seen.add(move.workload_id)
