"""What the rules on amounts share: one copy must find enough of it on one unit, with what is taken there taken off."""

import numpy as np

from placement.columns import UNKNOWN, Columns, Mask, Numbers
from placement.fleet import Fleet
from placement.rules.rule import Findings, Plain
from tidegate.model.decision import Lack, Unit
from tidegate.model.workload import Workload

UNREACHED = np.iinfo(np.int64).min
"""Less than any unit has, an overcommitted one included."""


class OnOneUnit(Plain):
    """A subclass says what it is about: the key, the unit, what is wanted, and what there is."""

    key = ""
    unit = Unit.COUNT
    _most: Numbers

    def wanted(self, workload: Workload) -> int:
        """How much one copy needs."""
        raise NotImplementedError

    def whole(self, columns: Columns) -> Numbers:
        """Shape (offers,): how much an empty unit has."""
        raise NotImplementedError

    def left(self, columns: Columns) -> Numbers:
        """Shape (units,): how much is left on each unit in use."""
        raise NotImplementedError

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where a unit has enough, or nothing is wanted."""
        wanted = self.wanted(workload)
        if wanted == 0:
            return np.ones(len(fleet.columns), dtype=np.bool_)
        self._most = self._most_on_one(fleet.columns)
        enough: Mask = fleet.columns.site_max(self._most) >= wanted
        return enough

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """The most that any unit of the site has, and the offer that has it."""
        columns = fleet.columns
        most = self._most  # as `allows` found it for this fleet
        best = columns.site_max(most, UNREACHED)
        nearest = columns.first_offer(most == best[columns.offer_site])
        lack = Lack(self.key, "Ge", wanted_number=self.wanted(workload), unit=self.unit)
        return Findings((lack,), numbers=np.maximum(best[refused], 0), offers=nearest[refused])

    def _most_on_one(self, columns: Columns) -> Numbers:
        """Shape (offers,): the most on any one unit."""
        most = np.where(columns.fresh > 0, self.whole(columns), 0)
        used = columns.unit_offer != UNKNOWN
        np.maximum.at(most, columns.unit_offer[used], self.left(columns)[used])
        return most
