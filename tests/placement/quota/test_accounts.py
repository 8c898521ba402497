"""What is spent in a month, and what will be."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from placement.quota.accounts import (
    HOUR_MS,
    Account,
    Charge,
    Line,
    closed,
    committed,
    month_end,
    month_of,
    opened,
    owed,
    rate,
    spent,
)

NOVEMBER = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp() * 1000)
DECEMBER = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp() * 1000)
JANUARY = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp() * 1000)


def test_the_months():
    assert month_of(NOVEMBER) == "2026-11" and month_of(DECEMBER - 1) == "2026-11"
    assert month_end(NOVEMBER) == DECEMBER and month_end(DECEMBER - 1) == DECEMBER and month_end(DECEMBER) == JANUARY


def test_a_charge_runs_over_the_end_of_a_month():
    account = opened(Account(), "w1", Charge(1_000_000, DECEMBER - HOUR_MS))
    now = DECEMBER + 2 * HOUR_MS
    assert spent([account], "2026-11", now) == 1_000_000
    assert spent([account], "2026-12", now) == 2_000_000
    account = closed(account, "w1", now)
    assert spent([account], "2026-11", JANUARY) == 1_000_000
    assert spent([account], "2026-12", JANUARY) == 2_000_000
    assert rate([account]) == 0


def test_what_is_committed_ends_with_the_month_or_with_the_work():
    account = opened(Account(), "w1", Charge(1_000_000, NOVEMBER))
    assert committed([account], DECEMBER - 3 * HOUR_MS) == 3_000_000
    account = opened(account, "w2", Charge(2_000_000, NOVEMBER, until=DECEMBER - 2 * HOUR_MS))
    assert committed([account], DECEMBER - 3 * HOUR_MS) == 5_000_000


def test_a_moment_s_cost_is_rounded_up_once():
    account = opened(opened(Account(), "w1", Charge(1, NOVEMBER)), "w2", Charge(1, NOVEMBER))
    assert spent([account], "2026-11", NOVEMBER + 1) == 1


@given(
    st.lists(st.tuples(st.integers(0, 10**7), st.integers(1, 10**10), st.integers(1, 10**10)), max_size=6),
    st.integers(0, 3 * 10**10),
)
def test_nothing_is_lost_between_the_months(charges, later):
    account, whole, now = Account(), 0, NOVEMBER
    for index, (price, starts, lasts) in enumerate(charges):
        since = NOVEMBER + starts
        account = closed(opened(account, f"w{index}", Charge(price, since)), f"w{index}", since + lasts)
        whole += price * lasts
        now = max(now, since + lasts)
    assert sum(account.owed.values()) == whole
    assert sum(spent([account], month, now + later) for month in account.owed) - -(-whole // HOUR_MS) in range(12)


def test_thirteen_months_are_kept():
    account = closed(opened(Account(), "w1", Charge(1, 0)), "w1", NOVEMBER)
    assert len(account.owed) == 13 and max(account.owed) == "2026-10"


moments = st.integers(NOVEMBER - 10 * HOUR_MS, JANUARY + 10 * HOUR_MS)


@given(st.lists(st.tuples(st.integers(0, 10**9), moments, st.one_of(st.just(0), moments)), max_size=6), st.data())
def test_a_line_says_at_every_moment_of_its_own_what_the_sums_say(charges, data):
    account = Account()
    for index, (price, since, until) in enumerate(charges):
        account = opened(account, f"w{index}", Charge(price, since, until))
        if data.draw(st.booleans()):
            account = closed(account, f"w{index}", max(since, data.draw(moments)))
    at = data.draw(moments)
    line = Line.of(account, at)
    assert line.holds(account, at) and not line.holds(Account(), at)
    now = data.draw(st.integers(line.since, line.until - 1))
    assert owed([line, line], now) == spent([account] * 2, month_of(now), now) + committed([account] * 2, now)
