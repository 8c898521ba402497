"""GPU sharing: an offer gives GPUs out in the way that the workload asks for. Not asked of whole GPUs, or a fallback.

A share that nothing holds to its part (time-slicing) is only for work that says it will do: there a neighbour that
takes more memory than it said makes this work fail, and a busy one makes it late, so the promise would be nobody's. An
instance needs a GPU that has its profile.
"""

from collections.abc import Hashable

import numpy as np

from placement.fleet.columns import Mask, Numbers, Words
from placement.fleet.fleet import Fleet
from placement.gpu import count
from placement.gpu.wanted import wanted_by
from placement.rules.rule import Findings, Plain
from tidegate.model.decision import Lack
from tidegate.model.site import GpuSharing
from tidegate.model.workload import Workload


class GpuSharingRule(Plain):
    """Some offer of the site shares its GPUs as wanted."""

    name = "gpu-sharing"

    def asks(self, workload: Workload) -> Hashable:
        """The form; how large a share is makes no difference."""
        demand = workload.demand
        if demand.cpu_fallback:
            return None, "", False
        return demand.gpu_share_milli > 0, demand.mig_profile, demand.time_slicing

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where an offer with units does, or whole GPUs are wanted, or none."""
        columns, demand = fleet.columns, workload.demand
        if demand.cpu_fallback or not (demand.gpu_share_milli or demand.mig_profile):
            return np.ones(len(columns), dtype=np.bool_)
        bare = wanted_by(demand, memory=False)  # how much memory it has is for `gpu-memory` to say
        accepts = count.accepts(columns, bare, demand.time_slicing)
        return columns.site_any(accepts & (columns.count > 0) & (columns.gpus > 0))

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """The ways that would do, and those of the site's offers with GPUs, each once."""
        demand, columns = workload.demand, fleet.columns
        wanted: tuple[str, ...] = (f"mig {demand.mig_profile}",)
        if not demand.mig_profile:
            ways = (GpuSharing.FRACTION, GpuSharing.TIME_SLICING) if demand.time_slicing else (GpuSharing.FRACTION,)
            wanted = tuple(way.value for way in ways)
        key = "demand.mig" if demand.mig_profile else "demand.gpuShare"
        there: Words[tuple[str, ...]] = columns.gpu_sharings
        lacks = tuple(Lack(key, "In", wanted, found) for found in there.values)
        return Findings(lacks, codes=there.codes[refused])
