"""A decision of a history, put to the brute-force oracle of small questions (`tests.placement.oracle`)."""

from broker.core.decide.once import counted_out, going, vacated
from broker.core.decide.placing import bound
from broker.core.state import State
from tests.placement.oracle.compare import differences
from tests.placement.oracle.judge import Judge
from tests.placement.oracle.question import Question
from tidegate.model.event import WorkloadDecided


def can_judge(event: WorkloadDecided) -> bool:
    """Not where others were displaced for it: they have gone from the state by then, and their right with them."""
    return not event.decision.victims


def disagreements(state: State, event: WorkloadDecided) -> list[str]:
    """What the oracle says otherwise, in words. The state stands right before the decision."""
    record = state.workloads[event.workload_id]
    goes = going(state, record.workload.name, record)
    with vacated(state, event.at, record.id if event.stop_first else ""), counted_out(state, event.at, *goes):
        fleet = state.fleet
        question = Question(
            work=bound(record.workload, record.model),
            sites=dict(fleet.sites),
            links=dict(fleet.links),
            service_times=dict(fleet.service_times),
            holdings=tuple(fleet.holdings.values()),
            policies=state.law.policies,
            books=state.law.books,
            teams=state.law.teams,
            digest=record.model.artifact.digest if record.model else "",
            now=event.decision.decided_at,
            exclude=frozenset(state.sites) - set(event.among) if event.among else frozenset(),
            accounts=dict(fleet.ledger.accounts),
            aside=frozenset(fleet.aside),
        )
        return differences(question, event.decision, Judge(question).answer())
