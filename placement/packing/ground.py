"""Ground: the offers of some sites, or of all, as the packing wants them. Rows of it are its own; `rows` says whose.

Packing one site again costs what the site costs, not what the fleet does, being the same packing on less ground.
"""

import numpy as np

from placement.fleet.columns import Columns, Mask, Numbers, Ranks, Scratch
from placement.lazily import lazily


def starts_of(rows: Numbers) -> Numbers:
    """Where each run of one number begins."""
    if len(rows) == 0:
        return rows
    return np.concatenate((_ZERO, (rows[1:] != rows[:-1]).nonzero()[0] + 1))


def lengths_of(starts: Numbers, end: int) -> Numbers:
    """How long the run is that begins at each of these, of rows up to an end."""
    lengths = np.empty(len(starts), dtype=np.int64)
    lengths[:-1], lengths[-1:] = starts[1:] - starts[:-1], end - starts[-1:]
    return lengths


_ZERO = np.zeros(1, dtype=np.int64)


class Ground:
    """See the module. Valid until a unit changes. Shapes: (sites,), (offers,) and (units in use,), all its own."""

    def __init__(self, columns: Columns, sites: tuple[int, ...] | None = None) -> None:
        """`sites`: rows of the fleet, ascending; None: all of them."""
        self.columns = columns
        self.sites = sites
        units = columns.units
        if sites is None:
            self.size = len(columns)
            self.rows: Numbers = columns.every_offer
            self.shape, self.build, self.count = columns.shape, columns.build, columns.count
            self.fresh = units.fresh
            self.offer_site, self.zone = columns.offer_site, columns.zone.codes
            self.starts, self.many, self.local = columns.starts, columns.many, columns.among_its_own
            self.unit_rows, self.unit_offer = units.in_use()
            self.unit_build, self.unit_left = units.in_build(columns.build), units.left_in_use()
            self.unit_spent = units.spent_in_use()
        else:
            self.size = len(sites)
            ranges = [columns.offers_of(site) for site in sites]
            self.rows = np.concatenate([np.arange(one.start, one.stop) for one in ranges])
            self.shape, self.build = columns.shape[self.rows], columns.build[self.rows]
            self.count, self.fresh = columns.count[self.rows], units.fresh[self.rows]
            self.zone = columns.zone.codes[self.rows]
            self.many = np.array([len(one) for one in ranges], dtype=np.int64)
            self.offer_site = np.repeat(np.arange(self.size), self.many)
            self.starts = np.cumsum(self.many) - self.many
            self.local = columns.among_its_own.take(self.rows)
            pairs = [
                (row, local) for local, offer in enumerate(self.rows.tolist()) for row in units.rows_of(offer).values()
            ]
            found = np.array(pairs, dtype=np.int64).reshape(-1, 2)
            self.unit_rows, self.unit_offer = found[:, 0], found[:, 1]
            self.unit_build, self.unit_spent = self.build.take(self.unit_offer), self.fresh.take(self.unit_offer) < 1
            self.unit_left = np.array([units.gpus, units.cpus, units.memory], dtype=np.int64)[:, self.unit_rows]

    @lazily
    def scratch(self) -> Scratch:
        """For these offers."""
        return self.columns.scratch if self.sites is None else Scratch(self.local)

    @lazily
    def _filled(self) -> tuple[Numbers, Numbers]:
        if self.sites is None:
            return self.columns.filled
        starts = starts_of(self.offer_site)
        return self.offer_site[starts], starts

    def site_min(self, offers: Ranks) -> Ranks:
        """Shape (sites,): the least of the site's offers; the greatest number of its width where it has none."""
        filled, starts = self._filled
        if len(filled) == self.size:
            return np.minimum.reduceat(offers, starts) if self.size else offers
        answer = np.full(self.size, np.iinfo(offers.dtype).max, dtype=offers.dtype)
        if len(filled):
            answer[filled] = np.minimum.reduceat(offers, starts)
        return answer

    def at_offers(self, sites: Mask) -> Mask:
        """Shape (offers,): what is said of their site."""
        return np.repeat(sites, self.many)

    def of_sites(self, mask: Mask) -> Mask:
        """A mask over the fleet's sites, for those that are here."""
        return mask if self.sites is None else mask[list(self.sites)]

    def zones(self, offers: Numbers) -> Numbers:
        """Shape (sites,): in how many zones there are some of these offers."""
        zones = max(len(self.columns.zone.values), 1)
        pairs = np.unique(self.offer_site[offers] * zones + self.zone[offers])
        return np.bincount(pairs // zones, minlength=self.size).astype(np.int64)
