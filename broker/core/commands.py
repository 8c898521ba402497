"""What can be asked of the broker: the closed union of commands.

Every command carries `at` (ms since the epoch, read once by the loop). Those that come from a person or a program carry
an idempotency `key`: the same key with the same request gets the first answer again, with another request it is
refused. Commands are never stored; the events that they lead to are.

Limits: a key is at most 128 characters, a name at most 253, a declaration list at most 10,000 long.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tidegate.model.assignment import Status
from tidegate.model.money import PriceBook, Team
from tidegate.model.plan import Plan
from tidegate.model.policy import Policy
from tidegate.model.registry import ModelVersion
from tidegate.model.session import Hello, Probed
from tidegate.model.site import Site
from tidegate.model.workload import Workload

KEY_CHARACTERS = 128
NAME_CHARACTERS = 253
DECLARATIONS = 10_000

Declaration = Site | Policy | Team | PriceBook


@dataclass(frozen=True, slots=True)
class SubmitWorkload:
    """Place this workload, or record why it cannot be placed."""

    at: int
    workload: Workload
    key: str = ""
    traceparent: str = ""
    if_revision: int = 0
    """Refuse where something that placement depends on has changed after this offset; 0 means do not check."""
    if_decided_at: int = 0
    """Refuse where the answer would differ from that of this moment, ms since the epoch: a price book may have come
    into force since, or a measured time grown old. 0 means do not check."""


@dataclass(frozen=True, slots=True)
class CancelWorkload:
    """Stop it, wherever it runs."""

    at: int
    workload: str
    """An id or a name."""
    because: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class ApplyDeclarations:
    """Declare sites, policies, teams and price books: all of them or none."""

    at: int
    declarations: tuple[Declaration, ...]
    key: str = ""


@dataclass(frozen=True, slots=True)
class CordonSite:
    """No new work for the site, or (`lift`) new work again."""

    at: int
    site: str
    lift: bool = False
    because: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class DrainSite:
    """Cordon it, and adopt a plan that empties it of its services. Jobs end there; what fits nowhere else stays."""

    at: int
    site: str
    because: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class AdoptPlan:
    """Carry a plan out, if nothing that placement depends on has changed since it was made."""

    at: int
    plan: Plan
    key: str = ""
    first: int = 0
    """The move to begin with: a long plan is carried out over several turns, so that others have theirs."""


@dataclass(frozen=True, slots=True)
class RegisterModel:
    """A model that was made elsewhere; the broker gives it the next version number."""

    at: int
    model: ModelVersion
    key: str = ""


@dataclass(frozen=True, slots=True)
class SiteAttached:
    """An agent has dialled in and said what it holds and runs."""

    at: int
    hello: Hello


@dataclass(frozen=True, slots=True)
class SiteSilent:
    """An agent has not been heard for longer than its heartbeats allow, or its stream broke."""

    at: int
    site: str


@dataclass(frozen=True, slots=True)
class ReportStatuses:
    """What an agent observed of its assignments."""

    at: int
    site: str
    statuses: tuple[Status, ...]


@dataclass(frozen=True, slots=True)
class RecordLinks:
    """Round trips as an agent measured them."""

    at: int
    links: tuple[Probed, ...]


@dataclass(frozen=True, slots=True)
class Served:
    """How long a model took on a class of device, as its predictions tell."""

    model_digest: str
    device_class: str
    p99_us: int
    samples: int
    p50_us: int
    bound_us: int
    window_ms: int


@dataclass(frozen=True, slots=True)
class RecordServiceTimes:
    """Service times as they were learned from telemetry."""

    at: int
    times: tuple[Served, ...]


@dataclass(frozen=True, slots=True)
class SetBidPrices:
    """What the solver answered for an edition of the mix and the units that stood."""

    at: int
    edition: int
    worths: dict[str, int]
    units: dict[str, int]


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: do what is due (replace services of sites that have been silent for as long as they allow)."""

    at: int
    silent: Mapping[str, int] | None = None
    """For how long each silent site has been so, ms, by a clock that is never set; None: as `at` says."""


Command = (
    SubmitWorkload
    | CancelWorkload
    | ApplyDeclarations
    | CordonSite
    | DrainSite
    | AdoptPlan
    | RegisterModel
    | SiteAttached
    | SiteSilent
    | ReportStatuses
    | RecordLinks
    | RecordServiceTimes
    | SetBidPrices
    | Tick
)
