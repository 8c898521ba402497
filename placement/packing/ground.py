"""Ground: the offers of some sites, or of all, as the packing wants them. Rows of it are its own; `rows` says whose.

Packing one site again costs what the site costs, not what the fleet does, being the same packing on less ground.
"""

import numpy as np

from placement.fleet.columns import UNKNOWN, Columns, Mask, Numbers
from placement.lazily import lazily


class Ground:
    """See the module. Valid until a unit changes. Shapes: (sites,), (offers,) and (units in use,), all its own."""

    @classmethod
    def of(cls, columns: Columns, sites: tuple[int, ...] | None = None) -> "Ground":
        """That of all sites is the same until a unit changes."""
        if sites is not None:
            return cls(columns, sites)
        kept: dict[str, tuple[int, Ground]] = columns.kept("ground", dict)
        changes, found = kept.get("all", (-1, None))
        if found is None or changes != columns.units.changes:
            found = cls(columns)
            kept["all"] = (columns.units.changes, found)
        return found

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
            self.stops: Numbers = columns.bounds
            """Shape (sites + 1,): where each site's offers begin, and where the last one's end."""
            self.unit_rows, self.unit_offer = units.in_use()
            self.unit_left = units.left_in_use()
            """Shape (3, units in use): GPUs wholly free, CPUs and memory."""
        else:
            self.size = len(sites)
            ranges = [columns.offers_of(site) for site in sites]
            self.rows = np.concatenate([np.arange(one.start, one.stop) for one in ranges])
            self.shape, self.build = columns.shape[self.rows], columns.build[self.rows]
            self.count, self.fresh = columns.count[self.rows], units.fresh[self.rows]
            self.zone = columns.zone.codes[self.rows]
            self.stops = np.cumsum([0, *map(len, ranges)])
            self.offer_site = np.repeat(np.arange(self.size), self.many)
            pairs = [
                (row, local) for local, offer in enumerate(self.rows.tolist()) for row in units.rows_of(offer).values()
            ]
            found = np.array(pairs, dtype=np.int64).reshape(-1, 2)
            self.unit_rows, self.unit_offer = np.ascontiguousarray(found.T)
            left = [column.take(self.unit_rows) for column in (units.gpus, units.cpus, units.memory)]
            self.unit_left = np.array(left, dtype=np.int64)

    @lazily
    def many(self) -> Numbers:
        """Shape (sites,): how many offers each has."""
        return self.stops[1:] - self.stops[:-1]

    @lazily
    def unit_site(self) -> Numbers:
        """Shape (units in use,)."""
        return self.offer_site.take(self.unit_offer)

    @lazily
    def unit_shape(self) -> Numbers:
        """Shape (units in use,)."""
        return self.shape.take(self.unit_offer)

    @lazily
    def unit_place(self) -> Numbers:
        """Shape (units in use,): the place of the offer at its site."""
        return self.unit_offer - self.stops.take(self.unit_site)

    @lazily
    def scratch(self) -> tuple[Numbers, Numbers]:
        """Shapes (offers,) and (units in use,): to be written over, and done with before anything else is asked."""
        return np.empty(len(self.rows), dtype=np.int64), np.empty(len(self.unit_offer), dtype=np.int64)

    @lazily
    def none(self) -> Mask:
        """Shape (sites,): no site. Not to be written to."""
        return np.zeros(self.size, dtype=np.bool_)

    @lazily
    def nowhere(self) -> Numbers:
        """Shape (sites,): `UNKNOWN`. Not to be written to."""
        return np.full(self.size, UNKNOWN)

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
