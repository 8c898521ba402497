"""Room, as decisions tell it: what a place could hold, what is free there now, and which GPUs a copy gets."""

from dataclasses import replace

import pytest

from placement.audit.auditor import audit
from placement.fleet.fleet import Fleet
from placement.packing.seating import Among
from tests.placement.places import BOOK, GIB, HALL, LAW, decided, fleet, job, misses, service
from tidegate.model.decision import Decision, Kind, Outcome, Seat, Slot, Unit
from tidegate.model.errors import Refused
from tidegate.model.quantity import Resources
from tidegate.model.site import Engine, GpuSharing, MigInstance, Offer, Site
from tidegate.model.workload import Demand, Gang, Spread, Workload


def hall(**changes: object) -> Site:
    """A hall whose nodes have two GPUs each, its only offer changed so."""
    return replace(HALL, engines=(Engine.PROCESS, Engine.RAY), offers=(replace(HALL.offers[0], **changes),))  # type: ignore[arg-type]


def part(share: int = 0, mig: str = "", memory: int = 4 * GIB, copies: int = 1, **more: bool) -> Workload:
    """A service that wants a part of a GPU."""
    demand = Demand(Resources(0, memory, 1_000, GIB), gpu_share_milli=share, mig_profile=mig, **more)
    return replace(service(copies=copies), demand=demand)


def taken(places: Fleet, name: str, work: Workload) -> Decision:
    """Decided, audited and taken."""
    decision = decided(work, places)
    assert decision.outcome is Outcome.PLACED
    assert audit(work, decision, places, LAW) == ()
    places.take(name, decision.slots, work.demand, work.team, decision.seats)
    return decision


def kinds(decision: Decision) -> dict[str, Kind]:
    """The rules that refused somebody, with what they are about."""
    return {column.rule: column.kind for column in decision.columns if column.refused(len(decision.candidates))}


def test_what_is_taken_is_told_apart_from_what_was_never_there() -> None:
    places = fleet(HALL)
    taken(places, "w1", service(gpus=2, copies=2))
    now = decided(service(gpus=1), places)
    assert kinds(now) == {"gpus-free": Kind.CAPACITY}
    assert (misses(now, "hall")["gpus-free"].wanted_number, misses(now, "hall")["gpus-free"].found_number) == (1, 0)
    never = decided(service(gpus=3), places)
    assert kinds(never) == {"gpus": Kind.SHAPE}
    assert misses(never, "hall")["gpus"].found_number == 2


def test_a_gang_that_would_fit_if_it_waited_has_capacity_against_it_alone() -> None:
    places = fleet(hall())
    taken(places, "w1", job(workers=1, gpus=1))
    waits = decided(job(workers=2, gpus=2), places)
    assert kinds(waits) == {"copies-free": Kind.CAPACITY}
    assert misses(waits, "hall")["copies-free"].found_number == 1
    too_large = decided(job(workers=3, gpus=2), places)
    assert kinds(too_large) == {"copies": Kind.SHAPE}
    assert misses(too_large, "hall")["copies"].found_number == 2


def test_what_is_too_dear_when_empty_would_not_fit_if_it_waited() -> None:
    places = fleet(hall())
    taken(places, "w1", job(workers=2, gpus=2))
    dear = replace(job(workers=2, gpus=2), max_cost_micros_per_hour=1)
    law = replace(LAW, price_book=replace(BOOK, idle_owned_ppm=500_000))
    assert kinds(decided(dear, places, law)) == {"max-cost": Kind.PRICE, "gpus-free": Kind.CAPACITY}


def test_a_packed_gang_takes_few_nodes_and_a_spread_one_a_node_for_each() -> None:
    packed = decided(job(workers=2, gpus=1), fleet(hall()))
    assert packed.seats == (Seat(0, (0,)), Seat(0, (1,)))
    work = job(workers=2, gpus=1)
    assert work.training is not None
    spread = replace(work, training=replace(work.training, gang=Gang.SPREAD))
    assert decided(spread, fleet(hall())).seats == (Seat(0, (0,)), Seat(1, (0,)))
    three = replace(spread, training=replace(work.training, gang=Gang.SPREAD, workers=3))
    assert misses(decided(three, fleet(hall())), "hall")["spread"].key == "training.gang"


def test_replicas_on_different_nodes_sit_on_different_nodes() -> None:
    places = fleet(HALL)
    taken(places, "w1", service(gpus=1))
    assert [seat.unit for seat in taken(places, "w2", service(copies=2, spread=Spread.NODE)).seats] == [0, 1]
    third = decided(service(copies=3, spread=Spread.NODE), places)
    assert misses(third, "hall")["spread"].found_number == 2


def test_replicas_have_nodes_of_their_own_now_or_wait() -> None:
    places = fleet(HALL)
    taken(places, "w1", service(gpus=2))
    assert kinds(decided(service(copies=2, spread=Spread.NODE, gpus=1), places)) == {"copies-free": Kind.CAPACITY}


def test_one_copy_a_site_waits_for_sites_that_could() -> None:
    places = fleet(HALL, replace(HALL, name="hall-2"))
    taken(places, "w1", service(gpus=2, copies=2))
    both = decided(service(copies=2, spread=Spread.SITE, gpus=1), places)
    assert kinds(both) == {"gpus-free": Kind.CAPACITY, "copies-free": Kind.CAPACITY}
    assert "spread" in kinds(decided(service(copies=3, spread=Spread.SITE, gpus=1), places))


def test_shares_need_an_offer_that_holds_them_or_a_word_that_they_need_not_be_held() -> None:
    none, sliced = fleet(HALL), fleet(hall(gpu_sharing=GpuSharing.TIME_SLICING))
    miss = misses(decided(part(share=500), none), "hall")["gpu-sharing"]
    assert (miss.key, miss.wanted, miss.found) == ("demand.gpuShare", ("fraction",), ("none",))
    assert misses(decided(part(share=500), sliced), "hall")["gpu-sharing"].found == ("time_slicing",)
    assert decided(part(share=500, time_slicing=True), sliced).outcome is Outcome.PLACED


def test_shares_fill_gpus_by_compute_and_memory() -> None:
    places = fleet(hall(gpu_sharing=GpuSharing.FRACTION, count=1))
    assert taken(places, "w1", part(share=600)).seats == (Seat(0, (0,)),)
    assert taken(places, "w2", part(share=600)).seats == (Seat(0, (1,)),)
    assert taken(places, "w3", part(share=300, memory=16 * GIB)).seats == (Seat(0, (0,)),)
    full = misses(decided(part(share=500), places), "hall")
    assert (full["gpus-free"].key, full["gpus-free"].unit, full["gpus-free"].found_number) == (
        "demand.gpuShare",
        Unit.GPU_MILLI,
        400,
    )
    assert set(misses(decided(part(share=100, memory=17 * GIB), places), "hall")) == {"gpu-memory-free"}
    assert set(misses(decided(part(share=350, memory=17 * GIB), places), "hall")) == {"gpu-memory-free"}
    assert set(misses(decided(service(gpus=1), places), "hall")) == {"gpus-free"}
    places.release("w2")
    assert decided(service(gpus=1), places).seats == (Seat(0, (1,)),)


def test_instances_are_seated_by_profile_and_place() -> None:
    node = Offer("node", Resources(1, 80 * GIB, 32_000, 128 * GIB), gpu_model="NVIDIA H100", gpu_sharing=GpuSharing.MIG)
    places = fleet(replace(HALL, offers=(node,)))
    assert taken(places, "w1", part(mig="1g.10gb")).seats == (Seat(0, (0,), 6),)
    assert taken(places, "w2", part(mig="4g.40gb", memory=30 * GIB)).seats == (Seat(0, (0,), 0),)
    miss = misses(decided(part(mig="2g.20gb", copies=2), places), "hall")
    assert set(miss) == {"copies-free"} and miss["copies-free"].found_number == 1
    none = misses(decided(part(mig="3g.40gb"), places), "hall")["gpus-free"]
    assert (none.key, none.wanted, none.wanted_number, none.found_number) == ("demand.mig", ("3g.40gb",), 1, 0)
    other = misses(decided(part(mig="1g.5gb"), places), "hall")
    assert other["gpu-sharing"].wanted == ("mig 1g.5gb",) and other["gpu-sharing"].found == ("mig h100-80gb",)
    assert misses(decided(service(gpus=1), places), "hall")["gpus-free"].found_number == 0
    small = misses(decided(part(mig="1g.10gb", memory=11 * GIB), places), "hall")
    assert set(small) == {"gpu-memory"}


def test_a_layout_that_stands_is_all_there_is() -> None:
    layout = (MigInstance(0, "3g.40gb", 4), MigInstance(0, "1g.10gb", 1))
    node = Offer("node", Resources(1, 80 * GIB, 32_000, 128 * GIB), gpu_model="H100", gpu_sharing=GpuSharing.MIG)
    places = fleet(replace(HALL, offers=(replace(node, mig_layout=layout),)))
    assert taken(places, "w1", part(mig="1g.10gb")).seats == (Seat(0, (0,), 1),)
    assert set(misses(decided(part(mig="1g.10gb"), places), "hall")) == {"gpus-free"}
    assert set(misses(decided(part(mig="4g.40gb"), places), "hall")) == {"copies"}
    assert set(misses(decided(service(gpus=1), places), "hall")) == {"gpus"}


def test_a_fleet_asks_its_policy_which_unit() -> None:
    class Last:
        """The unit with the highest number."""

        def pick(self, among: Among, *_: object) -> int:
            return len(among) - 1

        def is_tightest(self, *_: object) -> bool:
            return False

    places = Fleet(Last())
    places.put_site(HALL, reachable=True, cordoned=False)
    places.take("w1", (Slot("hall", "node", 1),), service(gpus=1).demand, seats=(Seat(0, (1,)),))
    assert decided(service(gpus=1), places).seats == (Seat(1, (0,)),)


def test_elastic_units_that_are_bought_are_filled_before_more_are() -> None:
    bought = replace(HALL.offers[0], count=5, elastic=True)
    places = fleet(replace(HALL, offers=(bought,)))
    places.take("w1", (Slot("hall", "node", 1),), service(gpus=1).demand, seats=(Seat(3, (0,)),))
    assert decided(service(gpus=1), places).seats == (Seat(3, (1,)),)
    assert decided(service(gpus=2), places).seats == (Seat(0, (0, 1)),)
    assert kinds(decided(service(gpus=2, copies=6), places)) == {"copies": Kind.SHAPE}
    assert kinds(decided(service(gpus=2, copies=5), places)) == {"copies-free": Kind.CAPACITY}


def test_work_that_stays_where_it_is_keeps_its_seats() -> None:
    places = fleet(HALL)
    slots = (Slot("hall", "node", 1),)
    places.take("w1", slots, service(gpus=1).demand, seats=(Seat(1, (1,)),))
    assert places.seats_kept("w1", slots, (Seat(0, (0,)),)) == (Seat(1, (1,)),)
    assert places.seats_kept("w1", slots, (Seat(0),)) == (Seat(0),)
    assert places.seats_kept("w2", slots, (Seat(0, (0,)),)) == (Seat(0, (0,)),)


@pytest.mark.parametrize(
    ("demand", "field"),
    [
        (Demand(Resources(), gpu_share_milli=1_000), "demand.gpu_share_milli"),
        (Demand(Resources(), gpu_share_milli=-1), "demand.gpu_share_milli"),
        (Demand(Resources(), mig_profile="9g.90gb"), "demand.mig_profile"),
        (Demand(Resources(gpus=1), gpu_share_milli=500), "demand"),
        (Demand(Resources(), gpu_share_milli=500, mig_profile="1g.5gb"), "demand"),
    ],
)
def test_a_demand_that_makes_no_sense_is_refused_by_field(demand: Demand, field: str) -> None:
    with pytest.raises(Refused) as refused:
        decided(replace(service(), demand=demand))
    assert refused.value.field == field
