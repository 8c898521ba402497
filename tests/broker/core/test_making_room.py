"""Whom a workload may displace, at places that are unlike those it asks for."""

from dataclasses import replace

from broker.core.commands import ApplyDeclarations, SiteAttached, SubmitWorkload
from tests.support.builders import GIB, book, cloud, job
from tests.support.playbook import Playbook
from tidegate.model.money import Team
from tidegate.model.quantity import Resources
from tidegate.model.session import Hello
from tidegate.model.site import Offer
from tidegate.model.workload import Demand

CPUS = Offer("m5", Resources(0, 0, 8_000, 32 * GIB), instance_type="m5")


def asking(name: str, team: str, demand: Demand):
    """A job of two workers."""
    return replace(job(name), team=team, demand=demand)


def test_what_falls_back_on_cpus_takes_its_own_back_where_there_is_no_gpu():
    """It was asked of the models of GPU there, of which there is none, and waited beside what was borrowed from it."""
    play = Playbook()
    vision = Team("vision", Resources(gpus=2, cpus_milli=8_000))
    play.ask(ApplyDeclarations(1, (cloud(offers=(CPUS,)), book(), vision, Team("lab"))))
    play.ask(SiteAttached(2, Hello("burst-us", "b", 0)))
    play.ask(SubmitWorkload(3, asking("borrows", "lab", Demand(Resources(0, 0, 4_000, GIB)))))
    reply = play.ask(
        SubmitWorkload(4, asking("claims", "vision", Demand(Resources(1, 0, 4_000, GIB), cpu_fallback=True)))
    )
    assert [victim.name for victim in reply.decision.victims] == ["borrows"]
    phases = {one.workload.name: str(one.phase) for one in play.state.workloads.values()}
    assert phases == {"borrows": "waiting", "claims": "placed"}
