"""What a candidate costs, cause by cause, through the engine; and that nothing is ever lost in rounding."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placement.law.law import Law
from tests.placement.places import BOOK, CLOUD, GIB, HALL, PRESS, decided, fleet, job, service
from tests.properties.worlds import laws, workloads, worlds
from tidegate.model.decision import Cost
from tidegate.model.money import Availability, EgressPrice, Ownership, Price, PriceBook, Uplift
from tidegate.model.site import Pricing
from tidegate.model.workload import Data, Workload

GPU_JOB = job(workers=3, gpus=1)


def cost(workload: Workload, book: PriceBook, *sites: object) -> Cost:
    return decided(workload, fleet(*sites), Law((), book)).cost  # type: ignore[arg-type]


def spot(**said: int) -> PriceBook:
    return replace(BOOK, availability=(Availability(**said),))


def test_a_gang_stands_still_whole():
    """Three units, each taken away once in 500 hours; 5 minutes to start and 25 to do again are half an hour of all."""
    book = spot(interruptions_ppm_per_hour=2_000, restart_ms=300_000, lost_work_ms=1_500_000)
    assert cost(GPU_JOB, book, CLOUD) == Cost(compute=1_200_000, spot_loss=1_200_000 * 3 * 1_000 // 1_000_000)


def test_a_job_that_saves_often_loses_little():
    book = spot(interruptions_ppm_per_hour=2_000, restart_ms=300_000, lost_work_ms=1_500_000)
    assert GPU_JOB.training is not None
    saves = replace(GPU_JOB, training=replace(GPU_JOB.training, checkpoint_every_ms=1_200_000))
    assert cost(saves, book, CLOUD).spot_loss == 1_200_000 * 3 * 2_000 // 4 // 1_000_000


def test_a_service_loses_one_replica_at_a_time_and_repeats_nothing():
    book = spot(interruptions_ppm_per_hour=2_000, restart_ms=360_000, lost_work_ms=1_500_000)
    assert cost(service(3, gpus=1), book, CLOUD) == Cost(compute=1_200_000, spot_loss=240)


def test_what_is_often_taken_away_may_be_dearer_than_what_costs_more():
    twice = replace(
        CLOUD,
        offers=(CLOUD.offers[0], replace(CLOUD.offers[0], name="g5-od", instance_type="g5", pricing=Pricing.ON_DEMAND)),
    )
    prices = (*BOOK.prices, Price("g5", 1_000_000))
    calm = replace(BOOK, prices=prices)
    assert decided(GPU_JOB, fleet(twice), Law((), calm)).slots[0].offer == "g5"
    wild = replace(calm, availability=(Availability(interruptions_ppm_per_hour=600_000, lost_work_ms=3_600_000),))
    decision = decided(GPU_JOB, fleet(twice), Law((), wild))
    assert decision.slots[0].offer == "g5-od" and decision.cost == Cost(compute=3_000_000)


def test_what_is_not_always_there_costs_more_for_each_useful_hour():
    book = replace(BOOK, availability=(Availability(Pricing.OWNED, available_ppm=800_000),))
    assert cost(service(gpus=2), book, HALL) == Cost(idle=100_000, availability=25_000)


def test_an_uplift_may_be_for_a_class_of_data():
    book = replace(BOOK, uplifts=(Uplift("", 50_000, data_class="phi"), Uplift("US", 10_000)))
    assert cost(replace(job(), data=Data(("phi",))), book, CLOUD).uplift == 340_000 * 60_000 // 1_000_000
    assert cost(replace(job(), data=Data(("public",))), book, CLOUD).uplift == 3_400
    assert cost(replace(job(), data=Data()), book, CLOUD).uplift == 20_400, "nothing known: the strictest"


def test_a_gb_is_not_a_gib():
    data = Data(("public",), origin="plant", bytes_per_day=24 * 10**9)
    for book, egress in (
        (replace(BOOK, egress=(EgressPrice("plant", "", micros_per_gb=90_000),)), 90_000),
        (replace(BOOK, egress=(EgressPrice("plant", "", 90_000),)), 83_820),
    ):
        assert cost(replace(job(), data=data), book, PRESS, CLOUD).egress == egress


def test_a_gpu_model_is_priced_by_the_gpu():
    book = PriceBook("by-gpu", prices=(Price(gpu_model="l4", micros_per_month=730, pricing=Pricing.OWNED),))
    assert cost(service(gpus=2), replace(book, idle_owned_ppm=1_000_000), HALL).idle == 2


def test_owned_by_purchase_is_charged_for_the_share_it_gives():
    owned = Ownership(43_800_000_000, 43_800, hosting_micros_per_month=730_000_000)
    book = PriceBook("own", prices=(Price("node", pricing=Pricing.OWNED, owned=owned),), idle_owned_ppm=500_000)
    assert cost(service(gpus=1), book, HALL).idle == 500_000


def test_the_price_of_the_moment_counts():
    newer = replace(BOOK, version=4, effective_from=6, prices=(Price("c6", 1),))
    law = Law((), books=(BOOK, newer))
    assert decided(job(), fleet(CLOUD), law).cost.compute == 340_000
    assert decided(job(), fleet(CLOUD), law).price_book == "list@3"
    today = replace(newer, effective_from=5)
    decision = decided(job(), fleet(CLOUD), Law((), books=(BOOK, today)))
    assert (decision.cost.compute, decision.price_book) == (1, "list@4")


def test_numbers_at_the_bound_do_not_overflow():
    book = PriceBook(
        "dear",
        prices=(Price("node", 10**11, pricing=Pricing.OWNED), Price("c6", 10**11)),
        availability=(
            Availability(Pricing.OWNED, available_ppm=1),
            Availability(Pricing.ON_DEMAND, interruptions_ppm_per_hour=10**9, restart_ms=30 * 24 * 3_600_000),
        ),
        idle_owned_ppm=1_000_000,
        uplifts=(Uplift("US", 1_000_000),),
    )
    assert cost(service(cpus_milli=32_000), book, HALL) == Cost(idle=10**11, availability=100 * 10**11)
    assert cost(job(workers=10, cpus_milli=8_000), book, replace(CLOUD, offers=CLOUD.offers[1:])) == Cost(
        compute=10**12, uplift=10**12, spot_loss=100 * 10**12
    )


@given(workloads(), worlds(), laws())
@settings(max_examples=150, deadline=None)
def test_the_causes_add_up_and_none_is_negative(workload, world, law):
    decision = decided(workload, world.fleet(), law)
    for one in decision.ranked:
        causes = (
            one.cost.compute,
            one.cost.egress,
            one.cost.uplift,
            one.cost.idle,
            one.cost.spot_loss,
            one.cost.availability,
        )
        assert min(causes) >= 0 and sum(causes) == one.cost.total
        assert one.score.cost_micros_per_hour == one.cost.total + one.penalty_micros_per_hour


def dearer(book: PriceBook, part: str, index: int) -> PriceBook:
    """The same book with one entry dearer."""
    entries = list(getattr(book, part))
    one = entries[index % len(entries)]
    up = {
        Price: lambda p: replace(p, micros_per_hour=p.hourly * 3 // 2 + 1, micros_per_month=0, owned=None),
        EgressPrice: lambda e: replace(e, micros_per_gib=0, micros_per_gb=(e.micros_per_gib + e.micros_per_gb) * 2 + 1),
        Uplift: lambda u: replace(u, ppm=u.ppm * 2 + 1),
        Availability: lambda a: replace(
            a, interruptions_ppm_per_hour=a.interruptions_ppm_per_hour * 2, restart_ms=10**7
        ),
    }[type(one)]
    entries[index % len(entries)] = up(one)
    return replace(book, **{part: tuple(entries)})


@given(
    workloads(),
    worlds(),
    laws(),
    st.sampled_from(("prices", "egress", "uplifts", "availability")),
    st.integers(0, 9),
)
@settings(max_examples=200, deadline=None)
def test_no_price_that_rises_makes_anything_cheaper(workload, world, law, part, index):
    law = law.at(5)
    if law.price_book is None or not getattr(law.price_book, part):
        return
    workload = replace(workload, max_cost_micros_per_hour=0)
    before = {one.site: one for one in decided(workload, world.fleet(), law).ranked}
    after = decided(workload, world.fleet(), replace(law, price_book=dearer(law.price_book, part, index)))
    for one in after.ranked:
        # Copies on several offers fill the cheapest per copy first, which need not be the cheapest in sum.
        if len(one.slots) == len(before[one.site].slots) == 1:
            assert one.cost.total >= before[one.site].cost.total


@pytest.mark.parametrize("pricing", list(Pricing))
def test_every_way_of_paying_has_its_price(pricing: Pricing):
    offer = replace(CLOUD.offers[0], pricing=pricing, elastic=pricing is not Pricing.OWNED)
    prices = tuple(Price("g5", 1_000_000 * (1 + n), pricing=kind) for n, kind in enumerate(Pricing))
    paid = cost(job(gpus=1), PriceBook("all", prices=prices, idle_owned_ppm=1_000_000), replace(CLOUD, offers=(offer,)))
    assert paid.total == 1_000_000 * (1 + list(Pricing).index(pricing))


def test_sites_without_a_book_cost_nothing():
    assert (
        cost(replace(job(), data=Data(("public",), origin="plant", bytes_per_day=GIB)), PriceBook("empty"), PRESS)
        == Cost()
    )
