"""What the state holds of each thing: frozen records, replaced whole by the fold and by nobody else."""

from dataclasses import dataclass, field, replace

from broker.core import lifecycle
from tidegate.model.assignment import Assignment, Phase, Status
from tidegate.model.decision import Brief, Relaxation
from tidegate.model.event import SiteView, WorkloadView
from tidegate.model.registry import ModelVersion
from tidegate.model.site import GpuSharing, Offer, Site
from tidegate.model.workload import Workload, WorkloadKind

DECLARED, JOINED, UNKNOWN = "declared", "joined", "unknown"
"""A site's states: never seen, attached, silent. Unknown is not failed: its work goes on."""


@dataclass(frozen=True, slots=True)
class SiteRecord:
    """One site: its declaration, what its agent said, and the desired state it is told."""

    site: Site
    state: str = DECLARED
    cordoned: bool = False
    because: str = ""
    generation: int = 0
    """The offset of the event that last changed `desired`; so it can only grow."""
    held_generation: int = 0
    boot: str = ""
    address: str = ""
    observed: tuple[Offer, ...] = ()
    since: int = 0
    """When `state` last changed, ms since the epoch."""
    desired: dict[str, Assignment] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)
    """Workload id to the generation that left it out; the newest `REMOVALS_KEPT`."""
    floor: int = 0
    """Whoever holds an older generation than this is told everything, since some removals are forgotten."""

    @property
    def effective(self) -> Site:
        """The declaration with the capacity that was found there in place of what was promised.

        What stands there is the agent's to say; what it costs and what can be bought is the operator's.
        """
        if not self.observed:
            return self.site
        if not self.site.offers:
            return replace(self.site, offers=self.observed)
        found = {offer.name: offer for offer in self.observed}
        return replace(self.site, offers=tuple(_as_found(offer, found.get(offer.name)) for offer in self.site.offers))

    def view(self) -> SiteView:
        """As readers see it."""
        return SiteView(
            site=self.site,
            state=self.state,
            cordoned=self.cordoned,
            generation=self.generation,
            held_generation=self.held_generation,
            last_seen=self.since if self.state != DECLARED else 0,
            observed=self.observed,
            workloads=tuple(self.desired),
            address=self.address,
        )


def _as_found(declared: Offer, found: Offer | None) -> Offer:
    if found is None or declared.elastic:
        return declared
    return replace(
        declared,
        resources=found.resources,
        count=found.count,
        gpu_model=found.gpu_model or declared.gpu_model,
        device_class=found.device_class,
        gpu_sharing=declared.gpu_sharing if found.gpu_sharing is GpuSharing.NONE else found.gpu_sharing,
        mig_layout=found.mig_layout,
    )


@dataclass(frozen=True, slots=True)
class WorkloadRecord:
    """One workload: what was asked, what was decided, what its sites say."""

    id: str
    workload: Workload
    submitted_at: int
    key: str = ""
    traceparent: str = ""
    model: ModelVersion | None = None
    phase: Phase | None = None
    """None between the submission and its first decision, which stand in the same run of events."""
    detail: str = ""
    decision: Brief | None = None
    """The one in force, in brief; the log has its matrix at `decided_offset`."""
    decided_offset: int = 0
    statuses: dict[str, Status] = field(default_factory=dict)
    """The newest of each site that has it now or had it."""
    sites: tuple[str, ...] = ()
    """Where the decision in force puts it."""
    leaving: tuple[str, ...] = ()
    """Where it still stands until its new sites run it, or until a silent site returns."""
    holding: tuple[str, ...] = ()
    """Sites that have yet to let go, once it is being stopped."""
    outlawed_by: tuple[str, ...] = ()
    supersedes: str = ""
    """The service of the same name that goes on until this one runs."""
    hopes: tuple[str, ...] = ()
    """Where it would fit if what is taken came free; the first 64."""
    instead: tuple[Relaxation, ...] = ()
    """What it could give way in and have room now; the first three."""
    passed_from: int = 0
    """How many placements there had been when it began to wait."""
    queued_at: int = 0
    """Since when it waits, or last waited, ms since the epoch; a workload that made room waits anew."""
    displaced: int = 0
    """How often it made room for another."""
    restarted: int = 0
    """The offset at which it last made room: what agents say of older generations is stale."""
    placed_offset: int = 0
    """Since which event it has held room without a break; its seniority among its team's work."""
    running_since: int = 0
    """When it first ran since it was last placed, ms since the epoch; 0 where it has not."""

    @property
    def live(self) -> bool:
        """Whether it has neither ended nor been refused, nor is being stopped."""
        return self.phase is not None and not self.phase.ended and self.phase is not Phase.STOPPING

    def step(self, after: Phase) -> Phase:
        """The next phase, or Broken with this workload's story."""
        story = [f"{site}: {status.phase} at {status.at}" for site, status in self.statuses.items()]
        return lifecycle.step(self.id, self.phase, after, story)

    @property
    def together(self) -> Phase:
        """From what its sites say; a site that has said nothing yet is merely placed."""
        said = [self.statuses[site].phase if site in self.statuses else Phase.PLACED for site in self.sites]
        return lifecycle.together(said, job=self.workload.kind is WorkloadKind.TRAINING_JOB)

    @property
    def last(self) -> Phase:
        """How something that was being stopped has ended: a job may have finished before it heard."""
        said = {self.statuses[site].phase for site in self.sites if site in self.statuses}
        return Phase.SUCCEEDED if said == {Phase.SUCCEEDED} else Phase.CANCELLED

    @property
    def submitted_offset(self) -> int:
        """Ids are the offsets of submissions, so they tell the order."""
        return int(self.id[1:])

    def submitted_before(self, other: "WorkloadRecord") -> bool:
        """Whether it is the older one."""
        return self.submitted_offset < other.submitted_offset

    def made_room(self, by: str, at: int, offset: int, placements: int) -> "WorkloadRecord":
        """As it waits once another one has its room: nothing that agents said of it counts any more."""
        return replace(
            self,
            phase=Phase.WAITING,
            detail=f"made room for {by}",
            statuses={},
            sites=(),
            leaving=(),
            outlawed_by=(),
            queued_at=at,
            passed_from=placements,
            displaced=self.displaced + 1,
            restarted=offset,
            placed_offset=0,
            running_since=0,
        )

    def view(self, sites: dict[str, "SiteRecord"]) -> WorkloadView:
        """As readers see it."""
        standing = dict.fromkeys((*self.sites, *self.leaving, *self.holding))
        return WorkloadView(
            id=self.id,
            workload=self.workload,
            phase=str(self.phase or ""),
            brief=self.decision,
            submitted_at=self.submitted_at,
            detail=self.detail,
            statuses=self.statuses,
            model=self.model,
            traceparent=self.traceparent,
            outlawed_by=self.outlawed_by,
            site_states={name: sites[name].state for name in standing if name in sites},
        )


@dataclass(frozen=True, slots=True)
class MeasuredLink:
    """The newest round trip between an origin and a site, 99th percentile."""

    rtt_us: int
    at: int
    samples: int = 1
    p50_us: int = 0
    bound_us: int = 0
    """The upper confidence bound of `rtt_us`; never 0 in the state."""


@dataclass(frozen=True, slots=True)
class MeasuredTime:
    """The newest service time of a model on a class of device, 99th percentile."""

    p99_us: int
    at: int
    samples: int = 1
    p50_us: int = 0
    bound_us: int = 0
    """The upper confidence bound of `p99_us`; never 0 in the state."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an idempotency key was used for, so that a retry gets the same answer."""

    verb: str
    """The kind of the event that carried the key."""
    about: str
    """The workload's id, the site's name, or the declared names, one a line."""
    offset: int
