"""Spread: copies could stand as far apart as asked: on different nodes, in different zones or at different sites.

It is about the places, not about what stands there now, which `copies-free` says: it speaks where the copies would have
room if nothing stood there, but not so far apart. With `spread: site` it speaks for all sites at once: there must be as
many sites that every other lasting rule allows as there are copies.
"""

import numpy as np

from placement.fleet.columns import Numbers
from placement.fleet.fleet import Fleet
from placement.packing.packing import Packing
from placement.rules.rule import Column, Findings, Plain
from tidegate.model.decision import Lack, Unit
from tidegate.model.workload import Spread, Workload


class SpreadRule(Plain):
    """Not all eggs in one basket."""

    name = "spread"

    def __init__(self, packing: Packing, otherwise_allowed: int) -> None:
        """`otherwise_allowed`: the sites that every enforced rule allows but those on what is taken, as bits."""
        self._packing = packing
        self._sites = otherwise_allowed.bit_count()

    def column(self, workload: Workload, fleet: Fleet) -> Column:
        """It allows where all copies would stand far enough apart, or would have no room at all."""
        packing, sites = self._packing, len(fleet.columns)
        refuses = packing.could_bits & ~packing.stands_bits
        if workload.spread is Spread.SITE and self._sites < workload.copies:
            refuses = (1 << sites) - 1
        return Column(self, refuses, sites) if refuses else self.silent(fleet)

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """How many stand-apart places are wanted, and how many there are."""
        key = "training.gang" if workload.training else "replicas.spread"
        lack = Lack(key, "Ge", (workload.spread.value,), (), workload.copies, Unit.COUNT)
        if workload.spread is Spread.SITE:
            return Findings((lack,), numbers=np.full(len(refused), self._sites, dtype=np.int64))
        return Findings((lack,), numbers=self._packing.room_at(refused, now=False, apart=True))
