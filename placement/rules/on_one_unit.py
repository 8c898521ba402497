"""What the rules on amounts share: one copy must find enough of it on one unit.

Each amount has two rules. The first asks whether any unit would have enough if nothing stood there: a "no" is about the
place and lasts. The second (`...-free`) asks whether any unit has enough now, and speaks only where the first allowed:
a "no" is about what else stands there, and may pass.
"""

from collections.abc import Hashable

import numpy as np

from placement.columns import UNKNOWN, Columns, Mask, Numbers, Part
from placement.fleet import Fleet
from placement.rules.rule import Findings, Plain
from tidegate.model.decision import Kind, Lack, Unit
from tidegate.model.workload import Workload

UNREACHED = np.iinfo(np.int64).min
"""Less than any unit has, an overcommitted one included."""


class OnOneUnit(Plain):
    """On an empty unit. A subclass says what it is about: the key, the unit, what is wanted, and what there is."""

    key = ""
    unit = Unit.COUNT
    _most: Numbers

    def wanted(self, workload: Workload) -> int:
        """How much one copy needs; 0: it is not asked."""
        raise NotImplementedError

    def asks(self, workload: Workload) -> Hashable:
        """The amount; a subclass that looks at more of the demand adds it."""
        return self.wanted(workload)

    def lack(self, workload: Workload) -> Lack:
        """What is wanted, as misses tell it."""
        return Lack(self.key, "Ge", wanted_number=self.wanted(workload), unit=self.unit)

    def whole(self, columns: Columns, workload: Workload) -> Numbers:
        """Shape (offers,): how much an empty unit has."""
        raise NotImplementedError

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where a unit has enough, or nothing is wanted."""
        wanted = self.wanted(workload)
        if wanted == 0:
            return np.ones(len(fleet.columns), dtype=np.bool_)
        columns = fleet.columns
        self._most = np.where(columns.count > 0, self.whole(columns, workload), 0)
        enough: Mask = columns.site_max(self._most) >= wanted
        return enough

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """The most that any unit of the site has, and the offer that has it."""
        columns = fleet.columns
        most = self._most  # as `allows` found it for this fleet
        best = columns.site_max(most, UNREACHED)
        nearest = columns.first_offer(most == best[columns.offer_site])
        return Findings((self.lack(workload),), numbers=np.maximum(best[refused], 0), offers=nearest[refused])


class FreeOnOneUnit(OnOneUnit):
    """On a unit as it is now. A subclass says what is left on units in use."""

    kind = Kind.CAPACITY
    reads = frozenset({Part.UNITS})

    def left(self, columns: Columns, workload: Workload) -> Numbers:
        """Shape (units,): how much is left on each unit in use."""
        raise NotImplementedError

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where a unit has enough now, where none ever would, or nothing is wanted."""
        could = super().allows(workload, fleet)
        if self.wanted(workload) == 0:
            return could
        columns = fleet.columns
        most = np.where(columns.fresh > 0, self._most, 0)
        used = columns.unit_offer != UNKNOWN
        np.maximum.at(most, columns.unit_offer[used], self.left(columns, workload)[used])
        self._most = most
        enough: Mask = ~could | (columns.site_max(most) >= self.wanted(workload))
        return enough


def most_by_unit(columns: Columns, gpus: Numbers) -> Numbers:
    """Shape (units,): the greatest number among the GPUs of each unit in use; 0 where it has none."""
    rows = columns.units.gpu_unit
    used = rows != UNKNOWN
    most = np.zeros(len(columns.units.offer), dtype=np.int64)
    np.maximum.at(most, rows[used], gpus[used])
    return most
