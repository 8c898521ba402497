"""The cheapest offer of every site is kept with a price list, and follows what comes and goes."""

import random
from dataclasses import replace

import pytest

from placement.fleet.fleet import Fleet
from placement.packing import cheapest
from tests.bench import fleets
from tests.bench.decisions import explain
from tests.properties.test_remembered import again
from tidegate.model.workload import Workload
from tidegate.wire.codec import encode

LAW = fleets.a_law(random.Random(1))


def a_fleet(monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """Thirty sites of six offers each, half of them in use."""
    monkeypatch.setattr(fleets, "SITES", 30)
    return fleets.a_fleet(random.Random(5), 6, standing=0.5)


def newcomers(dice: random.Random, count: int) -> list[Workload]:
    """Of five kinds that recur, each in a class of its own."""
    kinds = [fleets.a_workload(dice, number) for number in range(5)]
    return [
        replace(dice.choice(kinds), name=f"new-{number}", labels={"number": str(number)}) for number in range(count)
    ]


@pytest.mark.parametrize("few", [8, 0], ids=["site by site", "all at once"])
@pytest.mark.parametrize("seed", range(4))
def test_newcomers_are_placed_as_on_a_fleet_that_nobody_has_asked(
    seed: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cheapest, "FEW_SITES", few)
    fleet, dice = a_fleet(monkeypatch), random.Random(seed)
    placed: list[str] = []
    for workload in newcomers(dice, 60):
        decision = explain(workload, fleet, LAW)
        assert encode(decision) == encode(explain(workload, again(fleet), LAW))
        if decision.slots:
            fleet.take(workload.name, decision.slots, workload.demand, workload.team)
            placed.append(workload.name)
        if placed and dice.random() < 0.3:
            fleet.release(placed.pop(dice.randrange(len(placed))))
    assert len(placed) > 10


def test_it_is_kept_once_it_was_asked_for_twice_and_no_more_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet = a_fleet(monkeypatch)
    kept = {"asked": 0, "made": 0}
    of, look = cheapest.Cheapest.of.__func__, cheapest.Cheapest._look_at_all  # type: ignore[attr-defined]

    def counted(cls: type, *given: object) -> object:
        kept["asked"] += 1
        return of(cls, *given)

    def made(self: cheapest.Cheapest, *given: object) -> None:
        kept["made"] += 1
        look(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(cheapest.Cheapest, "of", classmethod(counted))
    monkeypatch.setattr(cheapest.Cheapest, "_look_at_all", made)
    monkeypatch.setattr(cheapest, "MOST_CHEAPEST", 2 * 31)
    workload = replace(fleets.a_workload(random.Random(2), 1), name="w")
    for number in range(4):
        explain(replace(workload, labels={"number": str(number)}), fleet, LAW)
    assert kept["asked"] >= 4 and kept["made"] >= 1
    for number in range(40):
        explain(fleets.a_workload(random.Random(number), number), fleet, LAW)
    assert len(fleet.columns._kept["cheapest"]) <= 2
