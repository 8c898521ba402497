"""Work that moves, and a service that takes the place of another, count once: in limits, guarantees and budgets."""

from dataclasses import replace

import pytest

from broker.core.again import Again
from broker.core.commands import AdoptPlan, ApplyDeclarations, CordonSite, DrainSite, SiteSilent, SubmitWorkload, Tick
from broker.core.decide.draining import planned
from broker.core.decide.workloads import plan
from broker.core.freeze import freeze, thaw
from broker.core.state import State
from tests.broker.core.test_conversations import at_work
from tests.broker.core.test_proposing import anywhere, clouds, prices, propose, region
from tests.support.builders import stay_home
from tests.support.playbook import Playbook
from tidegate.model.decision import Outcome
from tidegate.model.money import Team
from tidegate.model.plan import Goal
from tidegate.model.quantity import Resources
from tidegate.model.workload import Disconnect, OnDisconnect

HOURS = 31 * 24
PRICE = 200_000
ONE = Resources(cpus_milli=2_000)
"""What one of these services takes."""
BOUNDS = ("limit", "share", "firm", "budget")


def pressed(bound: str, services: int = 1, **listed: int) -> Playbook:
    """A team that may hold, or pay for, so many services and not one more; that many stand at `a`."""
    play = clouds(**(listed or {"a": PRICE, "b": PRICE}))
    play.ask(CordonSite(4, "rack-de"))
    cpus = Resources(cpus_milli=ONE.cpus_milli * services)
    whole = play.state.fleet.columns.capacity["cpus"]
    teams = {
        "limit": (Team("press", limit=cpus),),
        "share": (Team("press", guaranteed=cpus, borrowing=False),),
        "firm": (Team("press"), Team("other", guaranteed=Resources(cpus_milli=whole - cpus.cpus_milli))),
        "budget": (Team("press", budget_micros_per_month=PRICE * HOURS * services + 8),),
    }
    play.ask(ApplyDeclarations(4, teams[bound]))
    play.ask(CordonSite(4, "b"))
    for number in range(services):
        play.ask(SubmitWorkload(5, one(number)))
        assert at_work(play, play.state.find(f"s{number}").id).state.find(f"s{number}").sites == ("a",)
    more = play.ask(SubmitWorkload(6, one(services))).decision
    assert more.outcome is Outcome.REFUSED, "there is room for no more"
    play.ask(CordonSite(6, "b", lift=True))
    return play


def one(number: int, **changes):
    """A service that may be replaced soon."""
    away = Disconnect(replace=OnDisconnect.ANYWHERE, replace_after_ms=10)
    return anywhere(f"s{number}", **{"team": "press", "disconnect": away, **changes})


def decided_again(play: Playbook) -> Playbook:
    """The log, folded and decided again, says the same, and a snapshot is the state."""
    again, state = Again(), State()
    for recorded in play.recorded:
        assert again.before(state, recorded.event) == ()
        state.apply(recorded)
        assert freeze(thaw(freeze(state))) == freeze(state)
    kept = thaw(freeze(play.state)).fleet
    assert kept.aside == play.state.fleet.aside
    assert dict(kept.ledger.stakes) == dict(play.state.fleet.ledger.stakes)
    return play


@pytest.mark.parametrize("bound", BOUNDS)
def test_a_site_is_drained_though_its_team_could_not_hold_both(bound):
    play = pressed(bound, services=2)
    shown = planned(play.state, "a", 10)
    assert [move.after[0].site for move in shown.moves] == ["b", "b"], shown.staying
    play.ask(DrainSite(10, "a"))
    assert [play.state.find(f"s{number}").sites for number in (0, 1)] == [("b",), ("b",)]
    assert play.state.find("s0").leaving == ("a",), "it holds both places until it runs at the new one"
    assert play.ask(SubmitWorkload(11, one(9))).decision.outcome is Outcome.REFUSED
    for number in (0, 1):
        at_work(decided_again(play), play.state.find(f"s{number}").id)
    assert play.state.fleet.aside == frozenset() and play.state.find("s0").leaving == ()
    assert play.ask(SubmitWorkload(12, one(9))).decision.outcome is Outcome.REFUSED


@pytest.mark.parametrize("bound", BOUNDS)
def test_what_a_silent_site_had_is_replaced_and_counts_where_it_went(bound):
    play = pressed(bound)
    play.ask(SiteSilent(10, "a"))
    play.ask(Tick(100))
    assert play.state.find("s0").sites == ("b",), play.state.find("s0")
    decided_again(play)


@pytest.mark.parametrize("bound", BOUNDS)
def test_a_plan_moves_what_got_cheaper_elsewhere_and_what_the_law_forbids(bound):
    play = pressed(bound)
    play.ask(ApplyDeclarations(7, (replace(prices(a=PRICE, b=PRICE // 2), version=3),)))
    plan = propose(play, Goal.CHEAPER)
    assert [move.after[0].site for move in plan.moves] == ["b"], plan.staying
    play.ask(AdoptPlan(20, plan))
    assert decided_again(play).state.find("s0").sites == ("b",)
    play = pressed(bound)
    play.ask(ApplyDeclarations(7, (replace(region("b", PRICE), jurisdiction="DE"), stay_home())))
    assert [move.after[0].site for move in propose(play, Goal.LEGAL).moves] == ["b"]


@pytest.mark.parametrize("bound", BOUNDS)
def test_a_new_version_stands_beside_the_old_one_and_counts_in_its_place(bound):
    play = pressed(bound)
    new = one(0, labels={"release": "2"})
    assert plan(play.state, new, 10).outcome is Outcome.PLACED
    made = play.ask(SubmitWorkload(10, new))
    assert made.decision.outcome is Outcome.PLACED
    assert len([each for each in play.state.workloads.without(play.state.ended) if each.live]) == 2
    assert play.ask(SubmitWorkload(11, one(9))).decision.outcome is Outcome.REFUSED
    newest = play.ask(SubmitWorkload(12, one(0, labels={"release": "3"})))
    assert newest.decision.outcome is Outcome.PLACED, "both before it go"
    at_work(play, newest.workload_id)
    assert [each.id for each in play.state.workloads.without(play.state.ended) if each.live] == [newest.workload_id]
    decided_again(play)


@pytest.mark.parametrize("bound", BOUNDS)
def test_what_moves_may_not_grow_by_it(bound):
    play = pressed(bound, a=PRICE, b=4 * PRICE)
    new = one(0, demand=replace(one(0).demand, resources=Resources(cpus_milli=4_000, memory_bytes=9 * 2**30)))
    wanted = Outcome.PLACED if bound == "budget" else Outcome.REFUSED
    assert play.ask(SubmitWorkload(10, new)).decision.outcome is wanted, "a whole machine costs no more than its half"
    if bound == "budget":
        play = pressed(bound, a=PRICE, b=4 * PRICE)
        play.ask(DrainSite(10, "a"))
        assert play.state.find("s0").sites == ("a",), "the month could not pay it"
