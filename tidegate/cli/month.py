"""A month's cost as people read it: low, expected and high, by cause. `placement.money.range` is the definition."""

from tidegate.cli import amounts, render
from tidegate.model.decision import Estimate, MonthlyRange

RARE = ("spot loss", "availability")
"""Causes that are left out where they are nothing."""


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
        [(name, *_three(one)) for name, one in rows if one.high or name not in RARE],
        right=["low", "expected", "high"],
    )
    if month.runs_milli:
        low, point, high = _three(month.per_run)
        render.line(f"{month.runs_milli / 1000:g} runs a month, {point} each ({low} to {high})", "dim")


def _three(one: Estimate) -> tuple[str, str, str]:
    return amounts.dollars(one.low), amounts.dollars(one.point), amounts.dollars(one.high)
