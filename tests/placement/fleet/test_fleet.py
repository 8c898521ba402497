"""The fleet as a fold of facts: rows, holdings, and what happens when a site changes under its work."""

from dataclasses import replace

import pytest

from placement.fleet.columns import UNKNOWN
from placement.fleet.fleet import Fleet
from tests.placement.places import CLOUD, HALL, LAW, PRESS, decided, fleet, job, misses, service
from tidegate.model.decision import Outcome, Slot
from tidegate.model.errors import Refused
from tidegate.model.money import Team
from tidegate.model.quantity import Resources
from tidegate.model.workload import Demand


def test_sites_stand_by_name_whatever_order_they_came_in() -> None:
    assert fleet(CLOUD, PRESS, HALL).columns.names == ("hall", "press-7", "us-east-1")
    assert tuple(fleet(CLOUD, PRESS, HALL).sites) == ("hall", "press-7", "us-east-1")


def test_what_came_and_went_changes_rows_and_not_arrays() -> None:
    places = fleet()
    columns = places.columns
    columns.round_trips("plant")
    places.put_site(HALL, reachable=False, cordoned=True)
    places.put_link("plant", "hall", 900, 5, samples=300)
    places.take("w1", (Slot("hall", "node", 1),), service(gpus=1).demand)
    assert places.columns is columns
    row = columns.row_of["hall"]
    assert (columns.reachable[row], columns.cordoned[row]) == (False, True)
    worth = columns.round_trips("plant").at(6)
    assert (int(worth.us[row]), int(worth.measured_at[row])) == (900, 5)
    assert columns.unit_gpus.tolist() == [1]


def test_what_an_agent_observes_replaces_what_was_declared() -> None:
    places = fleet(HALL)
    places.put_site(HALL, reachable=True, cordoned=False, observed=PRESS.offers)
    assert set(misses(decided(service(gpus=1), places), "hall")) == {"gpus"}


def test_copies_fill_the_first_unit_with_room_and_leave_it_as_it_was() -> None:
    places = fleet(HALL)
    before = decided(service(gpus=2), places)
    holding = places.take("w1", (Slot("hall", "node", 3),), service(gpus=1).demand, "vision")
    assert [copy.unit for copy in holding.copies] == [0, 0, 1]
    assert places.used_by_team("vision") == Resources(3, 0, 3_000, 3 * 2**30)
    assert misses(decided(service(gpus=2), places), "hall")["gpus-free"].found_number == 1
    places.release("w1")
    places.release("w1")
    assert places.used_by_team("vision") == Resources()
    assert decided(service(gpus=2), places) == before
    assert (places.columns.unit_offer == UNKNOWN).all()


def test_taking_again_replaces_what_was_held() -> None:
    places = fleet(HALL)
    for count in (2, 1):
        places.take("w1", (Slot("hall", "node", count),), service(gpus=2).demand, "vision")
    assert places.used_by_team("vision").gpus == 2


def test_a_restored_holding_stands_on_the_units_it_stood_on() -> None:
    places = fleet(HALL)
    places.take("w1", (Slot("hall", "node", 1),), service(gpus=2).demand)
    held = places.take("w2", (Slot("hall", "node", 1),), service(gpus=1).demand)
    places.release("w1")
    again = fleet(HALL)
    again.restore(held)
    assert again.holdings == places.holdings
    assert again.holdings["w2"].copies[0].unit == 1
    assert decided(service(gpus=2), again) == decided(service(gpus=2), places)


def test_a_site_that_shrinks_under_its_work_keeps_the_holdings_and_has_no_room() -> None:
    places = fleet(HALL)
    places.take("w1", (Slot("hall", "node", 2),), service(gpus=2).demand)
    smaller = replace(HALL, offers=(replace(HALL.offers[0], count=1),))
    places.put_site(smaller, reachable=True, cordoned=False)
    assert len(places.holdings["w1"].copies) == 2
    assert decided(service(gpus=1), places).outcome is Outcome.REFUSED
    places.put_site(replace(HALL, offers=()), reachable=True, cordoned=False)
    assert decided(service(gpus=1), places).outcome is Outcome.REFUSED
    places.release("w1")
    places.put_site(HALL, reachable=True, cordoned=False)
    assert decided(service(gpus=1, cpus_milli=0), places).outcome is Outcome.PLACED


def test_a_copy_that_demands_nothing_takes_nothing() -> None:
    places = fleet(HALL)
    places.take("w1", (Slot("hall", "node", 2),), Demand(Resources()))
    places.release("w1")
    assert not places.holdings


def test_a_team_at_its_limit_gets_nothing_more_anywhere() -> None:
    law = replace(LAW, teams=(Team("vision", limit=Resources(gpus=2)),))
    places = fleet()
    asked = replace(job(workers=2, gpus=1), team="vision")
    first = decided(asked, places, law)
    assert first.outcome is Outcome.PLACED
    places.take("w1", first.slots, asked.demand, "vision")
    second = decided(asked, places, law)
    miss = misses(second, "us-east-1")["team-limit"]
    assert (miss.key, miss.wanted_number, miss.found_number) == ("team.limit.gpus", 2_000, 4_000)
    assert decided(replace(asked, team="other"), places, law).outcome is Outcome.PLACED


def test_two_offers_of_one_name_are_refused() -> None:
    with pytest.raises(Refused) as refused:
        Fleet().put_site(replace(HALL, offers=HALL.offers * 2), reachable=True, cordoned=False)
    assert refused.value.field == "offers[1].name"


def test_an_offer_has_a_bounded_number_of_units() -> None:
    most = replace(HALL, offers=(replace(HALL.offers[0], count=1_000_000),))
    fleet(most)
    with pytest.raises(Refused):
        fleet(replace(HALL, offers=(replace(HALL.offers[0], count=1_000_001),)))
