"""A class seen before: after a change of one node its answer is made good without looking at the others."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from placement.engine import decide
from placement.fleet.fleet import Fleet
from placement.law.law import Law
from placement.packing.packing import Packing
from tests.placement.places import HALL, service
from tidegate.model.decision import Decision, Seat, Slot
from tidegate.model.quantity import Resources
from tidegate.model.site import GpuSharing
from tidegate.model.workload import Demand, Workload

LAW = Law()
WORK: Workload = service(gpus=0)
OFFER = HALL.offers[0]
Packed = list[tuple[int, ...] | None]


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Packed]:
    """The sites of every packing that was made: None for all of them."""
    made: Packed = []
    begin = Packing.__init__

    def init(self: Packing, *given: object) -> None:
        made.append(given[5] if len(given) > 5 else None)  # type: ignore[arg-type]
        begin(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Packing, "__init__", init)
    yield made


def fleet() -> Fleet:
    """Three halls that are alike."""
    places = Fleet()
    for name in ("hall-1", "hall-2", "hall-3"):
        places.put_site(replace(HALL, name=name), reachable=True, cordoned=False)
    return places


def asked(places: Fleet) -> Decision:
    return decide(WORK, places, LAW, now=5, revision=1)


def never_asked(places: Fleet) -> Decision:
    """What a fleet that has just been made says of the same facts."""
    again = fleet()
    for holding in places.holdings.values():
        again.restore(holding)
    return asked(again)


def take(places: Fleet, name: str, site: str, cpus_milli: int) -> None:
    places.take(name, (Slot(site, OFFER.name, 1),), Demand(Resources(0, 0, cpus_milli, 2**20)))


def test_a_change_that_leaves_room_packs_nothing_again(packed: Packed) -> None:
    places = fleet()
    first = asked(places)
    take(places, "w1", "hall-2", 1)
    assert asked(places).ranking == first.ranking
    assert packed == [None]


def test_a_change_that_takes_all_room_packs_one_site_again(packed: Packed) -> None:
    places = fleet()
    asked(places)
    for number in range(OFFER.count):
        take(places, f"w{number}", "hall-2", OFFER.resources.cpus_milli)
    after = asked(places)
    assert packed == [None, (1,)]
    assert {miss.site for miss in after.misses} == {"hall-2"}
    assert after == never_asked(places)


def test_what_came_and_went_between_two_questions_is_nothing(packed: Packed) -> None:
    places = fleet()
    first = asked(places)
    for number in range(OFFER.count):
        take(places, f"w{number}", "hall-2", OFFER.resources.cpus_milli)
    for number in range(OFFER.count):
        places.release(f"w{number}")
    assert asked(places) == first
    assert packed == [None]


def test_who_is_too_far_behind_looks_at_everything(packed: Packed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("placement.fleet.journal.MOST_CAUGHT_UP", 2)
    places = fleet()
    asked(places)
    for number in range(3):
        take(places, f"w{number}", "hall-3", 1)
    assert asked(places) == never_asked(places)
    assert packed[1] is None


def test_seats_follow_what_was_taken_where_the_answer_stands() -> None:
    places = fleet()
    first = asked(places)
    places.take("w1", first.slots, WORK.demand, seats=first.seats)
    assert asked(places) == never_asked(places)
    places.release("w1")
    assert asked(places) == first


def test_a_unit_with_as_many_free_gpus_as_before_may_have_others() -> None:
    places = fleet()
    on_gpu = service(gpus=1)
    one = decide(on_gpu, places, LAW, now=5, revision=1)
    (slot,) = one.slots
    for gpu in (0, 1, 0):
        places.take("w1", (slot,), on_gpu.demand, seats=(Seat(0, (gpu,)),))
        assert decide(on_gpu, places, LAW, now=5, revision=1).seats == (Seat(0, (1 - gpu,)),)


def test_what_a_refusal_tells_of_a_shared_gpu_follows_what_takes_it() -> None:
    places = Fleet()
    shared = replace(OFFER, count=1, resources=replace(OFFER.resources, gpus=1), gpu_sharing=GpuSharing.FRACTION)
    places.put_site(replace(HALL, offers=(shared,)), reachable=True, cordoned=False)
    share = Demand(Resources(), gpu_share_milli=600)
    for taken in (600, 700):
        demand = replace(share, gpu_share_milli=taken)
        places.take("w1", (Slot(HALL.name, OFFER.name, 1),), demand, seats=(Seat(0, (0,)),))
        decision = decide(replace(WORK, demand=share), places, LAW, now=5, revision=1)
        assert [miss.found_number for miss in decision.misses] == [1_000 - taken]


def test_what_was_away_while_another_asked_and_came_back_is_seen_to_leave_in_earnest() -> None:
    """The number that a refusal tells: it was looked at in between by others, who saw what is so again at the end."""
    places = Fleet()
    places.put_site(replace(HALL, offers=(replace(OFFER, count=1),)), reachable=True, cordoned=False)
    whole = replace(WORK, demand=Demand(Resources(0, 0, OFFER.resources.cpus_milli, 2**20)))
    for name in ("w1", "w2"):
        take(places, name, HALL.name, 1_000)

    def told(workload: Workload) -> Decision:
        return decide(workload, places, LAW, now=5, revision=1)

    def never_told(workload: Workload) -> Decision:
        again = Fleet()
        again.put_site(places.sites[HALL.name].site, reachable=True, cordoned=False)
        for holding in places.holdings.values():
            again.restore(holding)
        return decide(workload, again, LAW, now=5, revision=1)

    told(whole)
    held = places.holdings["w1"]
    places.release("w1")
    told(replace(whole, labels={"another": "class"}))
    places.restore(held)
    assert told(whole) == never_told(whole)
    places.release("w1")
    assert told(whole) == never_told(whole)
