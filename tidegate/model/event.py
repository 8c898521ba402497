"""What can have happened: the closed union of events. Kinds are only ever added; the log keeps them for years.

Every event carries `at` (ms since the epoch, read once by the loop). Ids derive from the offset at which the event
stands in the log, so an event never holds the id that it creates: `WorkloadSubmitted` at offset 41 creates `w41`.

It is longer than other files because it is a closed list: one small record a kind.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from tidegate.model.assignment import Status
from tidegate.model.decision import Brief, Decision, Relaxation, Victim
from tidegate.model.money import PriceBook, Team
from tidegate.model.plan import Plan
from tidegate.model.policy import Policy
from tidegate.model.registry import ModelVersion
from tidegate.model.site import Offer, Site
from tidegate.model.workload import Workload


@dataclass(frozen=True, slots=True)
class SiteApplied:
    """An operator declared a site, or changed its declaration."""

    at: int
    site: Site
    key: str = ""


@dataclass(frozen=True, slots=True)
class PolicyApplied:
    """A version of a policy came into force."""

    at: int
    policy: Policy
    key: str = ""


@dataclass(frozen=True, slots=True)
class TeamApplied:
    """A team was declared or changed."""

    at: int
    team: Team
    key: str = ""


@dataclass(frozen=True, slots=True)
class PriceBookApplied:
    """A price book came into force."""

    at: int
    book: PriceBook
    key: str = ""


@dataclass(frozen=True, slots=True)
class SiteJoined:
    """A site's agent attached; what it found there. `boot` changes when the device restarts."""

    at: int
    site: str
    boot: str
    held_generation: int = 0
    address: str = ""
    """Where the site can be probed for its round trip, `host:port`; empty where it cannot."""
    observed: tuple[Offer, ...] = ()
    """Capacity that the agent discovered; empty means that the declaration stands."""


@dataclass(frozen=True, slots=True)
class SiteLost:
    """A site's agent fell silent. Its work goes on; nothing is stopped by this."""

    at: int
    site: str


@dataclass(frozen=True, slots=True)
class SiteCordoned:
    """No new work goes to the site; `cordoned` False lifts it."""

    at: int
    site: str
    cordoned: bool = True
    because: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class LinkMeasured:
    """The round trip between an origin and a site, as agents and clients at the origin measured it."""

    at: int
    origin: str
    site: str
    rtt_us: int
    """The 99th percentile; in events without `bound_us`, the least of a few."""
    samples: int = 1
    p50_us: int = 0
    bound_us: int = 0
    """The upper confidence bound of `rtt_us`: what a decision counts on. 0 in events of older brokers."""
    window_ms: int = 0
    """How long the samples took to gather."""


@dataclass(frozen=True, slots=True)
class ServiceTimeMeasured:
    """How long a model takes on a class of device, 99th percentile."""

    at: int
    model_digest: str
    device_class: str
    p99_us: int
    samples: int = 1
    p50_us: int = 0
    bound_us: int = 0
    """The upper confidence bound of `p99_us`: what a decision counts on. 0 in events of older brokers."""
    window_ms: int = 0
    """How long the samples took to gather."""


@dataclass(frozen=True, slots=True)
class ModelRegistered:
    """A model version came into being."""

    at: int
    model: ModelVersion
    key: str = ""


@dataclass(frozen=True, slots=True)
class WorkloadSubmitted:
    """Someone asked for a workload. Its id is `w` and this event's offset."""

    at: int
    workload: Workload
    key: str = ""
    traceparent: str = ""
    model: ModelVersion | None = None
    """What `inference.model_uri` meant at that moment."""


@dataclass(frozen=True, slots=True)
class WorkloadDecided:
    """Where it was placed, or that it was refused, with every verdict. Placing assigns it to the chosen sites."""

    at: int
    workload_id: str
    decision: Decision
    because: str = ""
    """Why it was decided again (`drain NAME`, `site NAME lost`, `rebalance`); empty for the first decision."""
    among: tuple[str, ...] = ()
    """The sites that were asked about, where a plan had chosen them; empty means all of them."""
    stop_first: bool = False
    """Where else it stands it is stopped at once, and not only when the new place runs."""


@dataclass(frozen=True, slots=True)
class WorkloadProgressed:
    """A site reported a new phase, endpoints or outputs of a workload."""

    at: int
    site: str
    status: Status
    lets_go: bool = False
    """It runs elsewhere, and this site, which was silent when it was moved, is told to let go of it."""


@dataclass(frozen=True, slots=True)
class WorkloadCancelled:
    """Someone asked to stop it. It is cancelled once every site has let go."""

    at: int
    workload_id: str
    because: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class AssignmentOutlawed:
    """A law that came into force forbids where a workload stands. It is raised, not silently moved."""

    at: int
    workload_id: str
    site: str
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanAdopted:
    """Someone adopted a plan. Its moves follow in the same run, each as a decision `because` of `rebalance`."""

    at: int
    plan: Plan
    key: str = ""


@dataclass(frozen=True, slots=True)
class WorkloadQueued:
    """It has no room now and waits for it. `decision` says what it lacks, in full."""

    at: int
    workload_id: str
    decision: Decision
    because: str = ""
    """Why it waits again (`displaced by w41`); empty for the first time."""
    among: tuple[str, ...] = ()
    """The sites that were asked about, where one is kept for another that waits; empty means all of them."""


@dataclass(frozen=True, slots=True)
class WorkloadDisplaced:
    """It made room for another one, which stands in the events after this. It goes back to waiting."""

    at: int
    workload_id: str
    by: str
    """The id of the workload that has its room now."""
    victim: Victim
    """What was taken and lost, and why it was this one's to give."""


@dataclass(frozen=True, slots=True)
class BrokerStarted:
    """A broker took up this log. Agents refuse one whose epoch is below the highest that they have met."""

    at: int
    epoch: int
    """Above every earlier one in the log, whatever the machine's clock says."""


@dataclass(frozen=True, slots=True)
class BidPricesSet:
    """A solver said what serving one more of each class of work costs the standing GPUs. Units are chosen by it."""

    at: int
    edition: int
    """Of the mix that they were made for: how many copies had been asked for when it was frozen."""
    worths: dict[str, int] = field(default_factory=dict)
    """Millionths of a GPU by class, `CPUS_MILLI/MEMORY_BYTES/GPUS/SHARE_MILLI/MODEL|MODEL`."""
    units: dict[str, int] = field(default_factory=dict)
    """What stood: how many units of each shape, `CPUS_MILLI/MEMORY_BYTES/GPUS/MODEL`."""


@dataclass(frozen=True, slots=True)
class KeyAnswered:
    """A request under a key led to nothing: what it asked for was so already. The same request has the same answer."""

    at: int
    verb: str
    about: str
    """What it was answered with: a workload's id, or what was declared, a line each."""
    key: str


Event = (
    SiteApplied
    | PolicyApplied
    | TeamApplied
    | PriceBookApplied
    | SiteJoined
    | SiteLost
    | SiteCordoned
    | LinkMeasured
    | ServiceTimeMeasured
    | ModelRegistered
    | WorkloadSubmitted
    | WorkloadDecided
    | WorkloadProgressed
    | WorkloadCancelled
    | AssignmentOutlawed
    | PlanAdopted
    | WorkloadQueued
    | WorkloadDisplaced
    | BrokerStarted
    | BidPricesSet
    | KeyAnswered
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event where it stands in the log."""

    offset: int
    event: Event


class Basis(StrEnum):
    """What a forecast rests on."""

    UNKNOWN = "unknown"
    """On nothing: nobody said how long the work that stands in the way takes, and none like it has ended."""
    DECLARED = "declared"
    """On what running work declared: it ends by then at the latest."""
    LEARNED = "learned"
    """On how long the same teams' jobs have taken."""
    MIXED = "mixed"
    """On both."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """When a waiting workload is likely to start: an interval, in ms since the epoch; 0 where it is not known."""

    earliest: int = 0
    latest: int = 0
    basis: Basis = Basis.UNKNOWN
    samples: int = 0
    """How many ended jobs it was learned from."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Where a waiting workload stands in line."""

    since: int
    until: int = 0
    """When it is refused; 0 for never."""
    position: int = 0
    """From 1, among all that wait."""
    of: int = 0
    team_position: int = 0
    """From 1, among its team's."""
    forecast: Forecast = Forecast()
    instead: tuple[Relaxation, ...] = ()
    """What it could give way in and start now."""
    because: str = ""
    displaced: int = 0
    """How often it has made room for others."""


@dataclass(frozen=True, slots=True)
class WorkloadView:
    """Everything known of one workload, as readers see it."""

    id: str
    workload: Workload
    phase: str
    brief: Brief | None = None
    """Of the decision in force; `explain` tells the whole."""
    submitted_at: int = 0
    detail: str = ""
    statuses: dict[str, Status] = field(default_factory=dict)
    """By site."""
    model: ModelVersion | None = None
    traceparent: str = ""
    outlawed_by: tuple[str, ...] = ()
    site_states: dict[str, str] = field(default_factory=dict)
    """By site: `joined` or `unknown`; a site that cannot be reached still serves."""
    waiting: Waiting | None = None


@dataclass(frozen=True, slots=True)
class SiteView:
    """A site as declared, as observed, and whether it can be reached."""

    site: Site
    state: str
    """`declared` (never seen), `joined`, `unknown` (silent)."""
    cordoned: bool = False
    generation: int = 0
    held_generation: int = 0
    last_seen: int = 0
    observed: tuple[Offer, ...] = ()
    workloads: tuple[str, ...] = ()
    address: str = ""


@dataclass(frozen=True, slots=True)
class TeamView:
    """A team with what it holds and spends. Amounts by name: `gpus`, `gpus/MODEL`, `cpus` in thousandths; `memory`."""

    team: Team
    used: dict[str, int] = field(default_factory=dict)
    """With the teams below it."""
    borrowed: dict[str, int] = field(default_factory=dict)
    """Of that, beyond its guarantee."""
    lent: dict[str, int] = field(default_factory=dict)
    """Of its idle guarantee, what would have to be taken back from others if it wanted all of it now."""
    running: int = 0
    waiting: int = 0
    spent_micros: int = 0
    """This calendar month (UTC), with the teams below it."""
    expected_micros: int = 0
    """At the end of the month, if what runs goes on for as long as it may."""
    micros_per_hour: int = 0
    by_month: dict[str, int] = field(default_factory=dict)
    """Micros by month, `2026-11`; the newest 13."""
