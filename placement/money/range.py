"""Range: what a month of a placed workload costs, from low to high, by cause. This text is the definition.

A month has 730 hours. `point` is what is expected, `low` what it costs if all goes well, `high` if it does not; it is
a bound by what the workload says of itself, not by chance alone: prices are those in force when it was decided.

**Time.** A service runs all the month. A job runs as its schedule says: so many runs, each of the declared duration
at low and point, and at high of its timeout, and as often as it may be retried. Without a schedule a job with a
timeout is one run of that length, of which it may need none (low 0). A job that says neither may run the whole
month, or end at once.

**Replicas.** Low and point are the least number, at which it was placed; high is the most. All that is paid by the
replica (compute, idle, uplift, spot loss, availability) grows in proportion, which is never too little, since
replicas that share a unit cost less.

**Egress.** Bytes per day move while it runs. The data's size moves once for a service: high is the month in which
it does, low and point the months after. For a job it moves with every run; low takes it as moved once and kept.

**Spot loss.** Low is a month in which nothing is taken away. Point is the expected loss. High is the loss at two
standard deviations above the expected number of interruptions, taken as a Poisson count: with `n` expected, their
loss times (1 + 2 / sqrt(n)).

**Availability, idle, uplift** are as decided, over the same hours.

Every number is whole micros, rounded up where it is made from the price of an hour; that price was itself rounded up
by at most a micro a unit and cause, so that a month is at most 730 micros a unit over the exact amount.
"""

from dataclasses import dataclass
from math import isqrt

from tidegate.model.decision import Cost, Estimate, MonthlyRange
from tidegate.model.quantity import HOURS_PER_MONTH
from tidegate.model.workload import Workload

MS_PER_HOUR = 3_600_000
MONTH_MS = HOURS_PER_MONTH * MS_PER_HOUR
DAY_MS = 24 * MS_PER_HOUR
SHORTEST_MS = 60_000
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Hours:
    """How long it runs in a month: `runs` times, over `per`, so many ms each."""

    low_ms: int
    point_ms: int
    high_ms: int
    runs: int = 1
    per: int = 1

    @property
    def is_runs(self) -> bool:
        """Whether it comes in runs at all."""
        return self.point_ms != MONTH_MS or self.runs != self.per


ALL_MONTH = Hours(MONTH_MS, MONTH_MS, MONTH_MS)


def hours(workload: Workload) -> Hours:
    """How long a workload runs in a month, as it says of itself."""
    training = workload.training
    if training is None:
        return ALL_MONTH
    run, limit, tries = training.schedule.run_ms, training.timeout_ms, 1 + training.max_retries
    longest = (limit or run) * tries
    if not run:
        return Hours(0, limit, longest) if limit else Hours(0, MONTH_MS, MONTH_MS)
    every, times = training.schedule.every_ms, training.schedule.runs_per_month
    return Hours(run, run, max(run, longest), MONTH_MS if every else times or 1, every or 1)


def spread_ms(workload: Workload) -> int:
    """Over how long the data's size, which moves once, is spread in the price of an hour, so that places compare.

    Over one run of a job, as long as it is expected to take or may at most, so that a short run far away pays for the
    way there; a day where it says neither. Over a month for a service. At least a minute.
    """
    training = workload.training
    if training is None:
        return MONTH_MS
    return max(training.schedule.run_ms or training.timeout_ms or DAY_MS, SHORTEST_MS)


def monthly(workload: Workload, cost: Cost, interruptions_ppm: int = 0) -> MonthlyRange:
    """The range, for the decided cost per hour and the expected interruptions an hour of all units, in millionths.

    Of a cost of nothing, as a refusal has, it says how often and how long alone.
    """
    when = hours(workload)
    month = _range(workload, cost, interruptions_ppm, when)
    if not when.is_runs:
        return month
    one = _range(workload, cost, interruptions_ppm, Hours(when.low_ms, when.point_ms, when.high_ms))
    return MonthlyRange(
        month.compute,
        month.egress,
        month.uplift,
        month.idle,
        month.spot_loss,
        month.availability,
        runs_milli=-(-when.runs * 1_000 // when.per),
        per_run=one.total,
        hours_milli=month.hours_milli,
    )


def _range(workload: Workload, cost: Cost, interruptions_ppm: int, when: Hours) -> MonthlyRange:
    most, least = _replicas(workload)

    def over(micros: int, ms: int, times: int = 1, of: int = 1) -> int:
        return -(-micros * ms * when.runs * times // (MS_PER_HOUR * when.per * of))

    def by_the_replica(micros: int) -> Estimate:
        if not micros:
            return NOTHING
        return Estimate(over(micros, when.low_ms), over(micros, when.point_ms), over(micros, when.high_ms, most, least))

    return MonthlyRange(
        compute=by_the_replica(cost.compute),
        egress=_egress(workload, cost.egress, when),
        uplift=by_the_replica(cost.uplift),
        idle=by_the_replica(cost.idle),
        spot_loss=_unlucky(by_the_replica(cost.spot_loss), over(interruptions_ppm, when.high_ms, most, least)),
        availability=by_the_replica(cost.availability),
        hours_milli=over(1_000, when.point_ms),
    )


NOTHING = Estimate()


def _replicas(workload: Workload) -> tuple[int, int]:
    """The most that may run, and the least."""
    replicas = workload.inference.replicas if workload.inference else None
    return (max(replicas.maximum, replicas.minimum), replicas.minimum) if replicas else (1, 1)


def _egress(workload: Workload, hourly: int, when: Hours) -> Estimate:
    """`hourly` was priced with the data's size spread over `spread_ms`, beside what moves each day."""
    data, spread = workload.data, spread_ms(workload)
    flows, once_only = data.bytes_per_day * spread, data.size_bytes * DAY_MS
    moved = flows + once_only
    if not hourly or not moved:
        return NOTHING

    def flowing(ms: int) -> int:
        return -(-hourly * flows * ms * when.runs // (moved * MS_PER_HOUR * when.per))

    low, point, high = flowing(when.low_ms), flowing(when.point_ms), flowing(when.high_ms)
    once = -(-hourly * once_only * spread // (moved * MS_PER_HOUR))
    if workload.training is None:
        return Estimate(low, point, high + once)
    each = -(-hourly * once_only * spread * when.runs // (moved * MS_PER_HOUR * when.per))
    return Estimate(low + min(once, each), point + each, high + each)


def _unlucky(expected: Estimate, interruptions_ppm: int) -> Estimate:
    """No loss at low; at high two standard deviations over the expected number of interruptions, in millionths."""
    loss = expected.high
    if not loss:
        return NOTHING
    deviations = _root(4 * loss * loss * MILLION, max(interruptions_ppm, 1)) if interruptions_ppm else 0
    return Estimate(0, expected.point, loss + deviations)


def _root(numerator: int, denominator: int) -> int:
    """The square root of a fraction, rounded up."""
    whole = -(-numerator // denominator)
    root = isqrt(whole)
    return root if root * root == whole else root + 1
