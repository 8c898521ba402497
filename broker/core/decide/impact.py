"""A law on trial: what stands and what was decided, judged under the law in force and under one that is proposed.

Both laws are asked the same question in the same fleet, so that a difference is the law's alone; prices, capacity and
the engine itself are today's on both sides. Where the changed policies give the same answers (sites, offers and
penalties), nothing else can differ, and nobody decides anything.

It changes nothing of the state but which law is asked, and puts that back. It is meant for a copy.

On one core, 200 sites and 1,000 services: 60 us for a workload that a law does not touch, 1.5 ms for one that it does.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager

import numpy as np

from broker.core.decide.once import vacated
from broker.core.decide.placing import bound, outlaws
from broker.core.records import WorkloadRecord
from broker.core.state import State
from placement import engine
from placement.fleet.fleet import Fleet
from placement.law.law import Law, check_policy
from placement.rules.law import LawRule
from tidegate.model.assignment import Phase
from tidegate.model.decision import Decision, Outcome
from tidegate.model.errors import NotFound, Refused
from tidegate.model.event import WorkloadDecided, WorkloadQueued
from tidegate.model.impact import Touch, Touched
from tidegate.model.policy import Policy
from tidegate.model.workload import Workload

Judged = WorkloadDecided | WorkloadQueued


class Trial:
    """Policies that would be put in force, and names of those that would be taken out."""

    def __init__(self, policies: tuple[Policy, ...], without: tuple[str, ...] = ()) -> None:
        """Refused, naming the field, where a policy could not come into force or is both in and out."""
        names = [policy.name for policy in policies]
        for index, policy in enumerate(policies):
            if policy.name in names[:index] or policy.name in without:
                raise Refused("is proposed twice", field=f"policies[{index}].name", found=policy.name)
            try:
                check_policy(policy)
            except Refused as wrong:
                where = f"policy {policy.name}: {wrong.field}"
                raise Refused(wrong.message, field=where, found=wrong.found, wanted=wrong.wanted) from wrong
        self._policies = policies
        self.changed = frozenset((*names, *without))
        """The names of the policies that differ."""
        self._made: tuple[Law, Law] | None = None

    def check(self, law: Law) -> None:
        """NotFound where what would be taken out is not in force."""
        missing = sorted(self.changed - {policy.name for policy in (*law.policies, *self._policies)})
        if missing:
            known = ", ".join(policy.name for policy in law.policies)
            raise NotFound("no such policy", field="without", found=", ".join(missing), wanted=f"one of: {known}")

    def law(self, law: Law) -> Law:
        """The law as it would be; the same object for the same law, so that it is compiled once."""
        if self._made is None or self._made[0] is not law:
            kept = tuple(policy for policy in law.policies if policy.name not in self.changed)
            self._made = (law, Law((*kept, *self._policies), law.price_book, law.teams, law.books))
        return self._made[1]


def standing(state: State, trial: Trial, at: int) -> Iterator[Touched | None]:
    """For each workload that stands or waits: what the proposed law would do to it, None for nothing."""
    law, then = state.law, trial.law(state.law)
    for record in tuple(state.workloads.without(state.ended)):
        if record.live and record.sites:
            yield _standing(state, record, law, then, trial, at)
        elif record.phase is Phase.WAITING:
            yield _compared(state, record, law, then, trial, at, opens_only=True)


def recorded(state: State, trial: Trial, event: Judged, offset: int) -> Touched | None:
    """What the proposed law would have done to a recorded decision. The state stands right before it."""
    record = state.workloads[event.workload_id]
    return _compared(state, record, state.law, trial.law(state.law), trial, event.decision.decided_at, offset=offset)


def _standing(state: State, record: WorkloadRecord, law: Law, then: Law, trial: Trial, at: int) -> Touched | None:
    before = {rule for site in record.sites for rule in outlaws(state, record, site)}
    with _under(state, then):
        forbid = [rule for site in record.sites for rule in outlaws(state, record, site)]
    rules = tuple(dict.fromkeys(rule for rule in forbid if rule not in before))
    if not rules:
        return _compared(state, record, law, then, trial, at)
    after = _decided(state, record, then, at)
    now = record.decision.cost.total if record.decision else 0
    return _touched(Touch.ILLEGAL, record, 0, record.sites, after.sites, rules, now, after.cost.total)


def _compared(
    state: State,
    record: WorkloadRecord,
    law: Law,
    then: Law,
    trial: Trial,
    at: int,
    *,
    offset: int = 0,
    opens_only: bool = False,
) -> Touched | None:
    """Decided under both laws, where the laws differ about it at all."""
    workload, fleet = bound(record.workload, record.model), state.fleet
    old, new = _of(law.rules, trial.changed), _of(then.rules, trial.changed)
    if _answers(old, workload, fleet) == _answers(new, workload, fleet):
        return None
    before, after = _decided(state, record, law, at), _decided(state, record, then, at)
    was, is_then = before.outcome is Outcome.PLACED, after.outcome is Outcome.PLACED
    if before.sites == after.sites or (opens_only and not (is_then and not was)):
        return None
    touch = Touch.MOVES if was and is_then else Touch.OPENED if is_then else Touch.CLOSED
    closing = _refusing(new, workload, state, before.sites) if was else ()
    rules = closing or _refusing(old, workload, state, after.sites)
    return _touched(touch, record, offset, before.sites, after.sites, rules, before.cost.total, after.cost.total)


def _of(rules: tuple[LawRule, ...], names: frozenset[str]) -> tuple[LawRule, ...]:
    return tuple(rule for rule in rules if rule.name.partition("/")[0] in names)


def _answers(rules: Iterable[LawRule], workload: Workload, fleet: Fleet) -> tuple[bytes, ...]:
    """All that a decision takes from these rules: what they allow, and what they add to a price."""
    columns = fleet.columns
    sites, offers = np.ones(len(columns), dtype=np.bool_), np.ones(len(columns.offers), dtype=np.bool_)
    leaning, on_offers = np.zeros(len(columns), dtype=np.int64), np.zeros(len(columns.offers), dtype=np.int64)
    for rule in rules:
        if rule.enforced:
            sites &= rule.allows(workload, fleet)
            offers &= rule.offers(workload, fleet)
        elif rule.of_offers:
            on_offers += ~rule.offers(workload, fleet) * rule.penalty_micros_per_hour
        else:
            leaning += ~rule.allows(workload, fleet) * rule.penalty_micros_per_hour
    return tuple(answer.tobytes() for answer in (sites, offers, leaning, on_offers))


def _refusing(rules: Iterable[LawRule], workload: Workload, state: State, sites: tuple[str, ...]) -> tuple[str, ...]:
    """Those that refuse any of the sites, or make it dearer."""
    rows = [state.fleet.columns.row_of[site] for site in sites]
    binding = [rule for rule in rules if rule.enforced or rule.penalty_micros_per_hour]
    return tuple(rule.name for rule in binding if not rule.allows(workload, state.fleet)[rows].all())


def _decided(state: State, record: WorkloadRecord, law: Law, at: int) -> Decision:
    digest = record.model.artifact.digest if record.model else ""
    with vacated(state, at, record.id):
        return engine.decide(
            bound(record.workload, record.model), state.fleet, law, now=at, revision=state.offset, model_digest=digest
        )


def _touched(
    touch: Touch,
    record: WorkloadRecord,
    offset: int,
    before: tuple[str, ...],
    after: tuple[str, ...],
    rules: tuple[str, ...],
    now: int,
    then: int,
) -> Touched:
    work = record.workload
    return Touched(touch, record.id, work.name, work.team, offset, before, after, rules, now, then)


@contextmanager
def _under(state: State, law: Law) -> Generator[None]:
    """The state as if that law were in force."""
    kept, state.law = state.law, law
    try:
        yield
    finally:
        state.law = kept
