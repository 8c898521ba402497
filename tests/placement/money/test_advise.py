"""What advice must be, whatever the prices: sorted, exact, monotone; and break-evens that a plain search finds too."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placement.money.advise import _crossing, advise
from placement.money.means import Means, Use, Way, means_for, use_of
from tests.placement.places import GIB, job, service
from tidegate.model.money import ApiPrice, Availability, EgressPrice, Ownership, Price, PriceBook, Rate
from tidegate.model.quantity import Resources
from tidegate.model.site import Pricing
from tidegate.model.workload import Data, Demand, Schedule, Workload

BOX = Resources(4, 0, 32_000, 128 * GIB)


def prices(*more: Price) -> PriceBook:
    return PriceBook("p", prices=more, apis=(ApiPrice("api", 100_000),))


def serving(per_day: int, **demand: int) -> Workload:
    work = service(**demand)
    assert work.inference is not None
    return replace(work, inference=replace(work.inference, requests_per_day=per_day))


means = st.builds(
    Means,
    st.sampled_from((Way.OWN, Way.RENT)),
    st.just("m"),
    st.just(""),
    st.just("cpu"),
    st.integers(1, 3),
    st.sampled_from((Fraction(0), Fraction(7), Fraction(100, 3))),
    st.builds(Rate, st.integers(0, 10**7), st.integers(1, 3)),
)
calls = st.builds(
    lambda per: Means(Way.API, "a", "", "", 1, Fraction(0), Rate(0), per_prediction=Fraction(per, 1_000)),
    st.integers(1, 10**11),
)


@given(means, st.one_of(means, calls), st.integers(1, 4), st.sampled_from((Fraction(1), Fraction(5, 2))))
@settings(max_examples=200, deadline=None)
def test_a_break_even_is_the_first_volume_at_which_it_holds(first, second, copies, peak):
    use = Use(copies, Fraction(1), Fraction(1), True, 1, peak)
    holds = (n for n in range(1, 400) if first.month(replace(use, per_day=n)) <= second.month(replace(use, per_day=n)))
    plainly, found = next(holds, None), _crossing(first, second, use)
    assert found == plainly if plainly is not None else (found == -1 or found >= 400)


def test_what_one_copy_does_not_fit_is_no_choice():
    book = prices(
        Price("small", 1, resources=Resources(0, 0, 500, GIB)),
        Price("silent", 1),
        Price("right", 5, resources=Resources(0, 0, 2_000, 4 * GIB)),
        Price("gpus", 1, gpu_model="T4", resources=BOX),
    )
    advice = advise(service(2), book)
    assert [(choice.name, choice.units) for choice in advice.choices] == [("right", 1)]
    assert any("silent" in lack for lack in advice.lacks)


def test_a_part_of_a_gpu_shares_one():
    share = replace(service(4), demand=Demand(Resources(0, 10 * GIB, 1_000, GIB), gpu_share_milli=250))
    advice = advise(share, prices(Price(gpu_model="L4", micros_per_hour=100)))
    assert [choice.units for choice in advice.choices] == [1]


def test_a_copy_of_eight_gpus_pays_eight_when_they_are_priced_one_by_one():
    advice = advise(job(workers=2, gpus=8), prices(Price(gpu_model="H100", micros_per_hour=3)))
    assert [(choice.units, choice.per_month) for choice in advice.choices] == [(2, 2 * 8 * 3 * 730)]


def test_only_the_models_that_will_do_are_compared_but_all_are_listed():
    wants = replace(job(gpus=1), demand=Demand(Resources(1, 0, 1_000, GIB), gpu_models=("L4",)))
    book = prices(
        Price("a", 1, gpu_model="T4", resources=BOX),
        Price("b", 9, gpu_model="L4", resources=BOX),
    )
    advice = advise(wants, book)
    assert [choice.device for choice in advice.choices] == ["L4"]
    assert [model.device for model in advice.models] == ["T4", "L4"]


def test_data_that_moves_is_paid_for_and_what_is_owned_stands_beside_it():
    book = replace(
        prices(Price("m5", 0, "us", resources=BOX), Price("own", 0, pricing=Pricing.OWNED, resources=BOX)),
        egress=(EgressPrice("plant", "us", micros_per_gb=10_000),),
    )
    data = Data(("public",), origin="plant", bytes_per_day=10**9)
    advice = advise(replace(service(), data=data), book)
    rent, own = advice.cheapest(Way.RENT), advice.cheapest(Way.OWN)
    assert rent is not None and rent.per_month == -(-10_000 * 365 // 12)
    assert own is not None and own.per_month == 0


def test_owning_that_costs_more_to_run_than_renting_never_pays():
    owned = Ownership(1_000_000, 8_760, hosting_micros_per_month=10**12)
    book = prices(Price("own", pricing=Pricing.OWNED, owned=owned, resources=BOX), Price("m5", 1, resources=BOX))
    evens = {(even.kind, even.second): even.value for even in advise(service(), book).break_evens}
    assert evens == {("hours", "rent m5"): -1, ("months", "rent m5"): -1}


@pytest.mark.parametrize("work", [service(), job()], ids=["service", "job"])
def test_an_empty_book_advises_nothing_and_says_so(work: Workload):
    advice = advise(work, PriceBook("empty"))
    assert advice.choices == advice.break_evens == advice.sensitivity == advice.models == ()
    assert any("no price book" in lack for lack in advice.lacks)


entries = st.lists(
    st.builds(
        Price,
        st.sampled_from(("a", "b", "c", "")),
        st.integers(0, 10**8),
        st.sampled_from(("", "us")),
        st.sampled_from(tuple(Pricing)),
        st.sampled_from(("", "L4", "H100")),
        st.sampled_from((Resources(), BOX, Resources(0, 0, 4_000, 8 * GIB))),
    ).filter(lambda price: price.instance_type or price.gpu_model),
    max_size=8,
)
asked = st.one_of(
    st.builds(serving, st.integers(0, 10**8), gpus=st.integers(0, 2)),
    st.builds(lambda gpus, workers: job(workers, gpus=gpus), st.integers(0, 8), st.integers(1, 4)),
    st.builds(
        lambda run, times: replace(job(2, gpus=1), training=replace(job().training, schedule=Schedule(run, 0, times))),
        st.integers(1, 10**9),
        st.integers(0, 9),
    ),
)
books = st.builds(
    lambda listed, lost: PriceBook(
        "p",
        prices=tuple(listed),
        apis=(ApiPrice("api", 77),),
        availability=(Availability(interruptions_ppm_per_hour=lost, restart_ms=600_000),),
    ),
    entries,
    st.integers(0, 10**6),
)


@given(asked, books, st.dictionaries(st.sampled_from(("cpu", "gpu", "l4")), st.integers(1, 10**6)))
@settings(max_examples=150, deadline=None)
def test_choices_are_sorted_exact_and_the_cheapest_of_their_kind(work, book, times):
    advice = advise(work, book, times)
    months = [choice.per_month for choice in advice.choices]
    assert months == sorted(months) and all(month >= 0 for month in months)
    kinds = [(choice.way, choice.device) for choice in advice.choices]
    assert len(set(kinds)) == len(kinds)
    every = [one.choice(use_of(work)) for one in means_for(work, book, times)]
    assert months[:1] == sorted(choice.per_month for choice in every)[:1]
    assert all(choice.per_month * 12 >= choice.per_year > (choice.per_month - 1) * 12 for choice in every)


@given(asked, books, st.integers(0, 7))
@settings(max_examples=150, deadline=None)
def test_a_price_that_rises_makes_no_choice_cheaper(work, book, index):
    if not book.prices:
        return
    listed = list(book.prices)
    one = listed[index % len(listed)]
    listed[index % len(listed)] = replace(one, micros_per_hour=one.micros_per_hour + 1)
    before, after = advise(work, book), advise(work, replace(book, prices=tuple(listed)))
    was = {(choice.way, choice.device): choice.per_month for choice in before.choices}
    for choice in after.choices:
        assert choice.per_month >= was[choice.way, choice.device]
