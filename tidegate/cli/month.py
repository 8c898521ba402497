"""A month's cost as people read it: low, expected and high, by cause. `placement.money.range` is the definition."""

from dataclasses import dataclass

from tidegate.cli import amounts, render
from tidegate.model.decision import Decision, Estimate, MonthlyRange
from tidegate.model.workload import Workload

RARE = ("spot loss", "availability")
"""Causes that candidates are not compared by where they are nothing."""


ONE_RUN = 1_000


@dataclass(frozen=True, slots=True)
class Per:
    """What a price per hour is told for: a month, one run, or an hour where nobody says how long it runs."""

    word: str
    hours_milli: int
    """How many hours that is, in thousandths; 0 for all of a month."""

    @classmethod
    def of(cls, decision: Decision, workload: Workload | None = None) -> "Per":
        """A job that runs once has no month, and one that does not say how long it takes has no sum at all."""
        month = decision.monthly
        if _endless(month, workload):
            return cls("hour", ONE_RUN)
        return cls("run" if month.runs_milli == ONE_RUN else "month", month.hours_milli)

    def told(self, micros_per_hour: int) -> str:
        """The price as it is shown."""
        if self.word == "month":
            return amounts.dollars_per_month(micros_per_hour, self.hours_milli)
        return f"{amounts.dollars(round(micros_per_hour * self.hours_milli / 1_000))}/{self.word}"


ALWAYS = Per("month", 0)


def _endless(month: MonthlyRange, workload: Workload | None) -> bool:
    """A job that says neither how long it runs nor for how long at most: it may cost all of a month, or nothing."""
    if workload is not None:
        training = workload.training
        return training is not None and not training.schedule.run_ms and not training.timeout_ms
    paid = month.compute + month.idle + month.egress
    return not month.runs_milli and paid.low == 0 < paid.point


def headline(decision: Decision) -> str:
    """What it costs, in few words: a run, and a month of such runs; a month, for what runs all the time; or an hour."""
    month = decision.monthly
    if _endless(month, None):
        return f"{amounts.dollars(decision.cost.total)} an hour"
    if not month.runs_milli:
        return amounts.dollars_per_month(decision.cost.total)
    a_run = f"{amounts.dollars(month.per_run.point)} a run"
    return a_run if month.runs_milli == ONE_RUN else f"{a_run}, {amounts.dollars(month.total.point)} a month"


def show(month: MonthlyRange) -> None:
    """Prints the range; nothing where nothing costs anything, as in decisions of before there was one."""
    if not month.total.high:
        return
    if _endless(month, None):
        render.line(
            "it does not say how long it runs (`schedule`, `timeout`), so only its price an hour is known", "dim"
        )
        return
    rows: list[tuple[str, Estimate]] = [
        ("compute", month.compute),
        ("egress", month.egress),
        ("uplift", month.uplift),
        ("idle", month.idle),
        ("spot loss", month.spot_loss),
        ("availability", month.availability),
        ("total", month.total),
    ]
    render.line("")
    once = month.runs_milli == ONE_RUN
    render.table(
        "costs",
        ["the run" if once else "a month", "low", "expected", "high"],
        [(name, *_three(one)) for name, one in rows if one.high],
        right=["low", "expected", "high"],
    )
    if month.runs_milli and not once:
        low, point, high = _three(month.per_run)
        runs = f"{month.runs_milli / 1_000:g} runs"
        render.line(f"{runs} a month, {point} each ({low} to {high})", "dim")


def _three(one: Estimate) -> tuple[str, str, str]:
    return amounts.dollars(one.low), amounts.dollars(one.point), amounts.dollars(one.high)
