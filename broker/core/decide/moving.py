"""What a move is: from where a workload stands to where a decision puts it, what it gains, and what it costs once.

A service is made anew before the old one is broken, so both places are paid for a while; a job that is stopped first
loses the hours that it has run. Either way the model's bytes move at the price of moving them.
"""

from broker.core.records import WorkloadRecord
from broker.core.state import State
from tidegate.model.assignment import Phase
from tidegate.model.decision import Decision
from tidegate.model.plan import Disruption, Goal, Manner, PlannedMove
from tidegate.model.workload import WorkloadKind

OVERLAP_HOURS = 1
"""For which both places of a service are paid while it moves."""
MS_PER_HOUR = 3_600_000


def as_move(
    state: State, record: WorkloadRecord, pays: int, goal: Goal, manner: Manner, decision: Decision, at: int
) -> PlannedMove:
    """The move to where it was decided; `pays` is micros per hour where it stands."""
    assert record.decision is not None
    return PlannedMove(
        workload_id=record.id,
        name=record.workload.name,
        before=record.decision.slots,
        after=decision.slots,
        goal=goal,
        gain_micros_per_hour=pays - decision.cost.total,
        disruption=_disruption(state, record, pays, manner, decision, at),
        outlawed_by=record.outlawed_by,
    )


def _disruption(
    state: State, record: WorkloadRecord, pays: int, manner: Manner, decision: Decision, at: int
) -> Disruption:
    model_bytes = record.model.artifact.size_bytes if record.model else 0
    source, destination = (state.sites[name].site.region for name in (record.sites[0], decision.sites[0]))
    micros, per_bytes = state.law.at(at).tariff.egress(source, destination)
    cost = 0 if source == destination else -(-model_bytes * micros // per_bytes)
    if manner is Manner.MAKE_BEFORE_BREAK:
        cost += decision.cost.total * OVERLAP_HOURS
    elif record.workload.kind is WorkloadKind.TRAINING_JOB:
        cost += -(-pays * _ran_ms(record, at) // MS_PER_HOUR)
    return Disruption(manner, record.workload.copies, model_bytes + record.workload.data.size_bytes, cost)


def _ran_ms(record: WorkloadRecord, at: int) -> int:
    """For how long it has run where it stands; 0 where it has not begun."""
    said = record.statuses.get(record.sites[0])
    since = record.running_since or (said.at if said is not None and said.phase is Phase.RUNNING else at)
    return max(0, at - since)
