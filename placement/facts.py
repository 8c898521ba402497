"""The facts that a fleet keeps, as nouns: what is known of a site, what was measured, and who holds what."""

from dataclasses import dataclass, replace

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
    measured_at: int


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a workload where it stands: a unit of an offer of a site, and what it took there."""

    site: str
    offer: str
    unit: int
    resources: Resources


@dataclass(frozen=True, slots=True)
class Holding:
    """What one workload holds."""

    workload_id: str
    team: str
    copies: tuple[Copy, ...]

    @property
    def resources(self) -> Resources:
        """The sum over its copies."""
        return sum((copy.resources for copy in self.copies), Resources())


def without_gpus(wanted: Resources) -> Resources:
    """The same demand, met without GPUs."""
    return replace(wanted, gpus=0, gpu_memory_bytes=0)
