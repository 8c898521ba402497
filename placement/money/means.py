"""Means: the ways to have the capacity that a workload needs, each with what a month of it costs. For `advise`.

A means is one price of the book applied to one workload: units that are owned, reserved, rented or rented as spot, or
somebody else's API. It is found by what the book says of a unit (`Price.resources`, `Price.gpu_model`), not by what
any site offers, so that one can be told to buy what one does not have.

How a month is priced:
- what is owned or reserved is paid for all 730 hours, used or not; a service that is rented runs all of them too; a
  job that is rented pays for the hours of its runs, or for all where it does not say how long it runs;
- spot pays for the work that is expected to be done twice, and everything for the time in which it is not there, as
  `placement.scoring.cost` defines both;
- data that moves from its origin to a region is priced where the book lists the pair; what is owned stands at the data;
- an API is paid by the prediction, 365 days a year.

How much one copy carries: one prediction at a time, each for the service time of its device, with the average of a day
times `peak` as the busiest moment. Where no service time is known the least replicas are taken to carry it all.

Exact fractions inside; `Choice` has whole micros, rounded up.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import ceil

from placement.money.range import MONTH_MS, MS_PER_HOUR, hours
from placement.money.tariff import Tariff, Unit
from tidegate.model.money import ApiPrice, Price, PriceBook, Rate
from tidegate.model.quantity import HOURS_PER_MONTH
from tidegate.model.site import Pricing
from tidegate.model.workload import Workload

DAYS_PER_MONTH = Fraction(365, 12)
US_PER_DAY = 86_400_000_000
MILLION = 1_000_000


NOTHING = Rate(0)


class Way(StrEnum):
    """How it is paid for."""

    OWN = "own"
    RESERVE = "reserve"
    RENT = "rent"
    SPOT = "spot"
    API = "api"


WAYS = {Pricing.OWNED: Way.OWN, Pricing.RESERVED: Way.RESERVE, Pricing.ON_DEMAND: Way.RENT, Pricing.SPOT: Way.SPOT}


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to have what a workload needs, and what it costs. Money in micros."""

    way: Way
    name: str
    """Instance type, `GPU MODEL by the GPU`, or the API's name."""
    region: str
    device: str
    """GPU model, `cpu`, or what the API says of itself."""
    units: int
    per_month: int
    per_year: int
    per_run: int
    """0 for a service."""
    per_thousand: int
    """What a thousand predictions come to; 0 where no volume is said."""
    upfront: int
    """What is paid at once, where it is bought."""
    running: int
    """What goes on being paid each month once it is bought."""
    carries_per_day: int
    """Predictions a day that so many units carry; 0 where no service time is known."""


@dataclass(frozen=True, slots=True)
class Use:
    """What a workload is used for in a month."""

    copies: int
    runs: Fraction
    run_hours: Fraction
    service: bool
    per_day: int = 0
    """Predictions."""
    peak: Fraction = Fraction(1)

    @property
    def rented_hours(self) -> Fraction:
        """Hours a month that rented units are paid for."""
        return Fraction(HOURS_PER_MONTH) if self.service else self.runs * self.run_hours


def use_of(workload: Workload, peak: Fraction = Fraction(1)) -> Use:
    """What the workload says of itself; a job without duration and timeout is taken to run all the month."""
    when = hours(workload)
    each = Fraction(when.point_ms or MONTH_MS, MS_PER_HOUR)
    predictions = workload.inference.requests_per_day if workload.inference else 0
    return Use(workload.copies, Fraction(when.runs, when.per), each, workload.training is None, predictions, peak)


@dataclass(frozen=True, slots=True)
class Means:
    """One price, ready to be asked what any use of it costs."""

    way: Way
    name: str
    region: str
    device: str
    each: int
    """Copies on one unit."""
    copy_per_day: Fraction
    """Predictions a day of one copy; 0 where it is not known."""
    rate: Rate
    upfront: int = 0
    running: Rate = NOTHING
    lifetime_hours: int = 0
    """Over which what is bought is written off."""
    lost: Fraction = Fraction(0)
    """The share of an hour of work that one unit's interruptions are expected to lose."""
    absent: Fraction = Fraction(0)
    """What is paid more because it is not always there, as a share."""
    egress_per_run: Fraction = Fraction(0)
    egress_per_day: Fraction = Fraction(0)
    per_prediction: Fraction = Fraction(0)
    """An API's price."""
    gpus: int = 0
    """Of one unit."""

    def units(self, use: Use) -> int:
        """How many units carry the use."""
        if self.way is Way.API:
            return 0
        copies = use.copies
        if self.copy_per_day and use.per_day:
            copies = max(copies, ceil(use.per_day * use.peak / self.copy_per_day))
        return -(-copies // self.each)

    def unit_per_day(self, use: Use) -> Fraction:
        """Predictions a day that one unit carries; 0 where it is not known."""
        return self.copy_per_day * self.each / use.peak

    def hourly(self, use: Use) -> Fraction:
        """Micros for one hour of all units, with what is lost and absent."""
        units = self.units(use)
        lost = self.lost if use.service else self.lost * units
        return Fraction(self.rate.micros, self.rate.hours) * units * (1 + lost + self.absent)

    def run(self, use: Use) -> Fraction:
        """Micros for one run of a job, where it is paid by the hour."""
        return self.hourly(use) * use.run_hours + self.egress_per_run + self.egress_per_day * use.run_hours / 24

    def month(self, use: Use) -> Fraction:
        """Micros for a month, exactly."""
        if self.way is Way.API:
            return use.per_day * self.per_prediction * DAYS_PER_MONTH
        if self.way in (Way.OWN, Way.RESERVE) or use.service:
            moved = self.egress_per_day * use.rented_hours / 24 + (0 if use.service else self.egress_per_run * use.runs)
            return self.hourly(use) * HOURS_PER_MONTH + moved
        return self.run(use) * use.runs

    def choice(self, use: Use) -> Choice:
        """The month in whole micros, with what it comes to in other terms."""
        month, units = self.month(use), self.units(use)
        predictions = use.per_day * DAYS_PER_MONTH
        by_run = not use.service and use.runs > 0
        return Choice(
            way=self.way,
            name=self.name,
            region=self.region,
            device=self.device,
            units=units,
            per_month=ceil(month),
            per_year=ceil(month * 12),
            per_run=ceil(month / use.runs) if by_run else 0,
            per_thousand=ceil(month * 1_000 / predictions) if predictions else 0,
            upfront=self.upfront * units,
            running=(self.running * units).over(HOURS_PER_MONTH) if self.upfront else 0,
            carries_per_day=int(self.unit_per_day(use) * units),
        )


def means_for(workload: Workload, book: PriceBook, times: Mapping[str, int]) -> Iterator[Means]:
    """Every means in the book that one copy fits, in the book's order; APIs for services that say their volume.

    `times` has service times in microseconds by device: a GPU model, `cpu`, or `gpu` for every model.
    """
    tariff = Tariff(book)
    for price in book.prices:
        for gpus in _variants(workload, times):
            each = _copies_on(price, workload, gpus)
            if each:
                yield _of(price, workload, tariff, each, times)
                break
    if workload.inference and workload.inference.requests_per_day:
        yield from (_api(api) for api in book.apis)


def service_time(times: Mapping[str, int], gpu_model: str, workload: Workload) -> int:
    """Microseconds on a device: the model's own, that of any GPU, then what the workload declares; 0 if not known."""
    folded = {name.lower(): us for name, us in times.items()}
    names = (gpu_model.lower(), f"gpu-{gpu_model.lower()}", "gpu") if gpu_model else ("cpu",)
    found = next((folded[name] for name in names if name in folded), 0)
    return found or (workload.latency.service_time_us if workload.latency else 0)


def _variants(workload: Workload, times: Mapping[str, int]) -> list[int]:
    """How many GPUs a copy may have: as it asks, none where that will do, one where a GPU's service time is known."""
    demand = workload.demand
    asked = demand.resources.gpus or (1 if demand.on_gpu else 0)
    variants = [asked]
    if asked and (demand.cpu_fallback or (workload.inference and "cpu" in times)):
        variants.append(0)
    if not asked and workload.inference and any(name != "cpu" for name in times):
        variants.append(1)
    return variants


def _copies_on(price: Price, workload: Workload, gpus: int) -> int:
    """Copies on one unit; 0 where it is not known to hold one."""
    demand, has = workload.demand, price.resources
    if (gpus > 0) != bool(price.gpu_model) or (gpus and demand.gpu_models and price.gpu_model not in demand.gpu_models):
        return 0
    part = gpus and demand.on_gpu and not demand.resources.gpus
    to_a_gpu = 1_000 // demand.gpu_milli if part else 1
    if not price.instance_type:
        return to_a_gpu if gpus == 1 else -gpus  # below 0: units to a copy
    wanted = demand.resources
    if has.gpu_memory_bytes and has.gpu_memory_bytes < wanted.gpu_memory_bytes and gpus:
        return 0
    if not has.cpus_milli and not has.gpus:
        return 0
    fits = [has.gpus * to_a_gpu // gpus] if gpus else []
    for need, have in ((wanted.cpus_milli, has.cpus_milli), (wanted.memory_bytes, has.memory_bytes)):
        if need and have:
            fits.append(have // need)
    return min(fits, default=1)


def _of(price: Price, workload: Workload, tariff: Tariff, each: int, times: Mapping[str, int]) -> Means:
    way = WAYS[price.pricing]
    us = service_time(times, price.gpu_model, workload) if workload.inference else 0
    unit = Unit(price.instance_type, price.region, price.pricing)
    said = tariff.availability(unit)
    training = workload.training
    lost_ms = said.restart_ms
    if training is not None:
        every = training.checkpoint_every_ms
        lost_ms += -(-every // 2) if every else said.lost_work_ms
    several = max(-each, 1)  # a copy of several GPUs that are priced one by one
    rate = price.rate * several
    data = workload.data
    micros, per_bytes = (0, 1) if way is Way.OWN or not data.origin else tariff.egress(data.origin, price.region)
    owned = price.owned
    return Means(
        way=way,
        name=price.instance_type or f"{price.gpu_model} by the GPU",
        region=price.region,
        device=price.gpu_model or "cpu",
        each=max(each, 1),
        copy_per_day=Fraction(US_PER_DAY, us) if us else Fraction(0),
        rate=rate,
        upfront=owned.purchase_micros * several if owned else 0,
        running=owned.running * several if owned else NOTHING,
        lifetime_hours=owned.lifetime_hours if owned else 0,
        lost=Fraction(said.interruptions_ppm_per_hour * lost_ms, MILLION * MS_PER_HOUR),
        absent=Fraction(MILLION - said.available_ppm, said.available_ppm),
        egress_per_run=Fraction(micros * data.size_bytes, per_bytes),
        egress_per_day=Fraction(micros * data.bytes_per_day, per_bytes),
        gpus=(price.resources.gpus or 1) * several if price.gpu_model else 0,
    )


def _api(api: ApiPrice) -> Means:
    per_prediction = Fraction(api.micros_per_thousand, 1_000)
    return Means(Way.API, api.name, "", api.device, 1, Fraction(0), NOTHING, per_prediction=per_prediction)
