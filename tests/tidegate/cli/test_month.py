"""How a month's cost is shown: by cause, what is rare left out, runs beside it."""

import pytest

from tests.support.builders import job
from tidegate.cli import amounts, month
from tidegate.model.decision import Cost, Decision, Estimate, MonthlyRange, Outcome


def flat(micros: int) -> Estimate:
    return Estimate(micros, micros, micros)


def test_a_month_is_shown_by_cause(capsys: pytest.CaptureFixture[str]):
    month.show(
        MonthlyRange(compute=Estimate(0, 48_000_000_000, 52_000_000_000), runs_milli=4_000, per_run=flat(10**10))
    )
    shown = capsys.readouterr().out
    assert [line.split() for line in shown.splitlines()][1:3] == [
        ["A", "MONTH", "LOW", "EXPECTED", "HIGH"],
        ["compute", "$0.00", "$48,000", "$52,000"],
    ]
    assert "4 runs a month, $10,000 each" in shown
    assert "spot loss" not in shown and "availability" not in shown


def test_what_is_rare_is_shown_where_it_costs(capsys: pytest.CaptureFixture[str]):
    month.show(MonthlyRange(spot_loss=Estimate(0, 1, 2_000_000)))
    assert "spot loss" in capsys.readouterr().out


def test_nothing_is_shown_where_nothing_costs(capsys: pytest.CaptureFixture[str]):
    month.show(MonthlyRange())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("micros", "shown"),
    [(0, "$0.00"), (9, "$9e-06"), (10_000, "$0.01"), (99_000_000, "$99.00"), (57_000_000_000, "$57,000")],
)
def test_money_keeps_the_digits_that_matter(micros: int, shown: str):
    assert amounts.dollars(micros) == shown


@pytest.mark.parametrize(
    ("range_", "shown"),
    [
        (MonthlyRange(), "$730/month"),
        (MonthlyRange(flat(5_000_000), runs_milli=1_000, per_run=flat(5_000_000)), "$5.00 a run"),
        (
            MonthlyRange(flat(48_000_000_000), runs_milli=4_000, per_run=flat(12 * 10**9)),
            "$12,000 a run, $48,000 a month",
        ),
        (MonthlyRange(Estimate(0, 730_000_000, 730_000_000)), "$1.00 an hour"),
    ],
    ids=["all the time", "once", "every week", "nobody knows how long"],
)
def test_the_headline_says_what_one_pays_for(range_: MonthlyRange, shown: str):
    decision = Decision(Outcome.PLACED, ("a",), (), cost=Cost(compute=1_000_000), monthly=range_)
    assert month.headline(decision) == shown


def test_a_price_is_told_for_a_run_a_month_or_an_hour():
    def told(range_: MonthlyRange) -> str:
        return month.Per.of(Decision(Outcome.PLACED, ("a",), (), monthly=range_)).told(2_000_000)

    assert told(MonthlyRange(flat(1), hours_milli=730_000)) == "$1,460/month"
    assert told(MonthlyRange(flat(1), runs_milli=1_000, hours_milli=48_000)) == "$96.00/run"
    assert told(MonthlyRange(Estimate(0, 1, 1), hours_milli=730_000)) == "$2.00/hour"
    refused = Decision(Outcome.REFUSED, ("a",), (), monthly=MonthlyRange(hours_milli=730_000))
    assert month.Per.of(refused, job()).told(2_000_000) == "$2.00/hour", "a refusal has no range to tell it by"


def test_a_price_an_hour_is_a_month_s_of_as_many_hours_as_it_runs():
    assert amounts.dollars_per_month(2_000_000) == "$1,460/month"
    assert amounts.dollars_per_month(2_000_000, 1_500) == "$3.00/month"
    assert amounts.dollars_per_month(-1_000) == "-$0.73/month"
