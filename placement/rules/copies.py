"""Copies: a gang, or the least number of replicas, has room whole and at once, however close together.

It speaks where the rules on one copy have nothing to say: each amount can be had, but not all of them on one unit, or
not as often as there are copies. Where one copy already finds too little, that rule's number is the useful one.
"""

from placement.columns import Mask, Numbers
from placement.fleet import Fleet
from placement.packing import Packing
from placement.rules.rule import Findings, Plain
from tidegate.model.decision import Kind, Lack, Unit
from tidegate.model.workload import Workload


class Copies(Plain):
    """Whole or not at all."""

    name = "copies"
    kind = Kind.CAPACITY

    def __init__(self, packing: Packing, one_has: Mask) -> None:
        """`one_has`, shape (sites,): where every rule on one copy allows it."""
        self._packing = packing
        self._one_has = one_has

    def allows(self, workload: Workload, fleet: Fleet) -> Mask:
        """Shape (sites,): True where all copies have room, or where one copy already does not."""
        return ~self._one_has | (self._packing.copies >= self._packing.wanted)

    def findings(self, workload: Workload, fleet: Fleet, refused: Numbers) -> Findings:
        """Copies wanted at once, and how many have room."""
        key = "training.workers" if workload.training else "replicas.min"
        lack = Lack(key, "Ge", wanted_number=self._packing.wanted, unit=Unit.COUNT)
        return Findings((lack,), numbers=self._packing.copies[refused])
