"""Adopting a plan: move by move, against the law, and only while its parent holds."""

from dataclasses import replace

from broker.core.commands import (
    AdoptPlan,
    ApplyDeclarations,
    CancelWorkload,
    CordonSite,
    ReportStatuses,
    SubmitWorkload,
)
from broker.core.decide.placing import place
from broker.core.state import State
from tests.broker.core.test_conversations import at_work, fleet
from tests.support.builders import job, press, service
from tests.support.playbook import NOTHING, Playbook, like
from tidegate.model.assignment import Phase, Status
from tidegate.model.decision import Slot
from tidegate.model.errors import Conflict, Refused
from tidegate.model.event import PlanAdopted, SiteCordoned, WorkloadCancelled, WorkloadDecided, WorkloadProgressed
from tidegate.model.plan import Disruption, Goal, Manner, Plan, PlannedMove
from tidegate.model.site import Engine
from tidegate.wire.codec import encode

RACK = (Slot("rack-de", "node", 1),)


def served() -> Playbook:
    """A service that runs at the press; two workers train in the cloud."""
    play = fleet()
    play.ask(SubmitWorkload(5, service(prefer=replace(service().prefer, sites=("press-7",)))))
    play.ask(SubmitWorkload(5, job()))
    for workload_id in tuple(play.state.workloads):
        at_work(play, workload_id)
    return play


def planned(play: Playbook, name: str, after: tuple[Slot, ...], manner: Manner = Manner.MAKE_BEFORE_BREAK) -> Plan:
    """A plan of one move, made of the state as it stands."""
    record = play.state.find(name)
    move = PlannedMove(record.id, name, record.decision.slots, after, Goal.CHEAPER, 1, Disruption(manner))
    return Plan(play.state.offset, (move,), considered=1)


def test_a_service_stands_at_both_places_until_the_new_one_runs():
    play = served()
    workload_id = play.state.find("inspect").id
    plan = planned(play, "inspect", RACK)
    play = (
        play
        >> AdoptPlan(10, plan, "k")
        << PlanAdopted(10, plan, "k")
        << like(WorkloadDecided, workload_id=workload_id, because="rebalance", among=("rack-de",), stop_first=False)
        >> AdoptPlan(11, plan, "k")
        << NOTHING
    )
    assert [move.sites for move in play.reply.moves] == [("rack-de",)]
    assert play.state.find("inspect").leaving == ("press-7",)
    generation = play.state.sites["rack-de"].desired[workload_id].generation
    running = Status(workload_id, generation, Phase.RUNNING, at=12)
    assert play >> ReportStatuses(12, "rack-de", (running,)) << WorkloadProgressed
    assert play.state.find("inspect").leaving == ()
    assert workload_id not in play.state.sites["press-7"].desired


def test_what_is_stopped_first_gives_its_room_back_in_the_same_turn():
    play = served()
    record = play.state.find("inspect")
    play = play >> AdoptPlan(10, planned(play, "inspect", RACK, Manner.STOP_FIRST)) << PlanAdopted
    assert play << like(WorkloadDecided, stop_first=True)
    record = play.state.find("inspect")
    assert (record.sites, record.leaving, record.statuses) == (("rack-de",), (), {})
    assert record.id not in play.state.sites["press-7"].desired
    assert f"{record.id}@press-7" not in play.state.fleet.holdings


def test_a_plan_whose_parent_does_not_hold_is_refused_whole():
    play = served()
    plan = planned(play, "inspect", RACK)
    assert (
        play
        >> CordonSite(9, "press-7")
        << SiteCordoned
        >> AdoptPlan(10, plan)
        << Conflict
        >> AdoptPlan(10, replace(plan, revision=play.state.offset + 9))
        << Conflict
    )


def test_a_plan_is_refused_that_does_not_know_where_things_stand():
    play = served()
    plan = planned(play, "inspect", RACK)
    wrong = replace(plan, moves=(replace(plan.moves[0], before=RACK),))
    gone = replace(plan, moves=(replace(plan.moves[0], workload_id="w9999"),))
    nowhere = replace(plan, moves=(replace(plan.moves[0], after=()),))
    twice = replace(plan, moves=plan.moves * 2)
    for bad, family in ((wrong, Conflict), (gone, Conflict), (nowhere, Refused), (twice, Refused)):
        play = play >> AdoptPlan(10, bad) << family
    play = play >> AdoptPlan(10, plan, "k") << PlanAdopted << WorkloadDecided
    assert play >> AdoptPlan(11, replace(plan, revision=plan.revision - 1), "k") << Conflict


def test_a_move_against_a_rule_is_left_out_and_named():
    play = served()
    only_services = replace(press("press-8"), engines=(Engine.RAY,))
    play.ask(ApplyDeclarations(9, (only_services,)))
    play = play >> AdoptPlan(10, planned(play, "inspect", (Slot("press-8", "box", 1),))) << PlanAdopted
    assert play
    assert [move.sites for move in play.reply.moves] == [()]
    assert play.state.find("inspect").sites == ("press-7",)


def test_a_plan_without_moves_leaves_nothing_behind():
    play = served()
    assert play >> AdoptPlan(10, Plan(play.state.offset)) << NOTHING


def test_a_move_is_decided_again_to_the_same_bytes():
    for manner in Manner:
        play = served()
        play.ask(AdoptPlan(10, planned(play, "inspect", RACK, manner)))
        before = State()
        for recorded in play.recorded[:-1]:
            before.apply(recorded)
        event = play.recorded[-1].event
        assert isinstance(event, WorkloadDecided)
        record = before.workloads[event.workload_id]
        again = place(
            before,
            record.workload,
            record.model,
            event.decision.decided_at,
            revision=event.decision.revision,
            without=record.id if event.stop_first else "",
            among=event.among,
        )
        assert encode(again) == encode(event.decision)


def test_what_was_cancelled_since_is_not_moved():
    play = served()
    plan = planned(play, "train", (Slot("burst-us", "m5", 2),))
    assert play >> CancelWorkload(9, "train") << WorkloadCancelled >> AdoptPlan(10, plan) << Conflict
