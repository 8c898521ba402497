"""Money: what a candidate costs in micros per hour, by cause.

- `compute`: what is bought is paid by the whole unit, at the price book's price for instance type, region and pricing.
- `idle`: what is owned stands there anyway, so using it is charged `idle_owned_ppm` of its listed price, and only for
  the share of the unit that the copies take. An owned type is listed as owned or, failing that, on demand; one that is
  not listed costs nothing.
- `egress`: the data's bytes per day, and its size once (spread over a day), from the region where its origin stands to
  the site's. Nothing where they are the same location or the same region.
- `uplift`: what compliance adds to compute and idle under the site's jurisdiction.

A bought unit without a price is taken at the dearest price in the book, since what is unknown is treated at its worst;
the rule `max-cost` does not accept such a guess. Without a price book everything costs nothing.

Limits: sums stay below 2**63, which is nine million million dollars an hour. Divisions round up.
"""

from dataclasses import dataclass

import numpy as np

from placement.columns import UNKNOWN, Columns, Numbers
from placement.jurisdictions import GROUPS
from tidegate.model.decision import Cost
from tidegate.model.money import PriceBook
from tidegate.model.site import Pricing
from tidegate.model.workload import Workload

MILLION = 1_000_000
GIB = 2**30
HOURS_PER_DAY = 24

PriceTable = dict[tuple[str, str, Pricing], int]


class Prices:
    """The price of one unit of every offer. Shapes (offers,)."""

    def __init__(self, columns: Columns, table: PriceTable, book: PriceBook | None) -> None:
        listed = columns.price_key.numbers(_listed(table, *key) for key in columns.price_key.values)
        dearest = max(table.values(), default=0)
        self._owned = columns.owned
        self._idle_ppm = book.idle_owned_ppm if book else 0
        self.known = (listed != UNKNOWN) | columns.owned
        self._unit = np.where(listed != UNKNOWN, listed, np.where(columns.owned, 0, dearest))

    def charge(self, offers: Numbers, copies: Numbers | int, units: Numbers, each: Numbers) -> tuple[Numbers, Numbers]:
        """Compute and idle for so many copies on so many units of each offer, `each` of which go on an empty one."""
        owned, price = self._owned[offers], self._unit[offers]
        compute = np.where(owned, 0, price * units)
        idle = np.where(owned, -(-(price * copies * self._idle_ppm) // (each * MILLION)), 0)
        return compute, idle

    def per_copy(self, offers: Numbers, each: Numbers) -> Numbers:
        """What one copy costs on a unit that is full of copies."""
        owned, price = self._owned[offers], self._unit[offers]
        return np.where(owned, -(-(price * self._idle_ppm) // (each * MILLION)), -(-price // each))


def _listed(table: PriceTable, instance_type: str, region: str, pricing: Pricing) -> int:
    """The most particular price: the region's before everybody's; owned before on demand."""
    for kind in (pricing, Pricing.ON_DEMAND) if pricing is Pricing.OWNED else (pricing,):
        for where in (region, ""):
            if (instance_type, where, kind) in table:
                return table[instance_type, where, kind]
    return UNKNOWN


@dataclass(frozen=True, slots=True)
class Costs:
    """The cost of every candidate by cause. Shapes (sites,)."""

    compute: Numbers
    egress: Numbers
    uplift: Numbers
    idle: Numbers

    @property
    def total(self) -> Numbers:
        """All causes."""
        return self.compute + self.egress + self.uplift + self.idle

    def of(self, site: int) -> Cost:
        """One site's, as a noun."""
        return Cost(int(self.compute[site]), int(self.egress[site]), int(self.uplift[site]), int(self.idle[site]))


def costs(
    workload: Workload, columns: Columns, book: PriceBook | None, compute: Numbers, idle: Numbers, source: str
) -> Costs:
    """Add egress and uplift to what the packing found. `source` is the region where the data's origin stands."""
    ppm = columns.jurisdiction.numbers(_uplift_ppm(book, where) for where in columns.jurisdiction.values)
    uplift = -(-((compute + idle) * ppm) // MILLION)
    egress = columns.region.numbers(_egress(workload, book, source, region) for region in columns.region.values)
    there = columns.location.where(where == workload.data.origin for where in columns.location.values)
    return Costs(compute, np.where(there, 0, egress), uplift, idle)


def _egress(workload: Workload, book: PriceBook | None, source: str, destination: str) -> int:
    data = workload.data
    moved = data.bytes_per_day + data.size_bytes
    if book is None or not data.origin or not moved or (source and source == destination):
        return 0
    listed = {(price.source, price.destination): price.micros_per_gib for price in book.egress}
    start = source or data.origin
    for pair in ((start, destination), (start, ""), ("", destination), ("", "")):
        if pair in listed:
            return -(-moved * listed[pair] // (GIB * HOURS_PER_DAY))
    return 0


def _uplift_ppm(book: PriceBook | None, jurisdiction: str) -> int:
    if book is None:
        return 0
    return sum(
        uplift.ppm
        for uplift in book.uplifts
        if uplift.jurisdiction == jurisdiction or jurisdiction in GROUPS.get(uplift.jurisdiction, ())
    )
