"""Whose a name is, while services of that name come and go."""

from dataclasses import replace

from broker.core.commands import CancelWorkload, DrainSite, SubmitWorkload
from tests.broker.core.test_conversations import at_work, fleet
from tests.support.builders import service
from tidegate.model.assignment import Phase
from tidegate.model.decision import Outcome
from tidegate.model.event import WorkloadDecided, WorkloadSubmitted


def test_an_old_service_that_is_moved_does_not_take_its_name_back_from_the_new_one():
    play = fleet()
    old = play.ask(SubmitWorkload(5, service())).workload_id
    at_work(play, old)
    new = play.ask(SubmitWorkload(6, service(latency=None))).workload_id
    (here,) = play.state.workloads[old].sites
    play = play >> DrainSite(7, here)
    assert play.state.workloads[old].sites != (here,)
    assert play.state.names["inspect"] == new
    at_work(play, new)
    assert play.state.workloads[old].phase is Phase.STOPPING
    assert play.state.workloads[new].live


def test_a_new_service_that_is_cancelled_before_it_runs_gives_the_name_back_to_the_old():
    play = fleet()
    old = play.ask(SubmitWorkload(5, service())).workload_id
    at_work(play, old)
    new = play.ask(SubmitWorkload(6, service(latency=None))).workload_id
    play.ask(CancelWorkload(7, "inspect"))
    assert play.state.workloads[new].phase is Phase.STOPPING
    assert play.state.find("inspect").id == old
    newest = play.ask(SubmitWorkload(8, service(latency=None, labels={"line": "3"}))).workload_id
    assert play.state.workloads[newest].supersedes == old
    at_work(play, newest)
    assert play.state.workloads[old].phase is Phase.STOPPING
    play.ask(CancelWorkload(9, "inspect"))
    assert not any(record.live for record in play.state.workloads.values())


def test_a_refused_change_leaves_the_old_service_its_name():
    play = fleet()
    old_id = play.ask(SubmitWorkload(5, service())).workload_id
    hungry = replace(service().demand, resources=replace(service().demand.resources, cpus_milli=900_000))
    assert play >> SubmitWorkload(6, service(demand=hungry)) << WorkloadSubmitted << WorkloadDecided
    assert play.reply.decision.outcome is Outcome.REFUSED
    assert play.state.find("inspect").id == old_id
