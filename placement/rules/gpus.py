"""GPUs: as many whole ones on one unit, or a part of one. Not asked where the workload falls back on CPUs.

What a copy wants decides how the number is to be read: whole devices; thousandths of one device's compute, for a
share; instances of its profile, for MIG.
"""

from collections.abc import Hashable

import numpy as np

from placement.fleet.columns import Columns, Numbers
from placement.fleet.journal import Left
from placement.gpu import count
from placement.gpu.unit import MILLI
from placement.gpu.wanted import wanted_by
from placement.rules.on_one_unit import FreeOnOneUnit, OnOneUnit
from tidegate.model.decision import Lack, Unit
from tidegate.model.workload import Workload


class Gpus(OnOneUnit):
    """As many GPUs on one unit as a copy needs; for a share or an instance, one."""

    name = "gpus"
    key = "demand.gpus"

    def wanted(self, workload: Workload) -> int:
        """Devices; 0 with a fallback."""
        demand = workload.demand
        if demand.cpu_fallback:
            return 0
        return demand.resources.gpus or int(demand.on_gpu)

    def looks_at(self, workload: Workload) -> Hashable:
        """Whether they must be whole."""
        return workload.demand.resources.gpus > 0

    def whole(self, columns: Columns, workload: Workload) -> Numbers:
        """Devices of an empty unit; whole GPUs are not taken from those that are divided for good."""
        return columns.whole_gpus if workload.demand.resources.gpus else columns.gpus


class GpusFree(FreeOnOneUnit):
    """The same as things are now: whole devices, compute of one device, or instances."""

    name = "gpus-free"

    def wanted(self, workload: Workload) -> int:
        """Devices, thousandths or instances; 0 with a fallback."""
        demand = workload.demand
        if demand.cpu_fallback:
            return 0
        return demand.resources.gpus or demand.gpu_share_milli or int(bool(demand.mig_profile))

    def looks_at(self, workload: Workload) -> Hashable:
        """Nothing, where GPUs are wanted whole."""
        return workload.demand.resources.gpus > 0 or workload.demand

    def lack(self, workload: Workload) -> Lack:
        """With the field that asks for it."""
        demand, number = workload.demand, self.wanted(workload)
        if demand.gpu_share_milli:
            return Lack("demand.gpuShare", "Ge", wanted_number=number, unit=Unit.GPU_MILLI)
        if demand.mig_profile:
            return Lack("demand.mig", "Ge", (demand.mig_profile,), wanted_number=number, unit=Unit.COUNT)
        return Lack("demand.gpus", "Ge", wanted_number=number, unit=Unit.COUNT)

    def whole(self, columns: Columns, workload: Workload) -> Numbers:
        """Of an empty unit; none where the offer does not give GPUs out so."""
        wanted = wanted_by(workload.demand)
        if wanted.gpus:
            return columns.whole_gpus
        there = np.where(columns.gpus > 0, MILLI, 0) if wanted.share_milli else count.on_empty(columns, wanted)
        return np.where(count.accepts(columns, wanted, workload.demand.time_slicing), there, 0)

    def left(self, columns: Columns, workload: Workload) -> Numbers:
        """Of units in use."""
        wanted = wanted_by(workload.demand)
        if wanted.gpus:
            return columns.unit_gpus
        units = columns.units
        there = count.most_by_unit(columns, units.gpu_milli) if wanted.share_milli else count.on_used(columns, wanted)
        return np.where(count.accepts(columns, wanted, workload.demand.time_slicing)[units.offer], there, 0)

    def plain(self, workload: Workload) -> bool:
        """Where GPUs are wanted whole."""
        return workload.demand.resources.gpus > 0

    def amount(self, columns: Columns, offer: int, left: Left) -> int:
        """Whole GPUs of one unit."""
        return left.gpus
