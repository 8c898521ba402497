"""Max cost: the price above which the workload must not be placed. A price that nobody listed is not below it.

With `spread: site` every site is held to its share, so that the sum is below the ceiling whichever sites are chosen.
Where the copies have no room now, the price is that of the place if nothing stood there: what is too dear would not fit
if it waited. Where there is room now, its price alone counts: that something cheaper at the same place may come free is
not waited for. Where they would never have room there is nothing to price, and the rules on room have said so.
"""

import numpy as np

from placement.fleet.columns import Mask, Numbers
from placement.fleet.fleet import Fleet
from placement.packing.packing import Packing
from placement.rules.rule import Column, Findings, Plain
from tidegate.model.decision import Kind, Lack, Unit
from tidegate.model.workload import Spread, Workload


class MaxCost(Plain):
    """The workload's own ceiling, in micros per hour."""

    name = "max-cost"
    kind = Kind.PRICE

    def __init__(self, packing: Packing, total: Numbers, has_prices: bool) -> None:
        """`total`, shape (sites,): what each site would cost; `has_prices`: whether a price book is in force."""
        self._packing = packing
        self._total = total
        self._has_prices = has_prices

    def column(self, workload: Workload, fleet: Fleet) -> Column:
        """Silent where there is no ceiling."""
        return super().column(workload, fleet) if workload.max_cost_micros_per_hour else self.silent(fleet)

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where the price is known and low enough, or there is nothing to price."""
        low_enough = self._total * _shares(workload) <= workload.max_cost_micros_per_hour
        return ~self._packing.priceable | (self._packing.charged.priced & self._has_prices & low_enough)

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """The ceiling and the price; `found` says `unknown` where there is none."""
        known = self._packing.charged.priced[refused] & self._has_prices
        most = workload.max_cost_micros_per_hour
        return Findings(
            lacks=(
                Lack("maxCost", "Le", (), (), most, Unit.MICROS_PER_HOUR),
                Lack("maxCost", "Le", (), ("unknown",), most, Unit.MICROS_PER_HOUR),
            ),
            codes=(~known).astype(np.int64),
            numbers=np.where(known, self._total[refused] * _shares(workload), 0),
        )


def _shares(workload: Workload) -> int:
    return workload.copies if workload.spread is Spread.SITE else 1
