"""Which price books hold at a moment: total, deterministic, and what counts where two of them speak."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placement.law.law import Law
from placement.money.books import BACK_MS, changes, check_book, in_force, merged, standing
from placement.money.tariff import Tariff, Unit
from tidegate.model.errors import Refused
from tidegate.model.money import ApiPrice, Availability, EgressPrice, Ownership, Price, PriceBook, Rate, Uplift
from tidegate.model.site import Pricing

HOUR = 3_600_000


def book(name: str = "list", version: int = 1, since: int = 0, price: int = 100, **more: object) -> PriceBook:
    return replace(PriceBook(name, version, effective_from=since, prices=(Price("m5", price),)), **more)


M5 = Unit("m5", "us-east-1", Pricing.ON_DEMAND)


def asked(books: tuple[PriceBook, ...], now: int) -> int:
    return Tariff(merged(in_force(books, now))).hourly(M5)


def test_the_newest_version_whose_moment_has_come_holds():
    books = (book(price=100), book(version=2, since=10, price=200), book(version=3, since=20, price=300))
    assert [asked(books, now) for now in (0, 9, 10, 19, 20, 99)] == [100, 100, 200, 200, 300, 300]


def test_a_higher_version_with_an_earlier_moment_takes_over_what_came_between():
    books = (book(), book(version=2, since=20, price=200), book(version=3, since=10, price=300))
    assert [asked(books, now) for now in (9, 10, 20)] == [100, 300, 300]


def test_before_the_first_moment_there_is_no_price():
    assert in_force((book(since=10),), 9) == ()
    assert merged(()) is None


def test_books_of_several_names_hold_side_by_side():
    mine = PriceBook("mine", prices=(Price("own", 5, pricing=Pricing.OWNED),), idle_owned_ppm=70_000)
    both = merged(in_force((book(), mine), 0))
    assert both is not None and {price.instance_type for price in both.prices} == {"m5", "own"}
    assert both.idle_owned_ppm == 70_000


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        (book("a", precedence=1, price=1), book("b", since=9, price=2), 1),
        (book("a", since=3, price=1), book("b", since=9, price=2), 2),
        (book("a", price=1), book("b", price=2), 1),
    ],
    ids=["precedence", "later moment", "name"],
)
def test_where_two_books_price_one_thing_the_order_is_fixed(first: PriceBook, second: PriceBook, counts: int):
    assert asked((first, second), 9) == asked((second, first), 9) == counts


def test_what_a_law_says_at_a_moment_is_one_object_between_two_changes():
    law = Law(books=(book(), book(version=2, since=10), book("mine", since=5)))
    assert law.at(0) is law.at(4) and law.at(5) is law.at(9) and law.at(10) is law.at(10**15)
    assert [law.at(now).price_book_ref for now in (0, 5, 10)] == ["list@1", "mine@1, list@1", "list@2, mine@1"]
    assert law.at(7).at(0) is law.at(7)
    assert law.at(7).rules is law.rules


def test_what_can_never_hold_again_is_not_kept():
    books = (book(), book(version=2, since=10), book(version=3, since=20), book(version=4, since=15))
    assert [b.version for b in standing(books, 0)] == [1, 2, 4]
    assert [b.version for b in standing(books, 12)] == [1, 2, 4], "a clock may be set back"
    assert [b.version for b in standing(books, 12 + BACK_MS)] == [2, 4]
    assert [b.version for b in standing(books, 15 + BACK_MS)] == [4]


def test_a_clock_that_is_set_back_finds_the_prices_of_that_moment():
    kept = standing((book(), book(version=2, since=HOUR)), 2 * HOUR)
    assert [b.version for b in in_force(kept, 2 * HOUR)] == [2]
    assert [b.version for b in in_force(kept, HOUR // 2)] == [1]


books_of_any_kind = st.lists(
    st.builds(
        book,
        name=st.sampled_from(("a", "b", "c")),
        version=st.integers(1, 4),
        since=st.integers(0, 12),
        price=st.integers(1, 9),
        precedence=st.integers(0, 1),
    ),
    max_size=8,
    unique_by=lambda one: one.ref,
).map(tuple)


@given(books_of_any_kind, st.integers(0, 14), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_selection_is_total_and_no_order_of_telling_changes_it(books, now, chance):
    held = in_force(books, now)
    told = list(books)
    chance.shuffle(told)
    assert in_force(told, now) == held
    assert {b.name for b in held} == {b.name for b in books if b.effective_from <= now}
    assert len({b.name for b in held}) == len(held)
    assert Law(books=books).at(now).price_book == merged(held)
    last = max((moment for moment in changes(books) if moment <= now), default=-1)
    assert held == in_force(books, last)


@given(books_of_any_kind, st.integers(0, 14), st.integers(0, 14))
@settings(max_examples=200, deadline=None)
def test_what_is_kept_answers_for_every_later_moment(books, now, later):
    assert in_force(standing(books, now), now + later) == in_force(books, now + later)


def test_the_most_particular_price_counts():
    tariff = Tariff(
        PriceBook(
            "list",
            prices=(
                Price("p5", 98),
                Price("p5", 120, "eu"),
                Price(gpu_model="H100", micros_per_hour=7),
                Price(gpu_model="H100", micros_per_hour=9, region="eu"),
                Price("node", 50),
            ),
        )
    )
    by_type = Unit("p5", "eu", Pricing.ON_DEMAND, "H100", 8)
    assert tariff.hourly(by_type) == 120
    assert tariff.hourly(replace(by_type, region="us")) == 98
    assert tariff.hourly(replace(by_type, instance_type="x", gpus=4)) == 36
    assert tariff.hourly(replace(by_type, instance_type="x", region="us", gpus=4)) == 28
    assert tariff.hourly(replace(by_type, pricing=Pricing.SPOT)) == -1
    assert tariff.hourly(Unit("node", "", Pricing.OWNED)) == 50
    assert tariff.dearest(Unit("x", "", Pricing.SPOT, "", 0)) == 120
    assert tariff.dearest(Unit("x", "", Pricing.SPOT, "", 16)) == 144


def test_what_is_owned_costs_its_share_of_the_purchase_and_what_it_eats():
    owned = Ownership(43_800_000_000, 43_800, watts=1_000, micros_per_kwh=100_000, pue_milli=1_500)
    assert Price("n", pricing=Pricing.OWNED, owned=owned).hourly == 1_000_000 + 150_000
    assert replace(owned, hosting_micros_per_month=730).rate.over(1) == 1_150_001
    assert Ownership(hosting_micros_per_month=1).rate.over(1) == 1  # rounded up, never lost


@given(st.integers(0, 10**15), st.integers(1, 10**6), st.integers(0, 10**4), st.integers(1, 100))
def test_a_rate_rounds_up_and_never_by_a_whole_micro(micros, hours, over, each):
    rate = Rate(micros, hours)
    exact, rest = divmod(micros * over, hours * each)
    assert rate.over(over, each) == exact + (1 if rest else 0)
    assert rate.over(over) + rate.over(each) >= (rate + Rate(0)).over(over + each)


@given(st.builds(Ownership, *(st.integers(0, 10**12),) * 1, lifetime_hours=st.integers(1, 10**5)), st.integers(1, 50))
def test_many_of_one_thing_are_rounded_once(owned, count):
    assert (owned.rate * count).over(1) <= owned.rate.over(1) * count < (owned.rate * count).over(1) + count


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (book(version=0), "version"),
        (book(currency="EUR"), "currency"),
        (book(since=-1), "effective_from"),
        (book(price=-1), "prices[0]"),
        (book(price=10**12), "prices[0]"),
        (book(idle_owned_ppm=2_000_000), "idle_owned_ppm"),
        (book(egress=(EgressPrice("a", "b", -1),)), "egress[0]"),
        (book(uplifts=(Uplift("DE", 1_000_001),)), "uplifts[0]"),
        (book(availability=(Availability(available_ppm=0),)), "availability[0]"),
        (book(apis=(ApiPrice("a", -1),)), "apis[0]"),
        (book(prices=(Price("a", owned=Ownership(10**18, 1)),)), "prices[0]"),
        (book(prices=(Price("a", owned=Ownership(lifetime_hours=-1)),)), "prices[0]"),
    ],
)
def test_a_book_that_could_not_be_added_up_is_refused(wrong: PriceBook, field: str):
    with pytest.raises(Refused) as refused:
        check_book(wrong)
    assert refused.value.field == field


def test_owning_may_be_priced_by_the_gpu_and_by_region():
    owned = Ownership(35_040_000_000, 35_040, watts=500, micros_per_kwh=100_000, pue_milli=2_000)
    dear = replace(owned, micros_per_kwh=300_000)
    tariff = Tariff(
        PriceBook(
            "own",
            prices=(
                Price(gpu_model="H100", pricing=Pricing.OWNED, owned=owned),
                Price(gpu_model="H100", pricing=Pricing.OWNED, owned=dear, region="eu"),
            ),
        )
    )
    node = Unit("node", "us", Pricing.OWNED, "H100", 8)
    assert tariff.hourly(node) == 8 * 1_100_000
    assert tariff.hourly(replace(node, region="eu")) == 8 * 1_300_000
