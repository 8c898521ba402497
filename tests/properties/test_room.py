"""Room on units, three ways: columns over many units, seats given one by one, and the auditor's brute force."""

from dataclasses import replace
from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from placement.audit.room import Need, Node, gives, wrong_holdings
from placement.fleet.columns import Columns, Mask, Numbers
from placement.fleet.facts import Copy
from placement.fleet.fleet import Fleet
from placement.gpu import count
from placement.gpu.wanted import variants, wanted_by
from placement.packing.ground import Ground
from placement.packing.looking import NEVER
from placement.packing.room import Room, room_for
from placement.packing.seating import Apart, TightestFit, seat_slot
from placement.packing.usable import Usable
from tests.properties.worlds import demands, sites
from tidegate.model.decision import Seat, Slot
from tidegate.model.site import Site
from tidegate.model.workload import Demand

Steps = list[tuple[int, Demand, int]]
steps = st.lists(st.tuples(st.integers(0, 5), demands(), st.integers(1, 3)), max_size=8)


def fleet_of(*declared: Site) -> Fleet:
    """All reachable."""
    fleet = Fleet()
    for site in declared:
        fleet.put_site(site, reachable=True, cordoned=False)
    return fleet


def taken(fleet: Fleet, asked: Steps) -> None:
    """Take what finds room, in turn, on the offers that give it; now and then something is released again."""
    for number, (which, demand, copies) in enumerate(asked):
        columns = fleet.columns
        if not columns.offers:
            return
        row = which % len(columns.offers)
        wanted = wanted_by(demand)
        slot = Slot(columns.names[int(columns.offer_site[row])], columns.offers[row].name, copies)
        if count.accepts(columns.shapes, wanted, demand.time_slicing)[columns.shape[row]]:
            stands = seat_slot(columns, row, slot, wanted, Apart.ANYHOW, TightestFit())
            for copy in reversed(stands or []):
                if not copy.nothing:
                    columns.vacate(copy)
            if stands is not None:
                seats = tuple(Seat(copy.unit, copy.gpus, copy.mig_start) for copy in stands)
                fleet.take(f"w{number}", (slot,), demand, seats=seats)
        if which == 5:
            fleet.release(f"w{number // 2}")


def holds_what_is_counted(room: Room, ground: Ground) -> tuple[list[int], list[int], list[int]]:
    """The best offer of a site is the best of those that are counted to have room, here and at no other site.

    The counts: copies and units with room now, and copies if nothing stood there.
    """
    columns, everywhere, nowhere = ground.columns, ~ground.none, ground.none
    ranks = np.arange(len(columns.build_of_shape))[::-1] // 2 << columns.place_bits
    local = np.arange(len(ground.shape)) - ground.stops[ground.offer_site]
    counts: dict[tuple[bool, bool], Numbers] = {}
    for now, apart in product((True, False), (True, False)):
        holds = (np.minimum(room.each, 1) if apart else room.each)[columns.build_of_shape]
        has, sums, _ = room.counted(everywhere, now=now, apart=apart)
        has = counts[now, apart] = has.copy()
        assert sums.tolist() == np.bincount(ground.offer_site, has, ground.size).tolist()
        for copies in (1, 2, 3, 7):
            keys = np.full(ground.size, NEVER)
            alone = has >= copies
            np.minimum.at(keys, ground.offer_site[alone], (ranks[ground.shape] | local)[alone])
            told = room.counted(everywhere, now=now, apart=apart, copies=copies, ranks=ranks, holds=holds)
            assert told.keys.tolist() == keys.tolist()
            if now:
                assert room.best_now(holds, ranks, copies, apart=apart).tolist() == keys.tolist()
        _, sums, keys = room.counted(nowhere, now=now, apart=apart)
        assert not sums.any() and (keys == NEVER).all()
    return counts[True, False].tolist(), counts[True, True].tolist(), counts[False, False].tolist()


def of_models(columns: Columns, models: tuple[str, ...]) -> Mask:
    """Shape (offers,): those of the models, or all where none is named."""
    shapes = columns.shapes.gpu_model
    return shapes.where(not models or model in models for model in shapes.values)[columns.shape]


def nodes(fleet: Fleet, row: int) -> list[Node]:
    """Every unit of an offer, in use or empty, with the copies on it, as the auditor sees them."""
    columns = fleet.columns
    offer, site = columns.offers[row], columns.names[int(columns.offer_site[row])]
    standing: dict[int, list[Copy]] = {unit: [] for unit in range(offer.count)}
    for held in fleet.holdings.values():
        for copy in held.copies:
            if (copy.site, copy.offer) == (site, offer.name):
                standing[copy.unit].append(copy)
    return [Node(offer, tuple(copies)) for copies in standing.values()]


def arrays(columns: Columns) -> dict[tuple[int, int], list[int]]:
    """What the columns say of every unit in use, whatever rows they are in."""
    units = columns.units
    found: dict[tuple[int, int], list[int]] = {}
    for row in range(len(columns.offers)):
        for number, unit in units.rows_of(row).items():
            gpus = units.gpus_of(row, number)
            amounts = [int(part[0]) for part in units.left(np.array([unit]))]
            found[row, number] = [*amounts, *gpus.milli, *gpus.memory, *gpus.masks]
    return found


@settings(max_examples=250, deadline=None)
@given(sites("s"), steps, demands())
def test_what_columns_count_is_what_can_be_seated_and_what_the_auditor_counts(
    site: Site, asked: Steps, demand: Demand
) -> None:
    fleet = fleet_of(site)
    taken(fleet, asked)
    assert wrong_holdings(fleet) == []
    columns = fleet.columns
    for wanted, models in variants(demand):
        ground = Ground(columns)
        room = room_for(ground, wanted, demand, Usable(*[of_models(columns, models)] * 2))
        copies, units, empty = holds_what_is_counted(room, ground)
        need = Need(wanted.resources, wanted.share_milli, wanted.mig_profile, demand.time_slicing)
        for row, offer in enumerate(columns.offers):
            right = gives(offer, need) and (not models or offer.gpu_model in models)
            times = [node.times(need) if right else 0 for node in nodes(fleet, row)]
            assert copies[row] == sum(times)
            assert units[row] == sum(1 for one in times if one)
            assert empty[row] == offer.count * (Node(offer).times(need) if right else 0)
            if wanted.nothing or not right:
                continue
            slot = Slot("s", offer.name, sum(times))
            before = arrays(columns)
            stands = seat_slot(columns, row, slot, wanted, Apart.ANYHOW, TightestFit())
            assert stands is not None
            assert seat_slot(columns, row, replace(slot, count=1), wanted, Apart.ANYHOW, TightestFit()) is None
            for copy in stands:  # in the order they came, which is not the order they are undone in
                columns.vacate(copy)
            assert arrays(columns) == before


@settings(max_examples=200, deadline=None)
@given(sites("a"), sites("b"), steps)
def test_no_sequence_of_takes_and_releases_overcommits_or_leaves_anything_behind(
    first: Site, second: Site, asked: Steps
) -> None:
    fleet = fleet_of(first, second)
    empty = arrays(fleet.columns), fleet.columns.fresh.tolist()
    taken(fleet, asked)
    assert wrong_holdings(fleet) == []
    kept = arrays(fleet.columns)
    again = fleet_of(first, second)
    for held in fleet.holdings.values():
        again.restore(held)
    assert arrays(again.columns) == kept
    assert again.holdings == fleet.holdings
    built = fleet_of(first, second)
    for held in fleet.holdings.values():
        built.restore(held)  # before anybody asked for columns: they are built from the holdings
    assert arrays(built.columns) == kept
    for name in list(fleet.holdings):
        fleet.release(name)
    assert (arrays(fleet.columns), fleet.columns.fresh.tolist()) == empty


@settings(max_examples=150, deadline=None)
@given(sites("s"), sites("s"), steps, demands())
def test_a_site_that_changes_under_its_work_keeps_it_and_lets_it_go(
    before: Site, after: Site, asked: Steps, demand: Demand
) -> None:
    fleet = fleet_of(before)
    taken(fleet, asked)
    held = dict(fleet.holdings)
    fleet.put_site(after, reachable=True, cordoned=False)
    assert dict(fleet.holdings) == held
    columns = fleet.columns
    for wanted, models in variants(demand):
        ground = Ground(columns)
        room = room_for(ground, wanted, demand, Usable(*[of_models(columns, models)] * 2))
        copies, _, _ = holds_what_is_counted(room, ground)
        assert min(copies, default=0) >= 0
    for name in sorted(held, reverse=True):
        fleet.release(name)
    assert fleet.columns.fresh.tolist() == [offer.count for offer in after.offers]


@settings(max_examples=100, deadline=None)
@given(sites("s"), steps, demands(), st.integers(1, 4), st.sampled_from(tuple(Apart)))
def test_seats_are_as_far_apart_as_asked_and_the_same_each_time(
    site: Site, asked: Steps, demand: Demand, copies: int, apart: Apart
) -> None:
    fleet = fleet_of(site)
    taken(fleet, asked)
    columns, wanted = fleet.columns, wanted_by(demand)
    for row, offer in enumerate(columns.offers):
        if not count.accepts(columns.shapes, wanted, demand.time_slicing)[columns.shape[row]]:
            continue
        slot = Slot("s", offer.name, copies)
        answers = []
        for _ in range(2):
            stands = seat_slot(columns, row, slot, wanted, apart, TightestFit())
            answers.append(stands)
            for copy in reversed(stands or []):
                if not copy.nothing:
                    columns.vacate(copy)
        assert answers[0] == answers[1]
        need = Need(wanted.resources, wanted.share_milli, wanted.mig_profile, demand.time_slicing)
        room = sorted((node.times(need) for node in nodes(fleet, row)), reverse=True)
        if answers[0] is None:
            assert (sum(map(bool, room)) if apart is Apart.EACH_ALONE else sum(room)) < copies
            continue
        on = [copy.unit for copy in answers[0]]
        if apart is Apart.EACH_ALONE:
            assert len(set(on)) == copies
        if apart is Apart.PACKED:
            fewest = next(n for n in range(1, copies + 1) if sum(room[:n]) >= copies)
            assert len(set(on)) == fewest
