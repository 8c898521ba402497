"""The facts that a fleet keeps, as nouns: what is known of a site, what was measured, and who holds what."""

from dataclasses import dataclass

from placement.quota.ledger import NO_RIGHT, Right
from tidegate.model import mig
from tidegate.model.quantity import Resources
from tidegate.model.site import Offer, Site


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """One site as declared, and as it is now."""

    site: Site
    reachable: bool = False
    cordoned: bool = False
    observed: tuple[Offer, ...] = ()

    @property
    def offers(self) -> tuple[Offer, ...]:
        """What the agent observed; where it observed nothing, the declaration stands."""
        return self.observed or self.site.offers


@dataclass(frozen=True, slots=True)
class Measurement:
    """A time in microseconds and when it was measured, ms since the epoch."""

    us: int
    """What is counted on: the upper confidence bound of the 99th percentile."""
    measured_at: int
    samples: int = 1
    p99_us: int = 0
    """The percentile itself, for those who read it; 0 means the same as `us`."""

    @property
    def likely_us(self) -> int:
        """The 99th percentile as it was estimated."""
        return self.p99_us or self.us


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a workload where it stands: a unit of an offer of a site, and what it took there."""

    site: str
    offer: str
    unit: int
    resources: Resources
    """`gpus` counts whole ones; of a share, `gpu_memory_bytes` is what it takes of its GPU."""
    gpus: tuple[int, ...] = ()
    """Which GPUs of the unit, whole or in part."""
    gpu_share_milli: int = 0
    mig_profile: str = ""
    mig_start: int = 0

    @property
    def gpu_milli(self) -> int:
        """Thousandths of a GPU that it takes, in sum."""
        return self.resources.gpus * 1000 + self.gpu_share_milli + mig.gpu_milli(self.mig_profile)

    @property
    def nothing(self) -> bool:
        """Whether a unit that only this is taken from is as good as empty."""
        return not (self.gpu_milli or self.resources.cpus_milli or self.resources.memory_bytes)


@dataclass(frozen=True, slots=True)
class Carried:
    """What one workload sends over the uplink of a site where it stands."""

    site: str
    bytes_per_day: int


@dataclass(frozen=True, slots=True)
class Holding:
    """What one workload holds."""

    workload_id: str
    team: str
    copies: tuple[Copy, ...]
    carried: tuple[Carried, ...] = ()
    """At each site, whether its uplink is limited or not: a limit may be declared later."""
    right: Right = NO_RIGHT
    """By which it has its room."""

    @property
    def resources(self) -> Resources:
        """The sum over its copies. A share of a GPU is none here: see `gpu_milli`."""
        return sum((copy.resources for copy in self.copies), Resources())

    @property
    def gpu_milli(self) -> int:
        """Thousandths of a GPU, over its copies."""
        return sum(copy.gpu_milli for copy in self.copies)
