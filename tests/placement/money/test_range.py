"""What a month costs, from low to high: by time, replicas, egress and luck."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placement.law.law import Law
from placement.money.range import MONTH_MS, monthly
from tests.placement.places import BOOK, CLOUD, GIB, HALL, PRESS, decided, fleet, job, service
from tidegate.model.decision import Cost, Estimate, MonthlyRange
from tidegate.model.money import EgressPrice, Price, PriceBook
from tidegate.model.site import Engine
from tidegate.model.workload import Data, Replicas, Schedule, Workload

HOUR = 3_600_000
DOLLAR = 1_000_000


def scheduled(**said: int) -> Workload:
    work = job()
    assert work.training is not None
    schedule = Schedule(said.pop("run_ms", 0), said.pop("every_ms", 0), said.pop("runs_per_month", 0))
    return replace(work, training=replace(work.training, schedule=schedule, **said))


def test_a_service_runs_all_the_month():
    assert monthly(service(), Cost(compute=DOLLAR)).total == Estimate(730 * DOLLAR, 730 * DOLLAR, 730 * DOLLAR)


def test_more_replicas_cost_more_at_most():
    work = service()
    assert work.inference is not None
    work = replace(work, inference=replace(work.inference, replicas=Replicas(2, 7)))
    assert monthly(work, Cost(compute=2, idle=4, egress=8)) == MonthlyRange(
        compute=Estimate(2 * 730, 2 * 730, 7 * 730),
        idle=Estimate(4 * 730, 4 * 730, 14 * 730),
        hours_milli=730_000,
    )


@pytest.mark.parametrize(
    ("said", "point", "runs_milli"),
    [
        ({"run_ms": 48 * HOUR, "runs_per_month": 4}, 4 * 48, 4_000),
        ({"run_ms": 48 * HOUR}, 48, 1_000),
        ({"run_ms": HOUR, "every_ms": 73 * HOUR}, 10, 10_000),
        ({"timeout_ms": 5 * HOUR}, 5, 1_000),
        ({}, 730, 0),
    ],
    ids=["so often", "once", "every so often", "at most so long", "nothing said"],
)
def test_a_job_runs_as_its_schedule_says(said, point, runs_milli):
    month = monthly(scheduled(**said), Cost(compute=DOLLAR))
    assert (month.compute.point, month.runs_milli) == (point * DOLLAR, runs_milli)
    assert month.hours_milli == point * 1_000


def test_a_week_is_not_a_quarter_of_a_month():
    month = monthly(scheduled(run_ms=48 * HOUR, every_ms=168 * HOUR), Cost(compute=250 * DOLLAR))
    assert month.compute.point == -(-250 * DOLLAR * 48 * 730 // 168) and month.runs_milli == 4_346
    assert month.per_run.point == 12_000 * DOLLAR


def test_at_most_it_runs_to_its_timeout_as_often_as_it_is_tried():
    work = scheduled(run_ms=10 * HOUR, timeout_ms=12 * HOUR, max_retries=1)
    assert monthly(work, Cost(compute=DOLLAR)).compute == Estimate(10 * DOLLAR, 10 * DOLLAR, 24 * DOLLAR)


def test_a_job_that_says_nothing_may_end_at_once():
    assert monthly(job(), Cost(compute=DOLLAR)).compute == Estimate(0, 730 * DOLLAR, 730 * DOLLAR)


PER_GIB = 24 * 730
FAR = PriceBook("far", prices=BOOK.prices, egress=(EgressPrice("plant", "", PER_GIB),))


def egress(work: Workload, **data: int) -> tuple[int, Estimate]:
    """An hour's and a month's, at a place that the data must be moved to."""
    work = replace(work, data=Data(("public",), origin="plant", **data))
    decision = decided(
        work, fleet(PRESS, replace(CLOUD, engines=tuple(Engine))), Law((), FAR), exclude=frozenset({"press-7"})
    )
    return decision.cost.egress, decision.monthly.egress


def test_what_a_service_moves_once_is_spread_over_a_month_and_paid_in_the_first():
    hourly, month = egress(service(), bytes_per_day=GIB, size_bytes=3 * GIB)
    assert hourly == PER_GIB // 24 + 3 * PER_GIB // 730
    daily = PER_GIB * 365 // 12
    assert month == Estimate(daily, daily, daily + 3 * PER_GIB)


def test_a_job_moves_its_data_with_every_run_unless_it_is_kept():
    hourly, month = egress(scheduled(run_ms=2 * HOUR, runs_per_month=10), size_bytes=3 * GIB)
    assert hourly == 3 * PER_GIB // 2, "a run pays the whole way, however short it is"
    assert month == Estimate(3 * PER_GIB, 30 * PER_GIB, 30 * PER_GIB)


@pytest.mark.parametrize(("said", "hours"), [({"timeout_ms": 4 * HOUR}, 4), ({}, 24), ({"run_ms": 5 * HOUR}, 5)])
def test_the_way_is_spread_over_what_a_job_may_take(said: dict[str, int], hours: int):
    assert egress(scheduled(**said), size_bytes=GIB)[0] == -(-PER_GIB // hours)


def test_a_short_run_stays_where_its_data_is_though_an_hour_is_dearer_there():
    """An hour costs twice as much beside the data; but of a quarter of an hour the way would be most."""
    near = replace(
        HALL, location="plant", engines=(Engine.RAY,), offers=(replace(CLOUD.offers[1], instance_type="near"),)
    )
    book = replace(FAR, prices=(Price("c6", 100_000), Price("near", 200_000)))
    data = Data(("public",), origin="plant", size_bytes=3 * GIB)

    def where(run_ms: int) -> tuple[str, ...]:
        work = replace(scheduled(run_ms=run_ms), data=data)
        return decided(work, fleet(near, CLOUD), Law((), book)).sites

    assert (where(HOUR // 4), where(24 * HOUR)) == (("hall",), ("us-east-1",))


def test_spot_may_be_lucky_or_not():
    """Four interruptions expected in the month: two deviations are four more."""
    ppm = 4 * 1_000_000 // 730
    loss = monthly(service(), Cost(compute=DOLLAR, spot_loss=10_000), ppm).spot_loss
    assert (loss.low, loss.point) == (0, 7_300_000)
    assert loss.high == pytest.approx(14_600_000, rel=0.001)


amounts = st.integers(0, 10**10)
works = st.one_of(
    st.builds(
        lambda low, more: replace(
            service(), inference=replace(service().inference, replicas=Replicas(low, low + more))
        ),
        st.integers(1, 50),
        st.integers(0, 50),
    ),
    st.builds(
        lambda run, gap, times, limit, retries: scheduled(
            run_ms=run,
            every_ms=run + gap if run and gap else 0,
            runs_per_month=0 if gap else times,
            timeout_ms=run + limit if limit else 0,
            max_retries=retries,
        ),
        st.integers(0, MONTH_MS),
        st.integers(0, MONTH_MS),
        st.integers(0, 30),
        st.integers(0, MONTH_MS),
        st.integers(0, 3),
    ),
)
datas = st.builds(
    lambda daily, size: Data(("public",), origin="plant", bytes_per_day=daily, size_bytes=size),
    st.integers(0, 10**15),
    st.integers(0, 10**15),
)


@given(works, datas, st.builds(Cost, *[amounts] * 6), st.integers(0, 10**7))
@settings(max_examples=300, deadline=None)
def test_low_point_and_high_stand_in_order_and_the_causes_add_up(work, data, cost, interruptions):
    if not data.bytes_per_day + data.size_bytes:
        cost = replace(cost, egress=0)
    month = monthly(replace(work, data=data), cost, interruptions)
    causes = (month.compute, month.egress, month.uplift, month.idle, month.spot_loss, month.availability)
    for one in (*causes, month.per_run):
        assert 0 <= one.low <= one.point <= one.high
    assert sum(one.point for one in causes) == month.total.point
    assert month.total.high >= month.total.point >= month.total.low


@given(works, st.builds(Cost, *[amounts] * 6), st.sampled_from(("compute", "uplift", "idle", "spot_loss")))
@settings(max_examples=200, deadline=None)
def test_a_month_never_falls_where_an_hour_rises(work, cost, cause):
    cost = replace(cost, egress=0)
    dearer = replace(cost, **{cause: getattr(cost, cause) + 1})
    before, after = monthly(work, cost, 5_000).total, monthly(work, dearer, 5_000).total
    assert before.low <= after.low and before.point <= after.point and before.high <= after.high
