"""Settled: at which sites of some ground it is known where the copies stand, while that is being found out."""

from placement.bits import to_bits
from placement.fleet.columns import Mask, Numbers
from placement.packing.ground import Ground


class Settled:
    """Grows site by site, and is forgotten when all that can be settled is. A mask that it gave stays as it was."""

    def __init__(self, ground: Ground) -> None:
        self.sites: Mask = ground.none
        """Shape (sites,)."""
        self.bits = 0
        """The same, as bits."""
        self.left = ground.size
        """How many are not settled yet."""

    def put(self, sites: Numbers) -> None:
        """These are settled now, which were not."""
        more = self.sites.copy()
        more[sites] = True
        self.put_all(more)

    def put_all(self, sites: Mask) -> None:
        """These are, and all that were are among them. The mask is this object's from now on."""
        self.sites, self.bits = sites, to_bits(sites)
        self.left = len(sites) - self.bits.bit_count()
