"""CPUs: thousandths of a core, on one unit."""

from collections.abc import Hashable

from placement.fleet.columns import Columns, Numbers
from placement.fleet.journal import Left
from placement.rules.on_one_unit import FreeOnOneUnit, OnOneUnit
from tidegate.model.decision import Unit
from tidegate.model.workload import Workload


class Cpus(OnOneUnit):
    """As many CPUs on one unit as a copy needs."""

    name = "cpus"
    key = "demand.cpus"
    unit = Unit.CPUS_MILLI

    def wanted(self, workload: Workload) -> int:
        """Thousandths of a core."""
        return workload.demand.resources.cpus_milli

    def looks_at(self, workload: Workload) -> Hashable:
        """Nothing."""
        return ()

    def whole(self, columns: Columns, workload: Workload) -> Numbers:
        """Of an empty unit."""
        return columns.cpus


class CpusFree(FreeOnOneUnit, Cpus):
    """The same as things are now."""

    name = "cpus-free"

    def left(self, columns: Columns, workload: Workload) -> Numbers:
        """Left on each unit in use."""
        return columns.unit_cpus

    def amount(self, columns: Columns, offer: int, left: Left) -> int:
        """Left on one."""
        return left.cpus_milli
