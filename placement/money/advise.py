"""Advise: own or rent, GPU or CPU, which GPU, cloud API or own; with the break-evens and what would change the answer.

It compares prices for one workload, all ways that the book knows (`means`), by the month. It asks no law, measures no
latency and looks at no fleet: `tidegate plan` does, and what is cheapest here may be forbidden there. What it had to
take for granted is listed in `assumptions`, what it could not find in `lacks`.

Break-evens, each between the cheapest means of its two sides:
- `hours`: the hours a month from which owning (or reserving) costs no more than renting by the hour; with the
  utilisation and the hours a week that this is. Over 730 it never does.
- `months`: the month by whose end what was bought has cost no more than paying the other way would have; beyond its
  life, it never does in fact.
- `predictions`: the predictions a day from which the one costs no more than the other (own or rent against an API, a
  GPU against CPUs). Both sides buy whole units as they are needed, so the answer is the first day's volume at which it
  holds; no more than `MOST_STEPS` units are tried.

Sensitivity: the cheapest means at a quarter, half, twice and four times the use.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from placement.money.means import Choice, Means, Use, Way, means_for, service_time, use_of
from tidegate.model.money import PriceBook
from tidegate.model.quantity import HOURS_PER_MONTH
from tidegate.model.workload import Workload

MOST_STEPS = 2_000
FACTORS = (25, 50, 100, 200, 400)
"""Percent of the use that the sensitivity is asked at."""
NEVER = -1


@dataclass(frozen=True, slots=True)
class BreakEven:
    """From where the first is no dearer than the second. -1 where it never is."""

    kind: str
    """`hours`, `months` or `predictions`."""
    first: str
    second: str
    value: int
    """Thousandths of hours a month; months; predictions a day."""
    now: int
    """The same number as it is used now; 0 where that is not said. For months: how long what is bought lasts."""
    utilisation_ppm: int = 0
    """For hours: the share of the month that this is."""
    weekly_hours_milli: int = 0
    """For hours: in a week of 168 hours."""


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What would be cheapest if the workload were used so much."""

    percent: int
    best: Choice
    dearer_ways: tuple[Choice, ...]
    """The cheapest of every other way, cheapest first."""


@dataclass(frozen=True, slots=True)
class Model:
    """One GPU model, or CPUs: the lowest price for an hour of one, and a thousand predictions when it never rests."""

    device: str
    way: Way
    name: str
    region: str
    per_gpu_hour: int
    """Micros; for CPUs, of one unit."""
    service_time_us: int
    per_thousand: int
    """Micros, when it never rests; 0 where no service time is known."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What the prices say of one workload."""

    workload: str
    kind: str
    choices: tuple[Choice, ...]
    """The cheapest of every way and device, cheapest first."""
    break_evens: tuple[BreakEven, ...]
    sensitivity: tuple[Sensitivity, ...]
    models: tuple[Model, ...]
    lacks: tuple[str, ...]
    assumptions: tuple[str, ...]

    def cheapest(self, way: Way) -> Choice | None:
        """The cheapest of one way."""
        return next((choice for choice in self.choices if choice.way is way), None)


def advise(
    workload: Workload, book: PriceBook, times: Mapping[str, int] | None = None, peak: Fraction = Fraction(1)
) -> Advice:
    """Compare what the book knows for this workload. `times`: service times in microseconds by device."""
    times = times or {}
    use = use_of(workload, peak)
    means = _cheapest(means_for(workload, book, times), use, lambda one: (one.way, one.device))
    return Advice(
        workload=workload.name,
        kind=workload.kind.value,
        choices=tuple(one.choice(use) for one in means),
        break_evens=tuple(_break_evens(means, use)),
        sensitivity=tuple(_sensitivity(means, use)),
        models=tuple(_models(workload, book, times, use)),
        lacks=tuple(_lacks(workload, book, means, times)),
        assumptions=tuple(_assumptions(workload, means, use)),
    )


def _cheapest(means: Iterable[Means], use: Use, key: Callable[[Means], Hashable]) -> list[Means]:
    """The cheapest of each kind, cheapest first; of equals the first by name and region."""
    order = sorted(means, key=lambda one: (one.month(use), one.way, one.name, one.region))
    found: dict[Hashable, Means] = {}
    for one in order:
        found.setdefault(key(one), one)
    return list(found.values())


# Break-evens.


def _break_evens(means: list[Means], use: Use) -> Iterable[BreakEven]:
    def first(*ways: Way) -> Means | None:
        return next((one for one in means if one.way in ways), None)

    own, rent, spot, reserve = first(Way.OWN), first(Way.RENT), first(Way.SPOT), first(Way.RESERVE)
    for standing in (own, reserve):
        for hourly in (rent, spot):
            if standing and hourly:
                yield _hours(standing, hourly, use)
    api = first(Way.API)
    if own and own.upfront:
        for other in (rent, api):
            if other:
                yield _months(own, other, use)
    if use.per_day:
        for mine in (own, rent):
            if mine and api:
                yield _predictions(mine, api, use)
        gpu = next((one for one in means if one.device != "cpu" and one.way is not Way.API), None)
        cpu = next((one for one in means if one.device == "cpu" and one.way is not Way.API), None)
        if gpu and cpu:
            yield _predictions(gpu, cpu, use)


def _hours(standing: Means, hourly: Means, use: Use) -> BreakEven:
    """What stands all month against what is paid by the hour, for so many copies."""
    an_hour = hourly.run(use) / use.run_hours if not use.service else hourly.hourly(use)
    a_month = standing.month(use)
    value = ceil(a_month * 1_000 / an_hour) if an_hour else NEVER
    never = value < 0 or value > HOURS_PER_MONTH * 1_000
    return BreakEven(
        "hours",
        _called(standing),
        _called(hourly),
        NEVER if never else value,
        ceil(use.rented_hours * 1_000),
        0 if never else ceil(a_month * 1_000_000 / an_hour / HOURS_PER_MONTH),
        0 if never else ceil(a_month * 168_000 / an_hour / HOURS_PER_MONTH),
    )


def _months(own: Means, other: Means, use: Use) -> BreakEven:
    """When what was paid at once is made good by what is saved each month."""
    bought = own.choice(use)
    saved = other.month(use) - bought.running
    value = ceil(bought.upfront / saved) if saved > 0 else NEVER
    return BreakEven("months", _called(own), _called(other), value, own.lifetime_hours // HOURS_PER_MONTH)


def _predictions(first: Means, second: Means, use: Use) -> BreakEven:
    """The least predictions a day at which `first` costs no more than `second`."""
    value = _crossing(first, second, use)
    return BreakEven("predictions", _called(first), _called(second), value, use.per_day)


def _crossing(first: Means, second: Means, use: Use) -> int:
    """A step function against a line, or against another step function.

    The first's cost rises only where it needs one more unit, so within each of its steps the least volume at which the
    second has caught up is the answer, if the step reaches so far.
    """
    low = 1
    for _ in range(MOST_STEPS):
        here = replace(use, per_day=low)
        units = first.units(here)
        carried = first.unit_per_day(use) * units
        high = int(carried) if carried else 2**62
        high = max(high, low)
        target = first.month(here)
        at = _least(second, target, low, high, use)
        if at is not None:
            return at
        if not carried or high >= 2**62:
            return NEVER
        low = high + 1
    return NEVER


def _least(means: Means, target: Fraction, low: int, high: int, use: Use) -> int | None:
    """The least volume from low to high at which the means costs at least `target`; its cost never falls."""
    if means.month(replace(use, per_day=high)) < target:
        return None
    while low < high:
        middle = (low + high) // 2
        if means.month(replace(use, per_day=middle)) >= target:
            high = middle
        else:
            low = middle + 1
    return low


# What would change the answer.


def _sensitivity(means: list[Means], use: Use) -> Iterable[Sensitivity]:
    for percent in FACTORS:
        share = Fraction(percent, 100)
        used = replace(use, per_day=ceil(use.per_day * share)) if use.service else replace(use, runs=use.runs * share)
        if not use.service and used.rented_hours > HOURS_PER_MONTH:
            continue
        ranked = [one.choice(used) for one in _cheapest(means, used, lambda one: one.way)]
        if ranked:
            yield Sensitivity(percent, ranked[0], tuple(ranked[1:]))


def _models(workload: Workload, book: PriceBook, times: Mapping[str, int], use: Use) -> Iterable[Model]:
    """Every device, by its lowest price for an hour of one GPU in each way; whatever model the workload wishes for."""
    anything = replace(workload, demand=replace(workload.demand, gpu_models=()))
    found: dict[tuple[str, Way], tuple[Fraction, Means]] = {}
    for one in means_for(anything, book, times):
        if one.way is Way.API:
            continue
        an_hour = Fraction(one.rate.micros, one.rate.hours) / (one.gpus or 1)
        standing = found.get((one.device, one.way))
        if standing is None or (an_hour, one.name, one.region) < (standing[0], standing[1].name, standing[1].region):
            found[one.device, one.way] = (an_hour, one)
    for (device, way), (an_hour, one) in sorted(found.items(), key=lambda item: (item[1][0], item[0])):
        us = service_time(times, "" if device == "cpu" else device, workload) if workload.inference else 0
        a_day = Fraction(one.rate.micros, one.rate.hours) * 24
        full = one.unit_per_day(use)
        yield Model(
            device=device,
            way=way,
            name=one.name,
            region=one.region,
            per_gpu_hour=ceil(an_hour),
            service_time_us=us,
            per_thousand=ceil(a_day * 1_000 / full) if us and full else 0,
        )


# What was taken for granted, and what was not there.


def _lacks(workload: Workload, book: PriceBook, means: list[Means], times: Mapping[str, int]) -> Iterable[str]:
    ways = {one.way for one in means}
    if not book.prices:
        yield "prices: no price book says what anything costs"
    if Way.OWN not in ways:
        yield "owning: no price with `pricing: owned` for what the workload needs"
    if Way.RENT not in ways:
        yield "renting: no price with `pricing: on_demand` for what the workload needs"
    silent = sorted(
        {
            p.instance_type
            for p in book.prices
            if p.instance_type and not p.resources.cpus_milli and not p.resources.gpus
        }
    )
    if silent:
        shown = ", ".join(silent[:5]) + (f" and {len(silent) - 5} more" if len(silent) > 5 else "")
        yield f"prices that say nothing of what a unit has (gpus, cpus, memory) are left out: {shown}"
    if workload.training is not None and not workload.training.schedule.run_ms:
        yield "schedule: without `schedule.duration` it is taken to run as long as it may"
    if workload.inference is not None:
        if not workload.inference.requests_per_day:
            yield "volume: without `volume.requestsPerDay` nothing can be said by the prediction"
        elif not any(one.copy_per_day for one in means):
            yield "service time: without one the least replicas are taken to carry the volume"
        if not book.apis:
            yield "APIs: no `apis` in the price book to compare with"


def _assumptions(workload: Workload, means: list[Means], use: Use) -> Iterable[str]:
    yield "a month has 730 hours, a year 365 days; prices are those of the books in force, before tax"
    yield "prices alone are compared: law, latency and room are not asked (`tidegate plan` does)"
    yield "what is owned or reserved is paid for every hour, used or not"
    if use.service:
        yield "a rented service runs every hour; nothing is turned off at night"
    if any(one.copy_per_day for one in means):
        peak = f"{float(use.peak):g} times the average" if use.peak != 1 else "the average, all day long"
        yield f"a copy answers one prediction at a time; its busiest moment is {peak}"
    if any(one.way is Way.SPOT for one in means):
        yield "spot is priced with the work it is expected to lose, where the book says how often it is taken away"
    if workload.data.origin:
        yield "what is owned stands where the data is; moving data to a region costs what the book lists"
    if workload.demand.resources.gpu_memory_bytes:
        yield "GPU memory is compared only where the book says it"


def _called(means: Means) -> str:
    return f"{means.way} {means.name}" + (f" in {means.region}" if means.region else "")


@dataclass(frozen=True, slots=True)
class Together:
    """Several workloads, all had in the same way: micros a month, and which of them cannot be."""

    way: Way
    per_month: int
    without: tuple[str, ...] = ()


def together(advices: Iterable[Advice]) -> tuple[Together, ...]:
    """The sum over workloads for every way that any of them can be had in, and for the cheapest of each."""
    advices = tuple(advices)
    found: list[Together] = []
    for way in Way:
        choices = {advice.workload: advice.cheapest(way) for advice in advices}
        had = [choice.per_month for choice in choices.values() if choice]
        if had:
            found.append(Together(way, sum(had), tuple(name for name, choice in choices.items() if choice is None)))
    return tuple(found)
