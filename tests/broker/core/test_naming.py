"""Whose a name is, while services of that name come and go."""

from dataclasses import replace

from broker.core.commands import (
    ApplyDeclarations,
    CancelWorkload,
    DrainSite,
    RegisterModel,
    SiteAttached,
    SubmitWorkload,
)
from tests.broker.core.test_conversations import at_work, fleet
from tests.broker.core.test_waiting import NODE, train
from tests.support.builders import GIB, book, cloud, model, service
from tests.support.playbook import Playbook
from tidegate.model.assignment import Phase
from tidegate.model.decision import Outcome
from tidegate.model.event import WorkloadDecided, WorkloadSubmitted
from tidegate.model.quantity import Resources
from tidegate.model.session import Hello
from tidegate.model.site import Engine
from tidegate.model.workload import Demand, Priority, Wait, Workload


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


def version(number: int, gpus: int = 0) -> Workload:
    asked = Demand(Resources(gpus=gpus, cpus_milli=1_000, memory_bytes=GIB))
    return service(demand=asked, labels={"version": str(number)}, latency=None, wait=Wait())


def one_at_work_and_one_waiting() -> tuple[Playbook, str, str]:
    """A service that runs where all GPUs are taken, and its next version, which needs some."""
    play = Playbook()
    both = cloud(offers=(NODE,), engines=(Engine.RAY, Engine.PROCESS))
    play.ask(ApplyDeclarations(1, (both, book())))
    play.ask(SiteAttached(2, Hello("burst-us", "b", 0)))
    play.ask(RegisterModel(3, model()))
    play.ask(SubmitWorkload(4, train("full", workers=2, priority=Priority.PRODUCTION)))
    first = play.ask(SubmitWorkload(5, version(1))).workload_id
    at_work(play, first)
    second = play.ask(SubmitWorkload(6, version(2, gpus=4))).workload_id
    assert play.state.workloads[second].phase is Phase.WAITING
    assert play.state.find("inspect").id == first
    return play, first, second


def test_a_version_that_waits_is_given_up_for_a_newer_one():
    play, first, second = one_at_work_and_one_waiting()
    third = play.ask(SubmitWorkload(7, version(3))).workload_id
    assert play.state.workloads[second].phase is Phase.CANCELLED
    assert third in play.state.workloads[second].detail
    at_work(play, third)
    assert [one.id for one in play.state.workloads.values() if one.live and one.workload.inference] == [third]
    assert play.state.workloads[first].phase is Phase.STOPPING


def test_a_version_that_waits_is_kept_where_a_newer_one_is_refused():
    play, first, second = one_at_work_and_one_waiting()
    hungry = version(3, gpus=400)
    assert play.ask(SubmitWorkload(7, hungry)).decision.outcome is Outcome.REFUSED
    assert play.state.workloads[first].live and play.state.workloads[second].phase is Phase.WAITING


def test_a_version_that_waits_has_the_name_once_the_one_that_ran_has_ended():
    play, first, second = one_at_work_and_one_waiting()
    play.ask(CancelWorkload(7, "inspect"))
    assert play.state.workloads[first].phase is Phase.STOPPING
    assert play.state.find("inspect").id == second
    play.ask(CancelWorkload(8, "inspect"))
    assert play.state.workloads[second].phase is Phase.CANCELLED
