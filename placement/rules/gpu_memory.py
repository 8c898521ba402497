"""GPU memory: on each device, since it does not pool across devices; on a unit that has a device free.

Of a share it is what it takes of its device; of a MIG instance, the least that the instance must have.
"""

from collections.abc import Hashable

import numpy as np

from placement.fleet.columns import Columns, Numbers
from placement.fleet.journal import Left
from placement.gpu import count
from placement.gpu.wanted import wanted_by
from placement.rules.on_one_unit import FreeOnOneUnit, OnOneUnit
from tidegate.model.decision import Unit
from tidegate.model.workload import Workload


class GpuMemory(OnOneUnit):
    """A GPU with as much memory as a copy needs on each of its own."""

    name = "gpu-memory"
    key = "demand.gpuMemory"
    unit = Unit.BYTES

    def wanted(self, workload: Workload) -> int:
        """Bytes on each device; 0 with a fallback."""
        return 0 if workload.demand.cpu_fallback else workload.demand.resources.gpu_memory_bytes

    def looks_at(self, workload: Workload) -> Hashable:
        """The profile."""
        return workload.demand.mig_profile

    def whole(self, columns: Columns, workload: Workload) -> Numbers:
        """Bytes on each device of an empty unit; of an instance, where one is wanted."""
        name = workload.demand.mig_profile
        if not name:
            return np.where(columns.gpus > 0, columns.gpu_memory, 0)
        profiles = [table.profile(name) if table else None for _, table in columns.sharing.values]
        return columns.sharing.numbers(profile.memory_mib * 2**20 if profile else 0 for profile in profiles)


class GpuMemoryFree(FreeOnOneUnit):
    """A device that is free now with as much memory; for a share, that much left on one. Not asked of an instance."""

    name = "gpu-memory-free"
    key = "demand.gpuMemory"
    unit = Unit.BYTES

    def wanted(self, workload: Workload) -> int:
        """Bytes on each device; 0 with a fallback, and for an instance, whose memory nobody else can take."""
        demand = workload.demand
        return 0 if demand.cpu_fallback or demand.mig_profile else demand.resources.gpu_memory_bytes

    def looks_at(self, workload: Workload) -> Hashable:
        """Nothing, where GPUs are wanted whole."""
        return workload.demand.gpu_share_milli > 0 and workload.demand

    def whole(self, columns: Columns, workload: Workload) -> Numbers:
        """Bytes on each device of an empty unit."""
        if workload.demand.gpu_share_milli:
            accepts = count.accepts(columns, wanted_by(workload.demand), workload.demand.time_slicing)
            return np.where(accepts & (columns.gpus > 0), columns.gpu_memory, 0)
        return np.where(columns.whole_gpus > 0, columns.gpu_memory, 0)

    def left(self, columns: Columns, workload: Workload) -> Numbers:
        """Bytes left on one device, for a share; else on a device that is free, 0 where none is."""
        if workload.demand.gpu_share_milli:
            accepts = count.accepts(columns, wanted_by(workload.demand), workload.demand.time_slicing)
            left = count.most_by_unit(columns, columns.units.gpu_bytes)
            return np.where(accepts[columns.unit_offer], left, 0)
        return np.where(columns.unit_gpus > 0, columns.gpu_memory[columns.unit_offer], 0)

    def plain(self, workload: Workload) -> bool:
        """Where GPUs are wanted whole."""
        return not workload.demand.gpu_share_milli

    def amount(self, columns: Columns, offer: int, left: Left) -> int:
        """Of a device of one unit that is free."""
        return int(columns.gpu_memory[offer]) if left.gpus > 0 else 0
