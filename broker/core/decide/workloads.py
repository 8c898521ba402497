"""Submitting, planning and cancelling workloads.

What a name that is taken means:
- a training job of that name is at work: Conflict, unless the key says that this is the same submission again;
- a service of that name serves, and nothing differs, model version included: the same answer again, nothing recorded;
- a service of that name serves and something differs: a new workload, decided beside the old one. The old one goes on
  until the new one runs, and is then cancelled in the same turn (`sites.report`). Where there is no room for both,
  the new one is decided as if the old one had left, and the old one is cancelled at once. Where it is refused, the
  old one stays.
"""

from dataclasses import replace

from broker.core.commands import CancelWorkload, SubmitWorkload
from broker.core.decide.bounds import GANG, check_bounds
from broker.core.decide.keys import MOST_OF_ANYTHING, check_because, check_name, earlier, reused
from broker.core.decide.models import resolve
from broker.core.decide.placing import Deciding, Watch, cheaper_than, place, unwatched
from broker.core.decide.waiting import ask, may_wait, record
from broker.core.records import WorkloadRecord
from broker.core.replies import Cancellation, Submission
from broker.core.state import State
from placement.law.law import check_data
from tidegate.model.assignment import Phase
from tidegate.model.decision import Decision, Outcome, Relaxation
from tidegate.model.errors import Conflict, NotFound, Refused
from tidegate.model.event import KeyAnswered, WorkloadCancelled, WorkloadSubmitted
from tidegate.model.registry import ModelVersion
from tidegate.model.workload import Workload, WorkloadKind


def submit(state: State, command: SubmitWorkload, watch: Watch) -> Deciding[Submission]:
    """Record the workload and where it goes; both events stand together or not at all."""
    workload = command.workload
    if answer := earlier(state, command.key, "submit"):
        before = state.workloads.get(answer.about)
        if before is None or before.decision is None or before.workload != workload:
            raise reused(command.key, answer)
        return Submission(before.id, before.decision, before.decided_offset, repeated=True)
    check(workload)
    _check_words(state, workload)
    if command.if_revision and command.if_revision < state.placement_offset:
        raise Conflict(
            "the fleet has changed since the plan",
            field="if_revision",
            found=command.if_revision,
            wanted=f"{state.placement_offset} or later: plan again",
        )
    if command.if_decided_at:
        _check_moment(state, command)
    model = _model(state, workload)
    old = _in_the_way(state, workload)
    if old is not None and _same(old, workload, model) and old.decision is not None:
        if command.key:
            yield KeyAnswered(command.at, "submit", old.id, command.key)
        return Submission(old.id, old.decision, old.decided_offset, repeated=True)
    decision, instead, found, kept = _decided(state, workload, model, command.at, watch, old)
    yield WorkloadSubmitted(command.at, workload, command.key, command.traceparent, model)
    workload_id = f"w{state.offset}"
    if old is not None and (instead or old.phase is Phase.WAITING):
        yield WorkloadCancelled(command.at, old.id, f"superseded by {workload_id}")
    decision = yield from record(state, workload_id, decision, found, kept, command.at)
    if decision.outcome is not Outcome.REFUSED:
        for older in [one for one in state.queues.named.get(workload.name, ()) if one != workload_id]:
            yield WorkloadCancelled(command.at, older, f"superseded by {workload_id}")
    return Submission(workload_id, decision.brief, state.workloads[workload_id].decided_offset, decision)


def plan(state: State, workload: Workload, at: int, watch: Watch = unwatched) -> Decision:
    """What `submit` would decide now. The same path, with the record left out."""
    check(workload)
    _check_words(state, workload)
    old = _in_the_way(state, workload)
    decision, _, found, (_, why_kept) = _decided(state, workload, _model(state, workload), at, watch, old)
    if found is not None:
        return found
    waits = decision.outcome is Outcome.REFUSED and may_wait(workload, decision, bool(why_kept))
    return replace(decision, outcome=Outcome.WAITING) if waits else decision


def advised(
    state: State, workload: Workload, at: int, watch: Watch = unwatched
) -> tuple[Decision, tuple[Relaxation, ...]]:
    """As `plan`, and what the workload could give way in to cost less."""
    decision = plan(state, workload, at, watch)
    return decision, cheaper_than(state, workload, _model(state, workload), decision, at)


def _check_moment(state: State, command: SubmitWorkload) -> None:
    """Conflict where time alone has changed the answer: prices that hold from a moment on, times that grew old."""
    then, now = (plan(state, command.workload, at) for at in (min(command.if_decided_at, command.at), command.at))
    if (then.outcome, then.slots, then.cost) != (now.outcome, now.slots, now.cost):
        books = f"prices of {then.price_book or 'no book'} then, of {now.price_book or 'no book'} now"
        raise Conflict(
            "prices, or what was measured, have changed since the plan",
            field="if_decided_at",
            found=command.if_decided_at,
            wanted=f"{books}: plan again",
        )


def cancel(state: State, command: CancelWorkload, watch: Watch) -> Deciding[Cancellation]:
    """Stop it everywhere. What has ended stays ended: asking again is no error.

    The key is kept even where nothing is left to stop: sent again once another workload has the name, the request must
    not stop that one.
    """
    if answer := earlier(state, command.key, "cancel"):
        before = state.workloads.get(answer.about)
        if command.workload not in (answer.about, before.workload.name if before else answer.about):
            raise reused(command.key, answer)
        return Cancellation(answer.about)
    named = state.find(command.workload)
    if named is None:
        raise NotFound("no such workload", field="workload", found=command.workload, wanted="an id or a name")
    check_because(command.because)
    if named.live or command.key:
        yield WorkloadCancelled(command.at, named.id, command.because, command.key)
    return Cancellation(named.id)


def check(workload: Workload) -> None:
    """Refused, naming the field, where the workload is not whole. Manifests are checked more closely by the client."""
    check_name(workload.name, "name")
    if (workload.training is not None) == (workload.inference is not None):
        raise Refused("exactly one of training and inference belongs here", field="kind", found=workload.kind)
    if (workload.kind is WorkloadKind.TRAINING_JOB) != (workload.training is not None):
        raise Refused("does not match what it holds", field="kind", found=workload.kind)
    if workload.training is not None and not workload.training.entrypoint.strip():
        raise Refused("is empty", field="training.entrypoint", wanted="a command")
    where = "training.workers" if workload.training else "inference.replicas.minimum"
    if not 1 <= workload.copies <= GANG:
        raise Refused("is out of bounds", field=where, found=workload.copies, wanted=f"1 to {GANG}")
    asked = workload.demand.resources
    for name in ("gpus", "gpu_memory_bytes", "cpus_milli", "memory_bytes"):
        if getattr(asked, name) < 0:
            raise Refused("is negative", field=f"demand.{name}", found=getattr(asked, name), wanted="0 or more")
        if getattr(asked, name) > MOST_OF_ANYTHING:
            raise Refused("is out of bounds", field=f"demand.{name}", found=getattr(asked, name), wanted="less")
    if workload.training is not None and workload.training.output_model:
        check_name(workload.training.output_model, "training.output_model")
    if workload.latency is not None and workload.latency.p99_us <= 0:
        raise Refused("is not a time", field="latency.p99_us", found=workload.latency.p99_us, wanted="above 0")
    check_bounds(workload)


def _check_words(state: State, workload: Workload) -> None:
    """Refused where what is said of the data, or of what a model was made from, is likely a slip."""
    check_data(workload.data, state.law, "data")
    for index, data in enumerate(workload.carries):
        check_data(data, state.law, f"carries[{index}]")


def _model(state: State, workload: Workload) -> ModelVersion | None:
    return resolve(state, workload.inference.model_uri) if workload.inference else None


def _in_the_way(state: State, workload: Workload) -> WorkloadRecord | None:
    """The live workload of the same name, if there is one and it may be superseded."""
    old = state.find(workload.name)
    if old is None or not old.live or old.workload.name != workload.name:
        return None
    if old.workload.kind is WorkloadKind.TRAINING_JOB or workload.kind is not old.workload.kind:
        raise Conflict(
            f"{old.id} of that name is {old.phase}",
            field="name",
            found=workload.name,
            wanted=f"another name, or `cancel {old.id}` first",
        )
    return old


def _same(old: WorkloadRecord, workload: Workload, model: ModelVersion | None) -> bool:
    return old.workload == workload and old.model == model


def _decided(
    state: State, workload: Workload, model: ModelVersion | None, at: int, watch: Watch, old: WorkloadRecord | None
) -> tuple[Decision, bool, Decision | None, tuple[tuple[str, ...], str]]:
    """The decision, whether it needs the room of the one it supersedes, whom it displaces, and where it was kept to."""
    beside, found, open_to, why_kept = ask(state, workload, model, at, watch)
    if old is None or beside.outcome is Outcome.PLACED:
        return beside, False, found, (open_to, why_kept)
    instead = place(state, workload, model, at, watch, without=old.id)
    if instead.outcome is Outcome.PLACED:
        return instead, True, None, ((), "")
    return beside, False, found, (open_to, why_kept)
