"""Plans over random fleets: whatever is proposed can be adopted whole, in its order, and is worth what it says.

Adopting goes through a `Playbook`, so after each event the invariants hold, and at the end a replay of the log's bytes
gives the live state.
"""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.commands import AdoptPlan, ApplyDeclarations, CordonSite, SiteAttached, SubmitWorkload
from broker.core.decide.rebalance import TURN
from tests.broker.core.test_conversations import at_work, fleet
from tests.broker.core.test_proposing import anywhere, prices, propose, region
from tests.support.builders import GIB, job, stay_home
from tests.support.playbook import Playbook
from tidegate.model.plan import Goal, Manner, Plan
from tidegate.model.quantity import Resources
from tidegate.model.session import Hello
from tidegate.model.site import Engine

NAMES = ("a", "b", "c", "d")
PRICES = st.fixed_dictionaries({name: st.sampled_from((100_000, 200_000, 201_000, 400_000)) for name in NAMES})


@st.composite
def played(draw: st.DrawFn) -> Playbook:
    """Regions with little room, work placed at one list of prices and running, and then another list, or a new law."""
    play = fleet()
    both = (Engine.PROCESS, Engine.RAY)
    sites = tuple(
        replace(
            region(name, 0, units=draw(st.integers(1, 3))),
            engines=both,
            jurisdiction=draw(st.sampled_from(("DE", "US"))),
        )
        for name in NAMES
    )
    play.ask(ApplyDeclarations(4, (*sites, prices(**draw(PRICES)))))
    for name in NAMES:
        play.ask(SiteAttached(4, Hello(name, "boot-1", 0)))
    for name in draw(st.sampled_from((("rack-de", "burst-us"), ("burst-us",)))):
        play.ask(CordonSite(4, name))
    for number in range(draw(st.integers(1, 7))):
        demand = Resources(0, 0, draw(st.sampled_from((500, 2_000))), draw(st.sampled_from((1, 7, 9))) * GIB)
        asked = anywhere(f"s{number}", preemptible=draw(st.booleans()))
        if draw(st.integers(0, 3)) == 0:
            asked = job(f"j{number}")
        asked = replace(asked, demand=replace(asked.demand, resources=demand))
        play.ask(SubmitWorkload(5, asked))
        if draw(st.integers(0, 3)) and play.state.workloads[f"w{play.state.offset - 1}"].live:
            at_work(play, f"w{play.state.offset - 1}")
    play.ask(ApplyDeclarations(6, (replace(prices(**draw(PRICES)), version=3),)))
    if draw(st.booleans()):
        play.ask(ApplyDeclarations(7, (stay_home(),)))
    return play


def adopt(play: Playbook, plan: Plan) -> list[tuple[str, ...]]:
    """Where each move went, over as many turns as it takes."""
    moved: list[tuple[str, ...]] = []
    for first in range(0, max(len(plan.moves), 1), TURN):
        moved += [move.sites for move in play.ask(AdoptPlan(21, plan, first=first)).moves]
    return moved


@given(played())
@settings(max_examples=40, deadline=None)
def test_what_is_proposed_can_be_adopted_whole(play: Playbook) -> None:
    lived = {workload_id for workload_id, record in play.state.workloads.items() if record.live and record.sites}
    outlawed = {workload_id for workload_id in lived if play.state.workloads[workload_id].outlawed_by}
    plan = propose(play)
    assert plan == propose(play), "the same state has the same plan"
    assert all(adopt(play, plan)), "every move comes out as planned"
    assert plan.bound_micros_per_hour <= plan.cost_after_micros_per_hour
    assert plan.cost_before_micros_per_hour - plan.cost_after_micros_per_hour == plan.gain_micros_per_hour
    moved = {move.workload_id: move for move in plan.moves}
    assert len(moved) == len(plan.moves), "nothing moves twice"
    for workload_id in lived:
        record = play.state.workloads[workload_id]
        assert record.live and record.sites, "nothing is lost by moving"
        if workload_id in outlawed:
            staying = any(one.workload_id == workload_id for one in plan.staying)
            assert staying or not record.outlawed_by
    for move in plan.moves:
        assert (move.goal is Goal.LEGAL) == (move.workload_id in outlawed)
        assert move.goal is Goal.LEGAL or move.gain_micros_per_hour >= 0
        leaving = play.state.workloads[move.workload_id].leaving
        assert bool(leaving) == (move.disruption.manner is Manner.MAKE_BEFORE_BREAK)
    assert play
