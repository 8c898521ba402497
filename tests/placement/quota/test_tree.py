"""Teams: what is refused when they are declared, and who is above whom."""

import pytest

from placement.quota.tree import Tree, check
from tests.placement.quota.teams import gpus, team
from tidegate.model.errors import Refused
from tidegate.model.money import Team
from tidegate.model.quantity import Resources


def refusal(*teams):
    with pytest.raises(Refused) as caught:
        check({one.name: one for one in teams}, {one.name: f"declarations[{i}]" for i, one in enumerate(teams)})
    return caught.value.field, caught.value.message


@pytest.mark.parametrize(
    ("teams", "field", "message"),
    [
        ([team("a", parent="b")], "declarations[0].parent", "no such team"),
        ([team("a", parent="a")], "declarations[0].parent", "leads in a circle"),
        ([team("a", parent="b"), team("b", parent="a")], "declarations[0].parent", "leads in a circle"),
        (
            [team("bank", 8), team("a", 5, parent="bank"), team("b", 4, parent="bank")],
            "declarations[2].guaranteed.gpus",
            "the teams below bank are guaranteed more than it is",
        ),
        ([team("a", 8, limit=4)], "declarations[0].limit.gpus", "is below the guarantee"),
        (
            [Team("a", guaranteed_models={"H100": 2000}, limit_models={"H100": 1000})],
            "declarations[0].limit.gpus/H100",
            "is below the guarantee",
        ),
        ([team("a", -1)], "declarations[0].guaranteed.gpus", "is out of bounds"),
        (
            [team("a", borrowing=False, borrowing_limit=gpus(1))],
            "declarations[0].borrowing_limit",
            "excludes borrowing: false",
        ),
        (
            [team("a", 2, lends_nothing=True, lending_limit=gpus(1))],
            "declarations[0].lending_limit",
            "excludes lending: false",
        ),
        (
            [team(f"t{i}", parent=f"t{i + 1}" if i < 8 else "") for i in range(9)],
            "declarations[0].parent",
            "is too deep",
        ),
    ],
)
def test_what_could_not_be_lived_with_is_refused_by_field(teams, field, message):
    assert refusal(*teams) == (field, message)


def test_only_what_is_declared_now_is_blamed():
    teams = {one.name: one for one in (team("bank", 4), team("a", 4, parent="bank"))}
    check(teams, {"a": "declarations[0]"})
    with pytest.raises(Refused) as caught:
        check({**teams, "bank": team("bank", 3)}, {"bank": "declarations[0]"})
    assert caught.value.field == "declarations[0].guaranteed.gpus"


def test_the_way_up():
    tree = Tree((team("bank"), team("risk", parent="bank"), team("fraud", parent="risk")))
    assert tree.path("fraud") == ("fraud", "risk", "bank")
    assert tree.path("nobody-declared-it") == ("nobody-declared-it",)
    assert tree.path("") == ("(none)",)


def test_a_guarantee_must_speak_of_what_it_covers():
    tree = Tree((team("a", 2), Team("b", guaranteed_models={"H100": 2000}), Team("c", Resources(cpus_milli=4000))))
    assert tree.covers("a", {}, {"gpus": 2000, "cpus": 99_000})
    assert not tree.covers("a", {}, {"cpus": 1000})
    assert not tree.covers("a", {"gpus": 1500}, {"gpus": 1000})
    assert tree.covers("b", {}, {"gpus": 2000, "gpus/H100": 2000})
    assert not tree.covers("b", {}, {"gpus": 1000, "gpus/L4": 1000})
    assert tree.covers("c", {}, {"cpus": 4000})
    assert not tree.covers("c", {}, {"gpus": 1000, "cpus": 1000})
