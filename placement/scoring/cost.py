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
from tidegate.model.decision import Cost
from tidegate.model.workload import Workload

MILLION = 1_000_000
MS_PER_HOUR = 3_600_000
MOST_EGRESS = 10**17
"""Micros an hour, which is a hundred thousand million dollars: beyond it, more is no dearer."""
MOST_LOST_PPM = 100 * MILLION
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
        self.known_or_unpriced: Mask = np.append(self.known, True)
        """The same, and True behind the last, of what is not priced at all."""
        dearest = key.numbers(tariff.dearest(unit) for unit in units)
        price = np.where(listed != UNKNOWN, listed, np.where(columns.owned, 0, dearest))
        found = [tariff.availability(unit) for unit in units]
        self.bought: Numbers = np.where(columns.owned, 0, price)
        """What a unit costs that is not owned."""
        self.standing: Numbers = np.where(columns.owned, price, 0)
        """And one that is, whether it is used or not."""
        self.owned_rows: Numbers = self.standing.nonzero()[0]
        """Shapes that are owned and have a price."""
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

    @property
    def total(self) -> Numbers:
        """What copies are ranked by within a site."""
        return self.compute + self.idle + self.spot_loss + self.availability


PARTS = Charge._fields


class Charges:
    """What one workload is charged on offers of every shape; `offers` are rows of these."""

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
        self._gang, saved = key
        lost = prices.restart_ms
        if self._gang:
            lost = lost + (-(-saved // 2) if saved else prices.lost_work_ms)
        self._loss_ppm: Numbers = prices.nothing
        if prices.any_interruptions:
            self._loss_ppm = np.minimum(-(-prices.interruptions * lost // MS_PER_HOUR), MOST_LOST_PPM)
        any_loss = prices.any_interruptions and bool(self._loss_ppm.any())
        may_be = (True, True, any_loss, prices.any_absent, prices.any_interruptions, any_loss)
        self.live: tuple[int, ...] = tuple([row for row, is_live in enumerate(may_be) if is_live])
        """Which of `PARTS` are not nothing everywhere."""

    def known(self, offers: Numbers) -> Mask:
        """Whether each offer has a price."""
        known: Mask = self.prices.known[offers]
        return known

    @property
    def known_or_unpriced(self) -> Mask:
        """Whether each shape has a price, and True behind the last."""
        return self.prices.known_or_unpriced

    def parts(self, copies: int, units: Numbers, each: Numbers) -> Numbers:
        """As `charge`, for so many copies on one offer of every shape, and a column of zeros behind the last.

        Shape (live, shapes + 1), in the order of `live`: what is nothing anywhere is not worked out.
        """
        prices, live = self.prices, self.live
        found = np.zeros((len(live), len(prices.bought) + 1), dtype=np.int64)
        every = found[:, :-1]
        compute, idle = every[0], every[1]
        np.multiply(prices.bought, units, out=compute)
        rows = prices.owned_rows
        if prices.idle_ppm and len(rows):
            per = each.take(rows) * MILLION
            paid = prices.standing.take(rows) * copies
            whole = paid // per
            idle[rows] = whole * prices.idle_ppm - (-(paid - whole * per) * prices.idle_ppm // per)
        if len(live) > 2:
            more = {
                "spot_loss": share(compute + idle, self._lost(units)),
                "availability": share(compute + idle, prices.absent_ppm),
                "interruptions": prices.interruptions * units,
                "stalls_ppm": np.minimum(self._lost(units), MOST_LOST_PPM),
            }
            for place, row in enumerate(live[2:], 2):
                every[place] = more[PARTS[row]]
        return found

    def _lost(self, units: Numbers) -> Numbers:
        return self._loss_ppm * units if self._gang else self._loss_ppm

    def charge(self, offers: Numbers, copies: Numbers | int, units: Numbers, each: Numbers) -> Charge:
        """For so many copies on so many units of each offer, `each` of which go on an empty one."""
        prices, per = self.prices, each * MILLION
        compute = prices.bought.take(offers) * units
        owned: Numbers = prices.standing.take(offers) * copies
        whole: Numbers = owned // per
        rest: Numbers = (whole * per - owned) * prices.idle_ppm
        idle = whole * prices.idle_ppm - rest // per
        if len(self.live) == 2:
            return Charge(compute, idle, *np.zeros((4, len(offers)), dtype=np.int64))
        stalls, paid = self._loss_ppm.take(offers) * (units if self._gang else 1), compute + idle
        return Charge(
            compute,
            idle,
            share(paid, stalls),
            share(paid, prices.absent_ppm.take(offers)),
            prices.interruptions.take(offers) * units,
            np.minimum(stalls, MOST_LOST_PPM),
        )

    def together(self, parts: Charge, starts: Numbers) -> Charge:
        """One row for the parts on several offers of each site, whose parts begin at `starts`.

        A gang stands still whole, whichever part is taken away.
        """
        compute, idle, spot_loss, availability, interruptions, stalls = (
            np.add.reduceat(getattr(parts, name), starts) for name in PARTS
        )
        if self._gang:
            spot_loss = share(compute + idle, stalls)
        return Charge(compute, idle, spot_loss, availability, interruptions, stalls)

    def per_copy(self, each: Numbers) -> Numbers:
        """Shape (shapes,): what one copy costs on a unit that is full of copies. `each`: how many that is."""
        key = ("per copy", self.key, each.tobytes())
        found: Numbers | None = self.prices.kept.get(key)
        if found is None:
            one, full = np.ones(len(each), dtype=np.int64), np.maximum(each, 1)
            found = -(-self.charge(np.arange(len(each)), full, one, full).total // full)
            self.prices.kept.put(key, found)
        return found


def share(amount: Numbers, ppm: Numbers) -> Numbers:
    """So many millionths of each amount, rounded up; never more than `MOST_LOST_PPM` of it."""
    ppm = np.minimum(ppm, MOST_LOST_PPM)
    if int(np.maximum.reduce(amount, initial=0)) < 2**63 // MOST_LOST_PPM:
        return -(-amount * ppm // MILLION)
    whole = amount // MILLION
    rest = amount - whole * MILLION
    return whole * ppm - (-rest * ppm // MILLION)


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

    @lazily
    def egress(self) -> Numbers:
        """What the data's way costs."""
        workload, columns, tariff, data = self._workload, self._columns, self._tariff, self._workload.data
        spread = spread_ms(workload)
        moved = data.bytes_per_day * spread + data.size_bytes * DAY_MS
        if not data.origin or not moved:
            return columns.nothing
        start = (self._source, self._source or data.origin, data.origin)
        rates = _kept(columns, tariff, ("egress", start), lambda: _rates(columns, tariff, *start))
        each = [-(-moved * micros * MS_PER_HOUR // (per * DAY_MS * spread)) for micros, per in rates.values]
        return rates.numbers([min(one, MOST_EGRESS) for one in each])

    @lazily
    def uplift(self) -> Numbers:
        """What compliance adds."""
        columns, tariff, classes, charge = self._columns, self._tariff, self._workload.data.classes, self.charge
        raised, ppm = _kept(columns, tariff, ("uplift", classes), lambda: _uplift(columns, tariff, classes))
        if len(raised) == 0:
            return columns.nothing
        uplift = np.zeros(len(columns), dtype=np.int64)
        uplift[raised] = share(charge.compute.take(raised) + charge.idle.take(raised), ppm)
        return uplift

    @lazily
    def total(self) -> Numbers:
        """All causes."""
        total, nothing = self.charge.compute + self.charge.idle, self._columns.nothing
        for cause in (self.egress, self.uplift, self.charge.spot_loss, self.charge.availability):
            if cause is not nothing:
                total += cause
        return total

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
        for name in ("egress", "uplift", "total"):
            self.__dict__.pop(name, None)


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
