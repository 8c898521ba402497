"""Where Ray clusters come from.

A provider brings one cluster up and takes it down; it knows nothing of jobs. `local.LocalProvider` makes one of
processes on this machine. A provider for a cloud's machines or for KubeRay fills in the same four methods.

What a cluster of any provider must be:

- its head has no CPUs to give, so that every gang forces workers, and nothing is paid for while nothing runs;
- workers come and go by Ray's own autoscaler, between 0 and `WorkerShape.max_workers` of each shape;
- every port asks for the cluster's token, which was drawn for this cluster alone;
- its jobs see `Task.data_dir` of this machine under the same path (a shared file system where they are elsewhere).
"""

from dataclasses import dataclass, field
from typing import Protocol

from tidegate.model.quantity import Resources


@dataclass(frozen=True, slots=True)
class WorkerShape:
    """A kind of worker that the cluster may have: one offer of the site."""

    name: str
    """The offer's name; Ray's node type. Letters, digits, `-`, `_` and `.`."""
    resources: Resources
    """Of one worker. CPUs are logical: whole ones count, a remainder is not offered."""
    max_workers: int
    custom: dict[str, int] = field(default_factory=dict)
    """Further resources by name, e.g. `{"gpu_h100": 4}`."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that answers."""

    id: str
    """Drawn anew for every cluster, so that work left in a lost one is never mistaken for work in this one."""
    dashboard_url: str
    """Base of Ray's HTTP interface, e.g. `http://169.254.10.2:8265`."""
    head_address: str
    """Host and port of the head's control store."""
    token: str = field(repr=False)
    python: str = "python"
    """The interpreter on the cluster's machines, as an absolute path where it is known."""
    up_ms: int = 0
    """How long it took to come up."""


class Provider(Protocol):
    """Makes at most one cluster at a time."""

    @property
    def shapes(self) -> tuple[WorkerShape, ...]:
        """What its workers may be; the first one that fits is meant to be the cheapest."""

    async def current(self) -> Cluster | None:
        """The cluster that runs now, one from before this process included; None where none does. Starts nothing."""

    async def up(self) -> Cluster:
        """A cluster that answers: the current one or a new one. Raises Unavailable where none came up in time."""

    async def down(self) -> None:
        """Take it down with all that belongs to it; nothing to do where none runs. Raises Broken on leftovers."""
