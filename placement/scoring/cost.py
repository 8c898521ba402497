"""Money: what a candidate costs in micros per hour, by cause.

- `compute`: what is bought is paid by the whole unit, at the price in force for it (`placement.money.tariff`).
- `idle`: what is owned stands there anyway, so using it is charged `idle_owned_ppm` of its price, and only for the
  share of the unit that the copies take. Owned capacity that is not listed costs nothing.
- `egress`: the data's bytes per day, and its size once (spread over a run or a month of service, see `spread_ms`), from
  the region where its origin stands to the site's. Nothing where they are the same location or the same region.
- `uplift`: what compliance adds to compute and idle under the site's jurisdiction, for the data's classes.
- `spot_loss`: work expected to be done twice. A unit that is taken away so often an hour, and then costs so many hours
  of restart and repeated work, loses their product of what is paid for each hour. A service loses what the one unit
  costs; a gang stands still whole, so each of its units' interruptions loses what all of them cost. A job that says how
  often it saves its state repeats half of that; a service repeats nothing.
- `availability`: what is paid for while it is not there: a unit that is there for a share `a` of the time costs
  (1 - a) / a more for each useful hour.

Limits: sums stay below 2**63, which is nine million million dollars an hour; a loss is at most `MOST_LOST_PPM` of what
is paid, a hundred times over, and `placement.money.books` bounds prices. Divisions round up.
"""

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import numpy as np

from placement.fleet.columns import Columns, Described, Mask, Numbers, Words
from placement.lately import Lately
from placement.lazily import lazily
from placement.money.range import DAY_MS, spread_ms
from placement.money.tariff import UNKNOWN, Tariff, Unit
from placement.scoring.sums import MILLION, MOST_LOST_PPM, add_up
from tidegate.model.decision import Cost
from tidegate.model.workload import Workload

MS_PER_HOUR = 3_600_000
MOST_EGRESS = 10**17
"""Micros an hour, which is a hundred thousand million dollars: beyond it, more is no dearer."""
MOST_RATES = 1_000_000
"""Sites times the columns of rates kept."""

MOST_KEPT = 200_000
"""Shapes times what is kept that was made of prices: some sixty times as many bytes."""

Made = TypeVar("Made")


class Prices:
    """The price of one unit of every shape of offer, and how much it can be relied on. Shapes (shapes,).

    It follows from the offers and the tariff alone, so that it can be kept as long as both stand.
    """

    def __init__(self, columns: Described, tariff: Tariff) -> None:
        key = columns.price_key
        units = [Unit(*value) for value in key.values]
        listed = key.numbers(tariff.hourly(unit) for unit in units)
        self.idle_ppm = tariff.idle_owned_ppm
        self.known: Mask = (listed != UNKNOWN) | columns.owned
        dearest = key.numbers(tariff.dearest(unit) for unit in units)
        price = np.where(listed != UNKNOWN, listed, np.where(columns.owned, 0, dearest))
        found = [tariff.availability(unit) for unit in units]
        self.bought: Numbers = np.where(columns.owned, 0, price)
        """What a unit costs that is not owned."""
        self.standing: Numbers = np.where(columns.owned, price, 0)
        """And one that is, whether it is used or not."""
        self.nothing: Numbers = np.zeros(len(price), dtype=np.int64)
        self.interruptions: Numbers = key.numbers(one.interruptions_ppm_per_hour for one in found)
        self.restart_ms: Numbers = key.numbers(one.restart_ms for one in found)
        self.lost_work_ms: Numbers = key.numbers(one.lost_work_ms for one in found)
        absent = (min(max(one.available_ppm, 1), MILLION) for one in found)
        self.absent_ppm: Numbers = key.numbers(
            min(-(-(MILLION - there) * MILLION // there), MOST_LOST_PPM) for there in absent
        )
        self.kept: Lately[Any] = Lately(MOST_KEPT // (len(price) + 1))
        """What others made of them, which goes when they go."""
        self.any_interruptions, self.any_absent = bool(self.interruptions.any()), bool(self.absent_ppm.any())


class Charge(NamedTuple):
    """What copies cost where they would stand, before egress and uplift. Each of one shape, offers or sites."""

    compute: Numbers
    idle: Numbers
    spot_loss: Numbers
    availability: Numbers
    interruptions: Numbers
    """Expected interruptions an hour of all units together, in millionths."""
    stalls_ppm: Numbers
    """Expected hours lost in an hour, in millionths, by whatever stands still: summed over units where all do."""


PARTS = Charge._fields


class Charges:
    """What one workload is charged by, on offers of every shape."""

    @classmethod
    def of(cls, prices: Prices, workload: Workload) -> "Charges":
        """The same again for workloads that lose the same when a unit is taken away."""
        training = workload.training
        key = (training is not None, training.checkpoint_every_ms if training and prices.any_interruptions else 0)
        found: Charges | None = prices.kept.get(key)
        if found is None:
            found = cls(prices, key)
            prices.kept.put(key, found)
        return found

    def __init__(self, prices: Prices, key: tuple[bool, int]) -> None:
        """`key`: whether it is a gang, and every how many ms it saves its state, 0 where nobody knows."""
        self.prices, self.key = prices, key
        self.gang, saved = key
        lost = prices.restart_ms
        if self.gang:
            lost = lost + (-(-saved // 2) if saved else prices.lost_work_ms)
        self._loss_ppm: Numbers = prices.nothing
        if prices.any_interruptions:
            self._loss_ppm = np.minimum(-(-prices.interruptions * lost // MS_PER_HOUR), MOST_LOST_PPM)
        any_loss = prices.any_interruptions and bool(self._loss_ppm.any())
        may_be = (True, True, any_loss, prices.any_absent, prices.any_interruptions, any_loss)
        self.live: tuple[int, ...] = tuple([row for row, is_live in enumerate(may_be) if is_live])
        """Which of `PARTS` are not nothing everywhere."""

    @lazily
    def places(self) -> Numbers:
        """Shape (6,): where each of `PARTS` stands among those in `live`; -1 where it does not."""
        return np.array([self.live.index(row) if row in self.live else -1 for row in range(len(PARTS))], dtype=np.int64)

    @property
    def columns(self) -> tuple[Numbers, ...]:
        """Of every shape, what `placement.scoring.sums` asks first."""
        prices = self.prices
        return prices.bought, prices.standing, self._loss_ppm, prices.absent_ppm, prices.interruptions


class Packed(Protocol):
    """Who knows what the packing found, which need not be kept."""

    @property
    def charge(self) -> Charge:
        """What copies cost where they would stand. Shapes (sites,)."""


class Costs:
    """The cost of every candidate by cause. Shapes (sites,). What is nothing everywhere is `Columns.nothing`.

    What follows from the site is worked out when somebody asks, and not kept beyond `close`.
    """

    def __init__(self, workload: Workload, columns: Columns, tariff: Tariff, packed: Packed, source: str) -> None:
        """`packed`: what the packing found; `source`: the region where the data's origin stands."""
        self._workload, self._columns, self._tariff, self._source = workload, columns, tariff, source
        self._packed = packed

    @property
    def charge(self) -> Charge:
        """What the packing found."""
        return self._packed.charge

    @property
    def egress(self) -> Numbers:
        """What the data's way costs."""
        return self._sums[0]

    @property
    def uplift(self) -> Numbers:
        """What compliance adds."""
        return self._sums[1]

    @property
    def total(self) -> Numbers:
        """All causes."""
        return self._sums[2]

    @lazily
    def _sums(self) -> tuple[Numbers, Numbers, Numbers]:
        columns, tariff, charge, classes = self._columns, self._tariff, self.charge, self._workload.data.classes
        rate, rates = self._rates()
        raised, ppm = _kept(columns, tariff, ("uplift", classes), lambda: _uplift(columns, tariff, classes))
        egress, uplift, total = np.empty((3, len(columns)), dtype=np.int64)
        paid = (charge.compute, charge.idle, charge.spot_loss, charge.availability)
        add_up(*paid, rate, rates, raised, ppm, egress, uplift, total)
        return egress if len(rates) else columns.nothing, uplift if len(raised) else columns.nothing, total

    def _rates(self) -> tuple[Numbers, Numbers]:
        """Which rate each site has for the data's way, and the rates, micros an hour; none where nothing is moved."""
        workload, columns, tariff, data = self._workload, self._columns, self._tariff, self._workload.data
        spread = spread_ms(workload)
        moved = data.bytes_per_day * spread + data.size_bytes * DAY_MS
        if not data.origin or not moved:
            return columns.nothing, columns.nothing[:0]
        start = (self._source, self._source or data.origin, data.origin)
        rates = _kept(columns, tariff, ("egress", start), lambda: _rates(columns, tariff, *start))
        each = [-(-moved * micros * MS_PER_HOUR // (per * DAY_MS * spread)) for micros, per in rates.values]
        return rates.codes, np.array([min(one, MOST_EGRESS) for one in each], dtype=np.int64)

    @property
    def columns(self) -> tuple[Numbers, ...]:
        """In the order of `Cost`'s fields."""
        charge = self.charge
        return charge.compute, self.egress, self.uplift, charge.idle, charge.spot_loss, charge.availability

    def of(self, site: int) -> Cost:
        """One site's, as a noun."""
        return Cost(*[int(column[site]) for column in self.columns])

    def close(self) -> None:
        """Forget what was worked out: who asks for it again has it worked out again."""
        self.__dict__.pop("_sums", None)


def _kept(columns: Columns, tariff: Tariff, key: Hashable, make: Callable[[], Made]) -> Made:
    """What is made of a fleet's declarations and a tariff, made once as long as both stand."""
    kept: Lately[tuple[Tariff, object]] = columns.kept("rates", lambda: Lately(MOST_RATES // (len(columns) + 1)))
    found = kept.get((id(tariff), key))
    if found is None:
        found = (tariff, make())
        kept.put((id(tariff), key), found)
    return cast(Made, found[1])


def _uplift(columns: Columns, tariff: Tariff, classes: tuple[str, ...]) -> tuple[Numbers, Numbers]:
    """Shapes (raised,): the sites where compliance adds anything, and the millionths that it adds."""
    ppm = columns.jurisdiction.numbers(tariff.uplift_ppm(where, classes) for where in columns.jurisdiction.values)
    raised = ppm.nonzero()[0]
    return raised, ppm.take(raised)


def _rates(columns: Columns, tariff: Tariff, region: str, source: str, origin: str) -> Words[tuple[int, int]]:
    """What data that leaves an origin costs to each site: nothing where it lies already, or within its region."""
    every = [(0, 1) if region and region == there else tariff.egress(source, there) for there in columns.region.values]
    codes = zip(columns.region.codes.tolist(), columns.location.codes.tolist(), strict=True)
    at = [location == origin for location in columns.location.values]
    return Words([(0, 1) if at[location] else every[code] for code, location in codes])
