"""A team never holds more than its limit, whatever is asked, taken and given back in whatever order."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from placement.engine import decide
from placement.law.law import Law
from tests.properties.worlds import World, workloads, worlds
from tidegate.model.decision import Outcome
from tidegate.model.money import Team
from tidegate.model.quantity import Resources
from tidegate.model.workload import Workload

LIMITED = ("gpus", "cpus_milli", "memory_bytes")

limits = st.builds(
    Resources,
    gpus=st.integers(0, 4),
    gpu_memory_bytes=st.just(0),
    cpus_milli=st.integers(0, 8_000),
    memory_bytes=st.integers(0, 16 * 2**30),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(workloads(), max_size=8), worlds(), limits, st.data())
def test_a_team_never_holds_more_than_its_limit(
    asked: list[Workload], world: World, limit: Resources, data: st.DataObject
) -> None:
    law = Law((), None, (Team("vision", limit=limit),))
    fleet = world.fleet()
    for number, workload in enumerate(asked):
        before = fleet.used_by_team("vision")
        mine = replace(workload, team=data.draw(st.sampled_from(("vision", "other"))))
        decision = decide(mine, fleet, law, now=5, revision=9)
        if decision.outcome is Outcome.PLACED:
            fleet.take(f"w{number}", decision.slots, mine.demand, mine.team)
        held = fleet.used_by_team("vision")
        for amount in LIMITED:
            bound = getattr(limit, amount)
            grew = getattr(held, amount) > getattr(before, amount)
            assert not (bound and grew) or getattr(held, amount) <= bound
        if fleet.holdings and data.draw(st.booleans()):
            fleet.release(data.draw(st.sampled_from(sorted(fleet.holdings))))


@settings(max_examples=80, deadline=None)
@given(workloads(), worlds())
def test_what_is_given_back_is_as_if_never_taken(workload: Workload, world: World) -> None:
    law = Law((), None, ())
    fleet = world.fleet()
    before, held = decide(workload, fleet, law, now=5, revision=9), fleet.used_by_team(workload.team)
    if before.outcome is Outcome.PLACED:
        fleet.take("w-new", before.slots, workload.demand, workload.team)
        fleet.release("w-new")
    assert fleet.used_by_team(workload.team) == held
    assert decide(workload, fleet, law, now=5, revision=9) == before
