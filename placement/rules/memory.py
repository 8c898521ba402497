"""Memory: bytes of main memory, on one unit."""

from collections.abc import Hashable

from placement.fleet.columns import Columns, Numbers
from placement.fleet.journal import Left
from placement.rules.on_one_unit import FreeOnOneUnit, OnOneUnit
from tidegate.model.decision import Unit
from tidegate.model.workload import Workload


class Memory(OnOneUnit):
    """As much memory on one unit as a copy needs."""

    name = "memory"
    key = "demand.memory"
    unit = Unit.BYTES

    def wanted(self, workload: Workload) -> int:
        """Bytes."""
        return workload.demand.resources.memory_bytes

    def looks_at(self, workload: Workload) -> Hashable:
        """Nothing."""
        return ()

    def whole(self, columns: Columns, workload: Workload) -> Numbers:
        """Of an empty unit."""
        return columns.memory


class MemoryFree(FreeOnOneUnit, Memory):
    """The same as things are now."""

    name = "memory-free"

    def left(self, columns: Columns, workload: Workload) -> Numbers:
        """Left on each unit in use."""
        return columns.unit_memory

    def amount(self, columns: Columns, offer: int, left: Left) -> int:
        """Left on one."""
        return left.memory_bytes
