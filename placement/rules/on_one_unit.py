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

MOST_SCANNED = 2_000_000
"""Sites times the scans kept: sixteen times as many bytes."""
UNREACHED = np.iinfo(np.int64).min
"""Less than any unit has, an overcommitted one included."""


class OnOneUnit(Plain):
    """On an empty unit. A subclass says what it is about: the key, the unit, what is wanted, and what there is."""

    key = ""
    unit = Unit.COUNT
    _best: tuple[Numbers, Numbers]

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

    def looks_at(self, workload: Workload) -> Hashable:
        """What `whole` and `left` depend on of the workload: by default, on its demand."""
        return workload.demand

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where a unit has enough, or nothing is wanted."""
        wanted = self.wanted(workload)
        if wanted == 0:
            return np.ones(len(fleet.columns), dtype=np.bool_)
        self._best = self.best(workload, fleet)
        enough: Mask = self._best[0] >= wanted
        return enough

    def best(self, workload: Workload, fleet: Fleet) -> tuple[Numbers, Numbers]:
        """Shapes (sites,): the most on any unit, and the row of the offer that has it. Scanned once for many."""
        columns = fleet.columns
        kept: dict[Hashable, tuple[Numbers, Numbers]] = columns.kept("most", dict)
        key = (self.name, self.looks_at(workload), tuple([columns.stamps[part] for part in self.reads]))
        found = kept.get(key)
        if found is None:
            if len(kept) * len(columns) > MOST_SCANNED:
                kept.clear()
            most = self.most(workload, fleet)
            best = columns.site_max(most, UNREACHED)
            found = kept[key] = (best, columns.first_offer(most == best[columns.offer_site]))
        return found

    def most(self, workload: Workload, fleet: Fleet) -> Numbers:
        """Shape (offers,): the most on any one unit."""
        columns = fleet.columns
        return np.where(columns.count > 0, self.whole(columns, workload), 0)

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """The most that any unit of the site has, and the offer that has it."""
        best, nearest = self._best  # as `allows` found it for this fleet
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
        wanted = self.wanted(workload)
        if wanted == 0:
            return np.ones(len(fleet.columns), dtype=np.bool_)
        self._best = self.best(workload, fleet)
        enough: Mask = self._best[0] >= wanted
        if not enough.all():
            columns = fleet.columns
            enough |= columns.site_max(OnOneUnit.most(self, workload, fleet)) < wanted
        return enough

    def most(self, workload: Workload, fleet: Fleet) -> Numbers:
        """Shape (offers,): the most on any one unit as it is now."""
        columns = fleet.columns
        most = np.where(columns.fresh > 0, super().most(workload, fleet), 0)
        used = columns.unit_offer != UNKNOWN
        np.maximum.at(most, columns.unit_offer[used], self.left(columns, workload)[used])
        return most


def most_by_unit(columns: Columns, gpus: Numbers) -> Numbers:
    """Shape (units,): the greatest number among the GPUs of each unit in use; 0 where it has none."""
    rows = columns.units.gpu_unit
    used = rows != UNKNOWN
    most = np.zeros(len(columns.units.offer), dtype=np.int64)
    np.maximum.at(most, rows[used], gpus[used])
    return most
