"""What one copy wants, as numbers: whole GPUs, a share of one, a MIG instance, or none; and CPUs and memory.

One of `gpus`, `share_milli` and `mig_profile` says something, or none of them does. The words of a manifest stay
behind: which models, and whether CPUs alone would do, are questions about offers.
"""

from typing import NamedTuple

from tidegate.model.mig import gpu_milli
from tidegate.model.quantity import Resources
from tidegate.model.workload import Demand


class Wanted(NamedTuple):
    """One copy's."""

    gpus: int = 0
    """Whole ones."""
    share_milli: int = 0
    """Thousandths of one GPU's compute."""
    mig_profile: str = ""
    gpu_memory_bytes: int = 0
    """On each GPU: at least, where GPUs are whole or instances; exactly, where a share takes it."""
    cpus_milli: int = 0
    memory_bytes: int = 0

    @property
    def on_gpu(self) -> bool:
        """Whether it needs a GPU or a part of one."""
        return bool(self.gpus or self.share_milli or self.mig_profile)

    @property
    def gpu_milli(self) -> int:
        """Thousandths of a GPU taken, rounded up."""
        return self.gpus * 1000 + self.share_milli + gpu_milli(self.mig_profile)

    @property
    def nothing(self) -> bool:
        """Whether a unit that only this is taken from is as good as empty."""
        return not (self.on_gpu or self.cpus_milli or self.memory_bytes)

    @property
    def resources(self) -> Resources:
        """Its countable part; a share or an instance is no whole GPU."""
        return Resources(self.gpus, self.gpu_memory_bytes, self.cpus_milli, self.memory_bytes)

    def without_gpus(self) -> "Wanted":
        """The same, met without GPUs."""
        return self._replace(gpus=0, share_milli=0, mig_profile="", gpu_memory_bytes=0)


def wanted_by(demand: Demand, *, memory: bool = True) -> Wanted:
    """What one copy of the demand wants, with its GPUs; with `memory` False, of whatever memory they are."""
    resources = demand.resources
    return Wanted(
        resources.gpus,
        demand.gpu_share_milli,
        demand.mig_profile,
        resources.gpu_memory_bytes if memory else 0,
        resources.cpus_milli,
        resources.memory_bytes,
    )


def variants(demand: Demand) -> tuple[tuple[Wanted, tuple[str, ...]], ...]:
    """What to ask for, in order, and of which GPU models (none: any): with GPUs and, falling back on CPUs, without."""
    first = wanted_by(demand)
    asked = (first, demand.gpu_models)
    return (asked, (first.without_gpus(), ())) if demand.cpu_fallback else (asked,)
