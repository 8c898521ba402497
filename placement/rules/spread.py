"""Spread: replicas stand as far apart as asked: on different nodes, in different zones or at different sites.

It speaks where the copies have room, but not so far apart. With `spread: site` it speaks for all sites at once: there
must be as many sites that every other rule allows as there are copies.
"""

from placement.columns import Mask
from placement.fleet import Fleet
from placement.packing import Packing
from placement.rules.rule import Plain, SiteRow
from tidegate.model.decision import Miss, Unit
from tidegate.model.workload import Spread, Workload


class SpreadRule(Plain):
    """Not all eggs in one basket."""

    name = "spread"

    def __init__(self, packing: Packing, otherwise_allowed: Mask) -> None:
        """`otherwise_allowed`, shape (sites,): the sites that every other enforced rule allows."""
        self._packing = packing
        self._sites = int(otherwise_allowed.sum())

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where all copies stand far enough apart, or have no room at all."""
        packing = self._packing
        allowed = (packing.copies < packing.wanted) | (packing.apart >= packing.wanted)
        if workload.spread is Spread.SITE and self._sites < workload.copies:
            allowed[:] = False
        return allowed

    def miss(self, workload: Workload, fleet: Fleet, site: SiteRow) -> Miss:
        """How many stand-apart places are wanted, and how many there are."""
        by_site = workload.spread is Spread.SITE
        return Miss(
            rule=self.name,
            site=fleet.columns.names[site],
            key="replicas.spread",
            operator="Ge",
            wanted=(workload.spread.value,),
            wanted_number=workload.copies,
            found_number=self._sites if by_site else int(self._packing.apart[site]),
            unit=Unit.COUNT,
        )
