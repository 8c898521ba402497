"""Settled: at which sites of some ground it is known where the copies stand, while that is being found out."""

import numpy as np

from placement.bits import to_bits
from placement.fleet.columns import Mask, Numbers
from placement.packing.ground import Ground


class Settled:
    """Grows site by site, and is forgotten when all that can be settled is."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.sites: Mask = np.zeros(ground.size, dtype=np.bool_)
        """Shape (sites,)."""
        self.left = ground.size
        """How many are not settled yet."""
        self._offers: Numbers | None = None

    def put(self, sites: Numbers) -> None:
        """These are settled now, which were not."""
        self.sites[sites] = True
        self.left -= len(sites)
        self._offers = None

    @property
    def bits(self) -> int:
        """The sites, as bits."""
        return to_bits(self.sites) if self.left else (1 << len(self.sites)) - 1

    @property
    def offers_left(self) -> Numbers:
        """The offers of the sites that are not settled yet, ascending."""
        if self._offers is None:
            self._offers = self._ground.at_offers(~self.sites).nonzero()[0]
        return self._offers
