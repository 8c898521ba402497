"""A reading: what the answer time of a placed workload rests on. Part of a decision."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """How long an answer takes from where a workload was placed, for one origin of its requests."""

    site: str
    origin: str
    """Whose clients and agents measured the round trip, where it was measured."""
    trip_us: int
    """The round trip as it counted: at its upper bound, and more where it is old."""
    trip_likely_us: int
    """The 99th percentile as it was estimated."""
    trip_measured_at: int = 0
    """Ms since the epoch; 0 where it was declared."""
    trip_samples: int = 0
    service_us: int = 0
    """What the model takes on the slowest class of device that it stands on."""
    service_measured_at: int = 0
    """Ms since the epoch; 0 where it was declared."""
    service_samples: int = 0

    @property
    def us(self) -> int:
        """To the answer."""
        return self.trip_us + self.service_us
