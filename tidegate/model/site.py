"""Sites: places with one tier, one operator, one jurisdiction and one agent; and the offers they make."""

from dataclasses import dataclass, field
from enum import StrEnum

from tidegate.model.quantity import Resources


class Tier(StrEnum):
    """How far from the data a place is."""

    EDGE = "edge"
    ON_PREM = "on_prem"
    CLOUD = "cloud"


class Engine(StrEnum):
    """What can run work at a site."""

    RAY = "ray"
    """Training jobs, on a Ray cluster that starts when work comes and stops when it is idle."""
    PROCESS = "process"
    """Inference services, as a supervised model server on the host itself."""
    KUBERNETES = "kubernetes"


class Pricing(StrEnum):
    """How an offer is paid for."""

    OWNED = "owned"
    ON_DEMAND = "on_demand"
    SPOT = "spot"
    RESERVED = "reserved"


class GpuSharing(StrEnum):
    """How the GPUs of an offer can be given out in parts. Whole ones always can."""

    NONE = "none"
    FRACTION = "fraction"
    """Shares of compute and memory, each held to what it was given."""
    MIG = "mig"
    """Hardware partitions, each as good as a GPU of its own."""
    TIME_SLICING = "time_slicing"
    """Shares that only take turns: neither memory nor time is held. For work that says it will do."""


@dataclass(frozen=True, slots=True)
class MigInstance:
    """One MIG instance as it stands on a GPU: a profile, and the memory slice it begins at."""

    gpu: int
    """The GPU's number on its unit, from 0."""
    profile: str
    start: int


@dataclass(frozen=True, slots=True)
class Offer:
    """Capacity that a site can give: nodes that stand there, or an instance type that it can buy."""

    name: str
    resources: Resources
    """Of one unit (one node, one instance)."""
    count: int = 1
    """Units standing there, or the ceiling where `elastic`."""
    elastic: bool = False
    pricing: Pricing = Pricing.OWNED
    instance_type: str = ""
    """The price book's key; empty means the offer's own name."""
    gpu_model: str = ""
    device_class: str = "cpu"
    """What a measured service time is valid for, e.g. `cpu-x86`, `gpu-l4`."""
    zone: str = ""
    gpu_sharing: GpuSharing = GpuSharing.NONE
    mig_layout: tuple[MigInstance, ...] = ()
    """The instances that stand on each unit and stay as they are, where the site cannot make others: a GPU that has
    some gives out these and nothing else. Empty: an instance is made where it is wanted, on any GPU with room."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The declared round trip between an origin of requests and a site, used until one is measured."""

    origin: str
    rtt_us: int


@dataclass(frozen=True, slots=True)
class Site:
    """A place as its operator declares it. What an agent observes there is kept apart, in events."""

    name: str
    tier: Tier
    operator: str
    """Who runs the place; `self` is the users' own organisation."""
    jurisdiction: str
    """ISO 3166 country code whose law binds the place, e.g. `DE`."""
    operator_jurisdiction: str = ""
    """Whose law can compel the operator; empty means the same as `jurisdiction`."""
    region: str = ""
    location: str = ""
    """The origin that stands here: requests from it reach this site without a network hop between places."""
    engines: tuple[Engine, ...] = ()
    offers: tuple[Offer, ...] = ()
    agreements: tuple[str, ...] = ()
    certifications: tuple[str, ...] = ()
    reach: tuple[Reach, ...] = ()
    uplink_bytes_per_day: int = 0
    """What the link between this site and the rest can carry; 0 means not limited."""
    labels: dict[str, str] = field(default_factory=dict)
    jurisdiction_region: str = ""
    """ISO 3166-2 code of the region within the country whose law binds the place too, e.g. `US-CA`."""
    retention_days: int = 0
    """How long the records of work done here are kept, as the operator declares; 0 means that nobody says."""
    home: bool = False
    """The broker's stores stand here: models, logs and telemetry of all work come to it, wherever that runs."""

    @property
    def compelled_by(self) -> str:
        """The jurisdiction that can compel the operator."""
        return self.operator_jurisdiction or self.jurisdiction

    def offer(self, name: str) -> Offer | None:
        """The offer of that name, if the site makes it."""
        return next((offer for offer in self.offers if offer.name == name), None)
