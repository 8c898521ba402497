"""GPU memory: on each device, since it does not pool across devices; on a unit that has a device free."""

import numpy as np

from placement.columns import Columns, Numbers
from placement.rules.on_one_unit import OnOneUnit
from tidegate.model.decision import Unit
from tidegate.model.workload import Workload


class GpuMemory(OnOneUnit):
    """A free GPU with as much memory as a copy needs on each of its own."""

    name = "gpu-memory"
    key = "demand.gpuMemory"
    unit = Unit.BYTES

    def wanted(self, workload: Workload) -> int:
        """Bytes on each device; 0 with a fallback."""
        return 0 if workload.demand.cpu_fallback else workload.demand.resources.gpu_memory_bytes

    def whole(self, columns: Columns) -> Numbers:
        """Bytes on each device of an empty unit."""
        return np.where(columns.gpus > 0, columns.gpu_memory, 0)

    def left(self, columns: Columns) -> Numbers:
        """Bytes on a device that is free; 0 where none is."""
        return np.where(columns.unit_gpus > 0, columns.gpu_memory[columns.unit_offer], 0)
