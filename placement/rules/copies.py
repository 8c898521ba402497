"""Copies: a gang, or the least number of replicas, has room whole and at once.

Two rules, as for each amount. `copies` asks whether the site could hold them if nothing stood there; it speaks where
the rules on one copy have nothing to say: each amount could be had, but not all of them on one unit, or not as often as
there are copies. `copies-free` asks the same of the place as it is now, as far apart as asked; it speaks where
everything else about room, then and now, has nothing to say. Where one copy already finds too little, that rule's
number is the useful one.

With `spread: site` each site has one copy, and `copies-free` speaks for all of them at once: as many sites as there are
copies must have room now.
"""

import numpy as np

from placement.bits import to_mask
from placement.fleet.columns import Numbers
from placement.fleet.fleet import Fleet
from placement.packing.packing import Packing
from placement.rules.rule import Column, Findings, Plain
from tidegate.model.decision import Kind, Lack, Unit
from tidegate.model.workload import Spread, Workload


class Copies(Plain):
    """Whole or not at all, if nothing stood there."""

    name = "copies"

    def __init__(self, packing: Packing, one_copy: int) -> None:
        """`one_copy`: where every rule on one copy, on an empty site, allows it; the sites as bits."""
        self._packing = packing
        self._speaks = one_copy

    def column(self, workload: Workload, fleet: Fleet) -> Column:
        """It allows where all copies would have room, or where one copy already would not."""
        refuses = self._speaks & ~self._packing.could_bits
        return Column(self, refuses, len(fleet.columns)) if refuses else self.silent(fleet)

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """Copies wanted at once, and how many would have room."""
        return Findings(
            (_lack(workload, self._packing.wanted),), numbers=self._packing.room_at(refused, now=False, apart=False)
        )


class CopiesFree(Plain):
    """Whole or not at all, now."""

    name = "copies-free"
    kind = Kind.CAPACITY

    def __init__(self, packing: Packing, has_room: int, otherwise_allowed: int) -> None:
        """Sites, as bits. `has_room`: where every rule on an empty site, and every one on one copy now, allows it.

        `otherwise_allowed`: the sites that every other enforced rule allows, but those about quotas.
        """
        self._packing = packing
        self._speaks = has_room
        self._sites = otherwise_allowed & (~has_room | packing.fits_bits)

    def column(self, workload: Workload, fleet: Fleet) -> Column:
        """It allows where all copies have room now, or where a number elsewhere says more."""
        refuses = self._speaks & ~self._packing.fits_bits
        if self._too_few_sites(workload):
            refuses |= self._sites
        return Column(self, refuses, len(fleet.columns)) if refuses else self.silent(fleet)

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """Copies wanted at once, and how many have room."""
        has = self._packing.room_at(refused, now=True, apart=True)
        if self._too_few_sites(workload):
            lacks = (_lack(workload, self._packing.wanted), _lack(workload, workload.copies))
            by_site = to_mask(self._sites, len(fleet.columns))[refused]
            found = np.where(by_site, self._sites.bit_count(), has)
            return Findings(lacks, codes=by_site.astype(np.int64), numbers=found)
        return Findings((_lack(workload, self._packing.wanted),), numbers=has)

    def _too_few_sites(self, workload: Workload) -> bool:
        return workload.spread is Spread.SITE and self._sites.bit_count() < workload.copies


def _lack(workload: Workload, wanted: int) -> Lack:
    key = "training.workers" if workload.training else "replicas.min"
    return Lack(key, "Ge", wanted_number=wanted, unit=Unit.COUNT)
