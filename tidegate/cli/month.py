"""A month's cost as people read it: low, expected and high, by cause. `placement.money.range` is the definition."""

from tidegate.cli import amounts, render
from tidegate.model.decision import Decision, Estimate, MonthlyRange

RARE = ("spot loss", "availability")
"""Causes that candidates are not compared by where they are nothing."""


def headline(decision: Decision) -> str:
    """What it costs, in few words: a run, and a month of such runs; or a month, for what runs all the time."""
    month = decision.monthly
    if not month.runs_milli:
        return amounts.dollars_per_month(decision.cost.total)
    a_run = f"{amounts.dollars(month.per_run.point)} a run"
    return a_run if month.runs_milli == 1_000 else f"{a_run}, {amounts.dollars(month.total.point)} a month"


def show(month: MonthlyRange) -> None:
    """Prints the range; nothing where nothing costs anything, as in decisions of before there was one."""
    if not month.total.high:
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
    render.table(
        "costs",
        ["a month", "low", "expected", "high"],
        [(name, *_three(one)) for name, one in rows if one.high],
        right=["low", "expected", "high"],
    )
    if month.runs_milli:
        low, point, high = _three(month.per_run)
        runs = "1 run" if month.runs_milli == 1_000 else f"{month.runs_milli / 1_000:g} runs"
        render.line(f"{runs} a month, {point} each ({low} to {high})", "dim")


def _three(one: Estimate) -> tuple[str, str, str]:
    return amounts.dollars(one.low), amounts.dollars(one.point), amounts.dollars(one.high)
