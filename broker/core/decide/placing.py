"""The engine and the auditor, called together: nobody adopts a decision that the independent judge has not passed.

`watch` hears of each step as it ends, with what it counted, so that the rim can time it; nothing here reads a clock.
"""

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TypeVar

from broker.core.decide.once import counted_out, going, vacated
from broker.core.records import WorkloadRecord
from broker.core.state import State
from placement import engine
from placement.audit import auditor
from placement.rules.law import LawRule
from tidegate.model.decision import Decision, Outcome, Relaxation
from tidegate.model.errors import Broken
from tidegate.model.event import Event
from tidegate.model.registry import ModelVersion
from tidegate.model.workload import Data, Workload

Reply = TypeVar("Reply")
Deciding = Generator[Event, None, Reply]
Watch = Callable[[str, dict[str, int]], None]


class Disagreement(Broken):
    """The auditor does not pass what the engine decided. The request alone is refused, and an alarm is raised."""


def unwatched(step: str, counts: dict[str, int]) -> None:
    """Nobody is timing."""


def place(
    state: State,
    workload: Workload,
    model: ModelVersion | None,
    at: int,
    watch: Watch = unwatched,
    *,
    without: str | tuple[str, ...] = (),
    goes: tuple[str, ...] = (),
    among: tuple[str, ...] = (),
    revision: int = -1,
    audited: bool = True,
    advise: bool = True,
) -> Decision:
    """Where the workload goes, audited. `without` names workloads that count as gone, their room and what they cost;
    `goes` those whose room is still theirs, and which count for their teams no more (`decide.once`).

    Not `audited` is what is only tried, on a copy, and that nobody adopts. `among` leaves out every other site, where a
    plan has chosen; empty means that all are asked. `revision` is for replays: the offset that the decision was made
    at, where that is not the state's own.
    `advise`: whether a refusal says what would help; that costs more than the decision. Raises `Disagreement`.
    """
    workload = bound(workload, model)
    revision = state.offset if revision < 0 else revision
    digest = model.artifact.digest if model else ""
    exclude = frozenset(state.sites) - set(among) if among else frozenset()
    gone = (without,) if isinstance(without, str) else without
    with vacated(state, at, *gone), counted_out(state, at, *goes):
        decision = engine.decide(
            workload,
            state.fleet,
            state.law,
            now=at,
            revision=revision,
            model_digest=digest,
            exclude=exclude,
            watch=watch,
            advise=advise,
        )
        findings: tuple[str, ...] = ()
        if audited:
            findings = auditor.audit(workload, decision, state.fleet, state.law, model_digest=digest, exclude=exclude)
            watch("audit", {"findings": len(findings)})
    if findings:
        told = "; ".join(findings)
        raise Disagreement(f"the auditor does not pass this decision: {told}", field=workload.name)
    return decision


def cheaper_than(
    state: State, workload: Workload, model: ModelVersion | None, decision: Decision, at: int
) -> tuple[Relaxation, ...]:
    """What a workload that is only planned could give way in to cost less than where it would be placed."""
    if decision.outcome is not Outcome.PLACED or decision.victims:
        return ()
    digest = model.artifact.digest if model else ""
    with counted_out(state, at, *going(state, workload.name)):
        return engine.would_be_cheaper(
            bound(workload, model), state.fleet, state.law, decision.cost, now=at, model_digest=digest
        )


def cheaper(state: State, record: WorkloadRecord, at: int) -> tuple[Relaxation, ...]:
    """What a workload that stands could give way in to cost less than it does, its own room counting as free."""
    if record.decision is None or record.decision.outcome is not Outcome.PLACED or not record.live:
        return ()
    workload, digest = bound(record.workload, record.model), record.model.artifact.digest if record.model else ""
    with vacated(state, at, record.id):
        return engine.would_be_cheaper(
            workload, state.fleet, state.law, record.decision.cost, now=at, model_digest=digest
        )


def bound(workload: Workload, model: ModelVersion | None) -> Workload:
    """The workload as law binds it: a model carries the data that it was made from to wherever it is served.

    The lineage that was recorded outranks what the submitter says of the model. Where neither says anything, nothing
    is known of that data, which is treated as the strictest.
    """
    if model is None:
        return replace(workload, carries=())
    lineage = model.lineage
    if lineage is None:
        return replace(workload, carries=workload.carries or (Data(),))
    data = Data(
        classes=lineage.data_classes,
        subjects=lineage.data_subjects,
        deidentified=lineage.data_deidentified,
        attestation=lineage.data_attestation,
        origin=lineage.data_origin,
        ref=lineage.data_ref,
    )
    return replace(workload, carries=(data,))


def outlaws(state: State, record: WorkloadRecord, site: str) -> tuple[str, ...]:
    """The enforced rules in force that forbid a workload where it stands at a site, on the offers that it has there.

    And those that forbid what it leaves behind, where the broker's stores stand.
    """
    workload, facts = bound(record.workload, record.model), state.sites[site].effective
    slots = record.decision.slots if record.decision else ()
    here = [facts.offer(slot.offer) for slot in slots if slot.site == site]
    stores = [one.site for one in state.sites.values() if one.site.home]

    def allows(rule: LawRule) -> bool:
        at_home = rule.of_offers or all(rule.allows_one(workload, store) for store in stores)
        return at_home and all(rule.allows_one(workload, facts, offer) for offer in here or [None])

    return tuple(rule.name for rule in state.law.rules if rule.enforced and not allows(rule))
