"""Several fields at once, where no field alone would do and the misses say nothing that helps."""

from dataclasses import replace

from placement.law.law import Law
from tests.placement.places import GIB, fleet, job, service
from tests.placement.proposals.test_one_field import BAA, NODE, hall, told
from tidegate.model.money import Price, PriceBook
from tidegate.model.policy import Expression, Operator, Policy, Rule
from tidegate.model.site import Pricing

LISTED = replace(NODE, pricing=Pricing.RESERVED)
UNLISTED = replace(NODE, name="unlisted", pricing=Pricing.SPOT)
LAW = Law((), PriceBook("b", 1, prices=(Price("node", 100_000, pricing=Pricing.RESERVED),)))


def test_an_unlisted_price_is_avoided_by_fewer_copies_under_a_higher_ceiling() -> None:
    """The miss knows no price, and fewer copies alone are still too dear."""
    gang = replace(job(workers=16, memory_bytes=2 * GIB), max_cost_micros_per_hour=50_000)
    assert told(gang, fleet(hall(LISTED, UNLISTED)), LAW) == {
        "hall": ["training.workers 16 -> 8", "maxCost 0.05 -> 0.1"],
    }


def test_less_data_and_fewer_copies_are_found_where_the_link_and_the_price_are_in_the_way() -> None:
    work = replace(service(copies=16), max_cost_micros_per_hour=100_000)
    work = replace(work, data=replace(work.data, origin="plant", bytes_per_day=4 * GIB))
    places = fleet(hall(LISTED, UNLISTED, uplink_bytes_per_day=3 * GIB))
    assert told(work, places, LAW) == {"hall": ["replicas.min 16 -> 8", "data.bytesPerDay 4Gi -> 3Gi"]}


def test_an_agreement_opens_an_offer_beside_one_that_has_no_room_and_fewer_copies_stand_there() -> None:
    """The law allows the site for the sake of the other offer, so it is not the law that refuses."""
    zoned = Rule("zoned", when=(Expression("offer.zone", Operator.EXISTS, ()),), require=(BAA,))
    none = replace(NODE, name="none", count=0)
    gang = job(workers=16, memory_bytes=2 * GIB)
    assert told(gang, fleet(hall(none, replace(NODE, zone="a"))), Law((Policy("p", 1, rules=(zoned,)),))) == {
        "hall": ["site.agreements  -> baa", "training.workers 16 -> 8"],
    }


def test_where_even_everything_would_not_do_nothing_is_proposed() -> None:
    gang = replace(job(workers=16), max_cost_micros_per_hour=50_000)
    assert told(gang, fleet(hall(UNLISTED)), LAW) == {}
