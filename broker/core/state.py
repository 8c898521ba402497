"""The state: what the fold of the log knows. `State.apply` is its only writer; everybody else reads.

    state = State()
    for recorded in log: state.apply(recorded)

Held here: sites with their desired state, workloads, law, teams, price books, models, measurements and the answers that
idempotency keys have had. Derived from these and never stored: the placement engine's `Fleet` (columns and what is
taken).

It is longer than other files because the fold is one thing: whoever asks what an event means finds it here alone.
An assignment's generation is the offset of the event that made it, so no generation can ever go back. A service that
moves stands at both places until the new one runs; that is in the fold, not in anyone's memory.

Limits: the newest 100,000 answers, the newest 20,000 ended workloads (the log keeps them all), the newest 1,000
removals of a site (whoever is further behind is told everything), 1,000 measured origins of a site.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from broker.core.accounting import OPENS, hold, hopes_of, places_nothing, right_of, settle
from broker.core.cold import Cold
from broker.core.demanded import Demanded
from broker.core.naming import give_back, take_name
from broker.core.queues import Queues
from broker.core.records import (
    JOINED,
    UNKNOWN,
    Answer,
    MeasuredLink,
    MeasuredTime,
    SiteRecord,
    WorkloadRecord,
)
from broker.core.story import about
from placement.fleet.facts import Carried, Holding
from placement.fleet.fleet import Fleet
from placement.law.law import Law
from placement.money.books import standing
from placement.quota.accounts import Account
from placement.rules.volume import carried
from tidegate.model import event as happened
from tidegate.model.assignment import Assignment, Phase
from tidegate.model.decision import Decision, Outcome
from tidegate.model.errors import Broken
from tidegate.model.event import Recorded
from tidegate.model.money import PriceBook, Team
from tidegate.model.policy import Policy
from tidegate.model.registry import ModelVersion
from tidegate.model.sketch import widened_us
from tidegate.model.workload import Reconcile

ANSWERS_KEPT = 100_000
ENDED_KEPT = 20_000
REMOVALS_KEPT = 1_000
LINKS_KEPT = 1_000


@dataclass(slots=True)
class State:
    """The fold. Dictionaries keep the order of first mention, which is part of the state."""

    offset: int = 0
    """Of the last event applied; the state's revision."""
    placement_offset: int = 0
    """Of the last event that could change where something is placed."""
    epoch: int = 0
    """Of the broker that took up the log last."""
    sites: dict[str, SiteRecord] = field(default_factory=dict)
    workloads: Cold[WorkloadRecord] = field(default_factory=Cold)
    names: dict[str, str] = field(default_factory=dict)
    """Name to whose it is (`naming`); one that was refused does not take the name from a live one."""
    ended: dict[str, int] = field(default_factory=dict)
    """Ended workloads, oldest first, with the offset at which they ended."""
    waiting: dict[str, int] = field(default_factory=dict)
    """What waits for room, in the order in which it began to, with the offset at which it did."""
    policies: dict[str, Policy] = field(default_factory=dict)
    teams: dict[str, Team] = field(default_factory=dict)
    books: dict[str, tuple[PriceBook, ...]] = field(default_factory=dict)
    """By name, the versions that hold or will hold, the highest last."""
    models: dict[str, tuple[ModelVersion, ...]] = field(default_factory=dict)
    """By name, version 1 first."""
    links: dict[str, dict[str, MeasuredLink]] = field(default_factory=dict)
    """By site, then by origin."""
    service_times: dict[str, dict[str, MeasuredTime]] = field(default_factory=dict)
    """By model digest, then by device class."""
    accounts: dict[str, Account] = field(default_factory=dict)
    """By team: what its work has cost and costs."""
    durations: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """By team: how long its newest jobs that succeeded ran, ms, oldest first."""
    freed: int = 0
    """The offset of the last event after which something might fit that did not."""
    placements: int = 0
    """How many times anything was placed."""
    answers: Cold[Answer] = field(default_factory=Cold)
    demanded: Demanded = field(default_factory=Demanded)
    """Classes of work by how often they were asked for; units are chosen by it."""
    fleet: Fleet = field(default_factory=Fleet, compare=False)
    """Derived, but for its holdings: the columns that the engine works on."""
    law: Law = field(default_factory=Law, compare=False)
    """Derived: what is in force."""
    queues: Queues = field(default_factory=Queues, compare=False)
    """Derived: what waits, by class, and who was asked in vain."""

    def __post_init__(self) -> None:
        """The fleet reads what teams owe; it does not keep it."""
        self.fleet.ledger.accounts = self.accounts

    def apply(self, recorded: Recorded) -> None:
        """Take in one event. Raises `Broken` where it does not follow or cannot be."""
        if recorded.offset != self.offset + 1:
            raise Broken("the log has a hole", field="offset", found=recorded.offset, wanted=str(self.offset + 1))
        event = recorded.event
        _FOLD[type(event)](self, event, recorded.offset)
        self.offset = recorded.offset
        if workload_id := about(event):
            settle(self, workload_id, event.at)
            give_back(self, workload_id)
        if isinstance(event, OPENS):
            self.freed = recorded.offset
        if not places_nothing(self, event, recorded.offset):
            self.placement_offset = recorded.offset

    def find(self, workload: str) -> WorkloadRecord | None:
        """By id or by name."""
        return self.workloads.get(workload) or self.workloads.get(self.names.get(workload, ""))

    def rebuild(self, holdings: Iterable[Holding]) -> None:
        """Derive what is derived, after a snapshot was read. Holdings name units, so they come back as they were."""
        self.fleet = Fleet(self.demanded.policy)
        self.fleet.ledger.accounts = self.accounts
        for workload_id in self.waiting:
            self.queues.add(self.workloads[workload_id])
        for record in self.sites.values():
            self._know_site(record)
        for site, links in self.links.items():
            for origin, link in links.items():
                self.fleet.put_link(origin, site, link.bound_us, link.at, link.samples, link.rtt_us)
        for digest, times in self.service_times.items():
            for device_class, measured in times.items():
                self.fleet.put_service_time(
                    digest, device_class, measured.bound_us, measured.at, measured.samples, measured.p99_us
                )
        hold(self, holdings)
        self._enact()

    def _started(self, event: happened.BrokerStarted, offset: int) -> None:
        self.epoch = event.epoch

    # Declarations

    def _site_applied(self, event: happened.SiteApplied, offset: int) -> None:
        before = self.sites.get(event.site.name, SiteRecord(event.site))
        self._put_site(replace(before, site=event.site))
        self._answer(event.key, "apply", f"site/{event.site.name}", offset)

    def _policy_applied(self, event: happened.PolicyApplied, offset: int) -> None:
        self.policies[event.policy.name] = event.policy
        self._declared(event.key, f"policy/{event.policy.name}", offset)

    def _team_applied(self, event: happened.TeamApplied, offset: int) -> None:
        self.teams[event.team.name] = event.team
        self._declared(event.key, f"team/{event.team.name}", offset)

    def _book_applied(self, event: happened.PriceBookApplied, offset: int) -> None:
        others = (book for book in self.books.get(event.book.name, ()) if book.version != event.book.version)
        self.books[event.book.name] = standing((*others, event.book), event.at)
        self._declared(event.key, f"price_book/{event.book.name}", offset)

    def _declared(self, key: str, about: str, offset: int) -> None:
        self._enact()
        self._answer(key, "apply", about, offset)

    def _enact(self) -> None:
        books = (book for versions in self.books.values() for book in versions)
        self.law = Law(tuple(self.policies.values()), None, tuple(self.teams.values()), tuple(books))

    # Sites

    def _site_joined(self, event: happened.SiteJoined, offset: int) -> None:
        before = self._site(event.site)
        self._put_site(
            replace(
                before,
                state=JOINED,
                since=event.at,
                boot=event.boot,
                held_generation=event.held_generation,
                address=event.address,
                observed=event.observed,
            )
        )
        for workload_id in before.desired:
            record = self.workloads[workload_id]
            # What was replaced while the site was away: the workload said which copy stays.
            if event.site in record.leaving and record.workload.disconnect.reconcile is Reconcile.KEEP_REPLACEMENT:
                self._leave(record, offset, (event.site,))

    def _site_lost(self, event: happened.SiteLost, offset: int) -> None:
        self._put_site(replace(self._site(event.site), state=UNKNOWN, since=event.at))

    def _site_cordoned(self, event: happened.SiteCordoned, offset: int) -> None:
        self._put_site(replace(self._site(event.site), cordoned=event.cordoned, because=event.because))
        self._answer(event.key, "cordon" if event.cordoned else "lift", event.site, offset)

    def _link_measured(self, event: happened.LinkMeasured, offset: int) -> None:
        links = self.links.setdefault(event.site, {})
        bound_us = event.bound_us or widened_us(event.rtt_us, event.samples)
        links[event.origin] = MeasuredLink(event.rtt_us, event.at, event.samples, event.p50_us, bound_us)
        self.fleet.put_link(event.origin, event.site, bound_us, event.at, event.samples, event.rtt_us)

    def _service_time_measured(self, event: happened.ServiceTimeMeasured, offset: int) -> None:
        times = self.service_times.setdefault(event.model_digest, {})
        bound_us = event.bound_us or widened_us(event.p99_us, event.samples)
        times[event.device_class] = MeasuredTime(event.p99_us, event.at, event.samples, event.p50_us, bound_us)
        self.fleet.put_service_time(
            event.model_digest, event.device_class, bound_us, event.at, event.samples, event.p99_us
        )

    def _model_registered(self, event: happened.ModelRegistered, offset: int) -> None:
        versions = self.models.get(event.model.name, ())
        if event.model.version != len(versions) + 1:
            raise Broken("model versions count from 1", field=event.model.ref, wanted=str(len(versions) + 1))
        self.models[event.model.name] = (*versions, event.model)
        self._answer(event.key, "register", event.model.ref, offset)

    # Workloads

    def _submitted(self, event: happened.WorkloadSubmitted, offset: int) -> None:
        record = WorkloadRecord(
            id=f"w{offset}",
            workload=event.workload,
            submitted_at=event.at,
            key=event.key,
            traceparent=event.traceparent,
            model=event.model,
        )
        self.workloads[record.id] = record
        self._answer(event.key, "submit", record.id, offset)

    def _decided(self, event: happened.WorkloadDecided, offset: int) -> None:
        record = self._workload(event.workload_id)
        self._ask_counted(record)
        placed = event.decision.outcome is Outcome.PLACED
        phase = record.step(Phase.PLACED if placed else Phase.REFUSED)
        standing = (*record.sites, *record.leaving)
        sites = event.decision.sites if placed else ()
        record = replace(
            record,
            phase=phase,
            detail=event.because,
            decision=event.decision.brief,
            decided_offset=offset,
            sites=sites,
            leaving=tuple(site for site in dict.fromkeys(standing) if site not in sites),
            outlawed_by=(),
            placed_offset=record.placed_offset or offset,
        )
        self._waits_no_more(record)
        if event.stop_first:
            for site in record.leaving:
                self._unassign(record.id, site, offset)
            statuses = {site: status for site, status in record.statuses.items() if site not in record.leaving}
            record = replace(record, leaving=(), statuses=statuses)
        record = take_name(self, record, placed)
        for site in sites:
            self._assign(record, event.decision, site, offset)
        if not placed:
            self._end(record, offset)
        elif all(self._said(record, site) for site in sites):
            # It stands there already, and nothing more will be said of it: what was said before holds.
            self._settle(replace(record, phase=record.step(record.together)), offset)
        else:
            self.workloads[record.id] = record

    def _waits_no_more(self, record: WorkloadRecord) -> None:
        if self.waiting.pop(record.id, None):
            self.queues.remove(record)

    def _ask_counted(self, record: WorkloadRecord) -> None:
        """With its first decision, which was made by the ranking as it stood before; a replay finds it so."""
        if record.decision is None:
            self.demanded = self.demanded.followed_by(record.workload, self.fleet)

    def _queued(self, event: happened.WorkloadQueued, offset: int) -> None:
        record = self._workload(event.workload_id)
        self._ask_counted(record)
        again = record.phase is Phase.WAITING
        record = replace(
            record,
            phase=record.step(Phase.WAITING),
            detail=event.because,
            decision=event.decision.brief,
            decided_offset=offset,
            queued_at=record.queued_at if again else event.at,
            hopes=hopes_of(event.decision, record.workload),
            instead=event.decision.relaxations[:3],
            passed_from=record.passed_from if again else self.placements,
        )
        if not ((named := self.find(record.workload.name)) and named.live):
            self.names[record.workload.name] = record.id
        self.workloads[record.id] = record
        self.waiting.setdefault(record.id, offset)
        self.queues.add(record)

    def _displaced(self, event: happened.WorkloadDisplaced, offset: int) -> None:
        record = self._workload(event.workload_id)
        for site in dict.fromkeys((*record.sites, *record.leaving)):
            self._unassign(record.id, site, offset)
        record.step(Phase.WAITING)
        self.workloads[record.id] = record = record.made_room(event.by, event.at, offset, self.placements)
        self.waiting[record.id] = offset
        self.queues.add(record)

    def _progressed(self, event: happened.WorkloadProgressed, offset: int) -> None:
        record = self._workload(event.status.workload_id)
        statuses = {**record.statuses, event.site: event.status}
        record = replace(record, statuses=statuses, detail=event.status.detail)
        if record.phase is Phase.STOPPING:
            holding = tuple(site for site in record.holding if site != event.site or not event.status.phase.ended)
            record = replace(record, holding=holding)
            if not holding:
                self._end(replace(record, phase=record.step(record.last)), offset)
            else:
                self.workloads[record.id] = record
            return
        if event.site not in record.sites:  # it is leaving there; what counts is where it goes
            self._leave(record, offset, (event.site,) if event.lets_go else ())
            return
        self._settle(replace(record, phase=record.step(record.together)), offset)

    def _settle(self, record: WorkloadRecord, offset: int) -> None:
        """What follows from how far it has come."""
        if record.phase is not None and record.phase.ended:
            self._end(record, offset)
        elif record.phase is Phase.RUNNING:
            # It runs where it should: where it came from may let go, but a silent site is not told anything.
            reachable = tuple(site for site in record.leaving if self._site(site).state != UNKNOWN)
            self._leave(record, offset, reachable)
        else:
            self.workloads[record.id] = record

    def _cancelled(self, event: happened.WorkloadCancelled, offset: int) -> None:
        record = self._workload(event.workload_id)
        self._answer(event.key, "cancel", record.id, offset)
        if not record.live:  # asked for again: there is an answer to keep, and nothing to stop
            return
        if record.phase is Phase.WAITING:  # nobody holds it
            self._end(replace(record, phase=record.step(Phase.CANCELLED), detail=event.because), offset)
            return
        holding = tuple(dict.fromkeys((*record.sites, *record.leaving)))
        record = replace(record, phase=record.step(Phase.STOPPING), detail=event.because, holding=holding)
        for site in holding:
            self._unassign(record.id, site, offset)
        self.workloads[record.id] = replace(record, leaving=())

    def _outlawed(self, event: happened.AssignmentOutlawed, offset: int) -> None:
        record = self._workload(event.workload_id)
        rules = dict.fromkeys((*record.outlawed_by, *event.rules))
        self.workloads[record.id] = replace(record, outlawed_by=tuple(rules))

    def _plan_adopted(self, event: happened.PlanAdopted, offset: int) -> None:
        self._answer(event.key, "adopt", f"plan/{event.plan.revision}", offset)

    def _priced(self, event: happened.BidPricesSet, offset: int) -> None:
        self.demanded = self.demanded.priced_by(event)
        self.fleet.policy = self.demanded.policy

    # What the events above have in common

    def _site(self, name: str) -> SiteRecord:
        if (record := self.sites.get(name)) is None:
            raise Broken("an event names a site that was never declared", field="site", found=name)
        return record

    def _workload(self, workload_id: str) -> WorkloadRecord:
        if (record := self.workloads.get(workload_id)) is None:
            raise Broken("an event names a workload that was never submitted", field="workload_id", found=workload_id)
        return record

    def _put_site(self, record: SiteRecord) -> None:
        self.sites[record.site.name] = record
        self._know_site(record)

    def _know_site(self, record: SiteRecord) -> None:
        observed = record.effective.offers if record.observed else ()
        self.fleet.put_site(record.site, reachable=record.state == JOINED, cordoned=record.cordoned, observed=observed)

    def _said(self, record: WorkloadRecord, site: str) -> bool:
        """Whether the site has spoken of the assignment that stands there, and not of an older one."""
        status = record.statuses.get(site)
        return status is not None and status.generation == self._site(site).desired[record.id].generation

    def _assign(self, record: WorkloadRecord, decision: Decision, site: str, offset: int) -> None:
        slots = tuple(slot for slot in decision.slots if slot.site == site)
        assignment = Assignment(
            workload_id=record.id,
            workload=record.workload,
            site=site,
            generation=offset,
            offer=slots[0].offer,
            copies=sum(slot.count for slot in slots),
            model=record.model,
            traceparent=record.traceparent,
            slots=slots,
            seats=self.fleet.seats_kept(_holder(record.id, site), slots, decision.seats_at(site)),
        )
        before = self._site(site)
        sent = carried(record.workload, before.site)
        self.fleet.take(
            _holder(record.id, site),
            slots,
            record.workload.demand,
            record.workload.team,
            assignment.seats,
            carried=(Carried(site, sent),) if sent else (),
            right=right_of(record),
        )
        held = before.desired.get(record.id)
        if held and replace(held, generation=offset) == assignment:
            return  # nothing changes there: no new generation
        removed = {name: at for name, at in before.removed.items() if name != record.id}
        desired = {**before.desired, record.id: assignment}
        self.sites[site] = replace(before, generation=offset, desired=desired, removed=removed)

    def _unassign(self, workload_id: str, site: str, offset: int) -> None:
        before = self._site(site)
        if workload_id not in before.desired:
            return
        self.fleet.release(_holder(workload_id, site))
        self.freed = offset
        desired = {name: assignment for name, assignment in before.desired.items() if name != workload_id}
        removed, floor = {**before.removed, workload_id: offset}, before.floor
        if len(removed) > REMOVALS_KEPT:
            oldest = next(iter(removed))
            floor = removed.pop(oldest)
        self.sites[site] = replace(before, generation=offset, desired=desired, removed=removed, floor=floor)

    def _leave(self, record: WorkloadRecord, offset: int, sites: tuple[str, ...]) -> None:
        for site in sites:
            self._unassign(record.id, site, offset)
        statuses = {site: status for site, status in record.statuses.items() if site not in sites}
        leaving = tuple(site for site in record.leaving if site not in sites)
        self.workloads[record.id] = replace(record, leaving=leaving, statuses=statuses)

    def _end(self, record: WorkloadRecord, offset: int) -> None:
        for site in dict.fromkeys((*record.sites, *record.leaving)):
            self._unassign(record.id, site, offset)
        self.workloads[record.id] = replace(record, leaving=(), holding=())
        self._waits_no_more(record)
        self.ended[record.id] = offset
        if len(self.ended) > ENDED_KEPT:
            del self.ended[oldest := next(iter(self.ended))]
            forgotten = self.workloads.pop(oldest)
            if self.names.get(forgotten.workload.name) == oldest:
                del self.names[forgotten.workload.name]

    def _answer(self, key: str, verb: str, about: str, offset: int) -> None:
        if not key:
            return
        if before := self.answers.get(key):  # a later event of the same request
            about, offset = f"{before.about}\n{about}", before.offset
        self.answers[key] = Answer(verb, about, offset)
        if len(self.answers) > ANSWERS_KEPT:
            del self.answers[next(iter(self.answers))]


def _holder(workload_id: str, site: str) -> str:
    """A workload's holding at one site; while it moves it has one at each place."""
    return f"{workload_id}@{site}"


_FOLD: Mapping[type, Callable[[State, Any, int], None]] = {
    happened.BrokerStarted: State._started,
    happened.SiteApplied: State._site_applied,
    happened.PolicyApplied: State._policy_applied,
    happened.TeamApplied: State._team_applied,
    happened.PriceBookApplied: State._book_applied,
    happened.SiteJoined: State._site_joined,
    happened.SiteLost: State._site_lost,
    happened.SiteCordoned: State._site_cordoned,
    happened.LinkMeasured: State._link_measured,
    happened.ServiceTimeMeasured: State._service_time_measured,
    happened.ModelRegistered: State._model_registered,
    happened.WorkloadSubmitted: State._submitted,
    happened.WorkloadDecided: State._decided,
    happened.WorkloadProgressed: State._progressed,
    happened.WorkloadCancelled: State._cancelled,
    happened.AssignmentOutlawed: State._outlawed,
    happened.WorkloadQueued: State._queued,
    happened.WorkloadDisplaced: State._displaced,
    happened.PlanAdopted: State._plan_adopted,
    happened.BidPricesSet: State._priced,
    happened.KeyAnswered: lambda state, event, offset: state._answer(event.key, event.verb, event.about, offset),
}
