"""The auditor's own arithmetic of a month: what a workload costs from low to high, by cause, in exact fractions.

It shares no code with `placement.money.range`, whose text is the definition that it is read beside: how long a job runs
at low, at point and at high, so many times a month; replicas up to the most that may run; data's size moved once, or
with every run; a loss of two standard deviations. Every number is rounded up once.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, isqrt

from tidegate.model.decision import Cost, Estimate, MonthlyRange
from tidegate.model.workload import Workload

HOUR_MS = 3_600_000
MONTH_MS = 730 * HOUR_MS
DAY_MS = 24 * HOUR_MS
CAUSES = ("compute", "egress", "uplift", "idle", "spot_loss", "availability")


@dataclass(frozen=True, slots=True)
class _Runs:
    """How often, and how long one takes at low, at point and at high, ms."""

    often: Fraction
    low: int
    point: int
    high: int

    def times(self, micros_per_hour: Fraction | int) -> Estimate:
        """What so much an hour comes to."""
        return Estimate(
            *(ceil(micros_per_hour * ms * self.often / HOUR_MS) for ms in (self.low, self.point, self.high))
        )


def findings(month: MonthlyRange, hour: Cost, workload: Workload, interruptions_ppm: int) -> list[str]:
    """What is wrong with the range of a month. `interruptions_ppm`: expected an hour of all units, in millionths."""
    runs = _runs(workload)
    true = {cause: _of(cause, hour, workload, runs, interruptions_ppm) for cause in CAUSES}
    found = [
        f"month: {cause} is {one}, said {getattr(month, cause)}"
        for cause, one in true.items()
        if one != getattr(month, cause)
    ]
    in_runs = runs.point != MONTH_MS or runs.often != 1
    once = _Runs(Fraction(1), runs.low, runs.point, runs.high)
    one = sum((_of(cause, hour, workload, once, interruptions_ppm) for cause in CAUSES), Estimate())
    told = (month.runs_milli, month.per_run, month.hours_milli)
    hours = ceil(Fraction(1_000 * runs.point, HOUR_MS) * runs.often)
    if told != (ceil(runs.often * 1_000) if in_runs else 0, one if in_runs else Estimate(), hours):
        found.append("month: not as often or as long as it runs, or one run costs otherwise")
    return found


def _runs(workload: Workload) -> _Runs:
    training = workload.training
    if training is None:
        return _Runs(Fraction(1), MONTH_MS, MONTH_MS, MONTH_MS)
    run, every = training.schedule.run_ms, training.schedule.every_ms
    tries = 1 + training.max_retries
    if run:
        often = Fraction(MONTH_MS, every) if every else Fraction(training.schedule.runs_per_month or 1)
        return _Runs(often, run, run, max(run, (training.timeout_ms or run) * tries))
    if training.timeout_ms:
        return _Runs(Fraction(1), 0, training.timeout_ms, training.timeout_ms * tries)
    return _Runs(Fraction(1), 0, MONTH_MS, MONTH_MS)


def _of(cause: str, hour: Cost, workload: Workload, runs: _Runs, interruptions_ppm: int) -> Estimate:
    if cause == "egress":
        return _egress(hour.egress, workload, runs)
    micros = getattr(hour, cause)
    replicas = workload.inference.replicas if workload.inference else None
    growth = Fraction(max(replicas.maximum, replicas.minimum), replicas.minimum) if replicas else Fraction(1)
    usual, most = runs.times(micros), runs.times(micros * growth)
    if cause != "spot_loss":
        return Estimate(usual.low, usual.point, most.high)
    taken = runs.times(interruptions_ppm * growth).high
    if not taken or not most.high:
        return Estimate(0, usual.point, most.high)
    square = ceil(Fraction(4 * most.high * most.high * 1_000_000, taken))
    return Estimate(0, usual.point, most.high + isqrt(square - 1) + 1)


def _egress(hourly: int, workload: Workload, runs: _Runs) -> Estimate:
    data, training = workload.data, workload.training
    spread = MONTH_MS
    if training is not None:
        spread = max(training.schedule.run_ms or training.timeout_ms or DAY_MS, 60_000)
    flows, size = Fraction(data.bytes_per_day, DAY_MS), Fraction(data.size_bytes, spread)
    if not flows + size:
        return Estimate()
    flowing = runs.times(hourly * flows / (flows + size))
    moved = hourly * size / (flows + size) * spread / HOUR_MS
    if training is None:
        return Estimate(flowing.low, flowing.point, flowing.high + ceil(moved))
    each = ceil(moved * runs.often)
    return Estimate(flowing.low + min(ceil(moved), each), flowing.point + each, flowing.high + each)
