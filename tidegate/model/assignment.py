"""Assignments: the desired state that one agent is told; and what it reports of each."""

from dataclasses import dataclass, field
from enum import StrEnum

from tidegate.model.decision import Seat, Slot
from tidegate.model.registry import Artifact, ModelVersion
from tidegate.model.workload import Workload


class Phase(StrEnum):
    """How far a workload has come. `broker.core.lifecycle` holds the table of what may follow what."""

    PLACED = "placed"
    PREPARING = "preparing"
    STARTING = "starting"
    RUNNING = "running"
    """A training job at work, or a service that answers."""
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    WAITING = "waiting"
    """For room that is taken now."""

    @property
    def ended(self) -> bool:
        """Whether nothing can follow."""
        return self in (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED, Phase.REFUSED)


@dataclass(frozen=True, slots=True)
class Assignment:
    """One workload that one site should run. It stands until a newer generation of the site leaves it out."""

    workload_id: str
    workload: Workload
    site: str
    generation: int
    """Of the site's desired state when this was last changed; never goes back on any agent."""
    offer: str = ""
    copies: int = 1
    model: ModelVersion | None = None
    traceparent: str = ""
    """W3C trace context of the decision, kept so that later spans can link to it however late they come."""
    slots: tuple[Slot, ...] = ()
    """The offers of the site that the copies stand on."""
    seats: tuple[Seat, ...] = ()
    """One for each copy, slot by slot: which unit, and which of its GPUs. Empty: any."""


@dataclass(frozen=True, slots=True)
class Desired:
    """Everything one site should run, at one generation."""

    site: str
    generation: int
    assignments: tuple[Assignment, ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a service answers."""

    protocol: str
    """`http`, `grpc` (Open Inference Protocol) or `unix` (HTTP over a socket on the device)."""
    address: str
    """`host:port`, or the socket's path."""


@dataclass(frozen=True, slots=True)
class Status:
    """What an agent observed of one assignment; the last one wins."""

    workload_id: str
    generation: int
    phase: Phase
    detail: str = ""
    exit_code: int = 0
    attempt: int = 1
    endpoints: tuple[Endpoint, ...] = ()
    outputs: tuple[Artifact, ...] = ()
    metrics: dict[str, str] = field(default_factory=dict)
    """Measured facts: `service_time_p99_us`, `cluster_up_ms`, `accuracy`, ..."""
    at: int = 0
