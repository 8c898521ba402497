"""Offers are ranked by price and then by what they strand, however large both are."""

import random

import numpy as np
import pytest

from placement.gpu.wanted import wanted_by
from placement.packing.ground import Ground
from placement.packing.price_list import PriceList
from placement.packing.room import room_for
from placement.packing.usable import Usable
from placement.scoring.cost import Charges
from tests.bench import fleets
from tidegate.model.quantity import Resources
from tidegate.model.workload import Demand

FEW, MANY = 3, 10**9
"""Copies: with many, price and what is stranded have no room beside each other in 64 bits."""


@pytest.mark.parametrize(("copies", "beside"), [(FEW, True), (MANY, False)])
def test_ranks_are_in_the_order_of_price_and_then_of_what_is_stranded(
    copies: int, beside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleets, "SITES", 12)
    columns = fleets.a_fleet(random.Random(3), 6).columns
    demand = Demand(Resources(1, 0, 1_000, fleets.GIB))
    prices = fleets.a_law(random.Random(1)).at(1).prices(columns)
    room = room_for(Ground(columns), wanted_by(demand), demand, Usable())
    table = PriceList.of(columns, room, Charges(prices, (False, 0)), copies, apart=True)
    compute, idle, stranded = table.rows[:-1, 0], table.rows[:-1, 1], table.rows[:-1, -2]
    keys = list(zip((compute + idle).tolist(), stranded.tolist(), strict=True))
    assert len(set(keys)) > 10
    order = np.argsort(table.ranks, kind="stable").tolist()
    assert [keys[shape] for shape in order] == sorted(keys)
    assert len(set(table.ranks.tolist())) == len(set(keys))
    assert not (table.ranks & table.places).any() and table.ranks.min() >= 0
    assert (int(table.ranks.max()) >> columns.place_bits >= len(keys)) is beside
