"""GPUs: whole devices, free on one unit. Not asked where the workload falls back on CPUs."""

from placement.columns import Columns, Numbers
from placement.rules.on_one_unit import OnOneUnit
from tidegate.model.workload import Workload


class Gpus(OnOneUnit):
    """As many free GPUs on one unit as a copy needs."""

    name = "gpus"
    key = "demand.gpus"

    def wanted(self, workload: Workload) -> int:
        """Devices; 0 with a fallback."""
        return 0 if workload.demand.cpu_fallback else workload.demand.resources.gpus

    def whole(self, columns: Columns) -> Numbers:
        """Devices of an empty unit."""
        return columns.gpus

    def left(self, columns: Columns) -> Numbers:
        """Devices left."""
        return columns.unit_gpus
