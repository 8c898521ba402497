"""How work leaves a place from which it was moved while that was away."""

from broker.core.commands import CancelWorkload, DrainSite, ReportStatuses, SiteAttached, SiteSilent, SubmitWorkload
from tests.broker.core.test_conversations import at_work, fleet
from tests.support.builders import service
from tests.support.playbook import like
from tidegate.model.assignment import Phase, Status
from tidegate.model.event import PlanAdopted, SiteCordoned, SiteJoined, SiteLost, WorkloadDecided, WorkloadProgressed
from tidegate.model.session import Hello


def test_what_was_moved_from_a_silent_site_by_hand_leaves_it_when_the_site_returns():
    play = fleet()
    workload_id = play.ask(SubmitWorkload(5, service())).workload_id
    here = play.state.workloads[workload_id].sites[0]
    at_work(play, workload_id)
    play = play >> SiteSilent(10, here) << SiteLost >> DrainSite(20, here)
    play = play << SiteCordoned << PlanAdopted << WorkloadDecided
    (there,) = play.state.workloads[workload_id].sites
    at_work(play, workload_id)
    assert there != here and play.state.workloads[workload_id].leaving == (here,)
    play = play >> SiteSilent(30, there) << SiteLost  # so it cannot be decided again, and need not be
    play = (
        play
        >> SiteAttached(2_000, Hello(here, "boot-1", 5, running=(workload_id,)))
        << SiteJoined
        << like(WorkloadProgressed, site=here, lets_go=True)
    )
    record = play.state.workloads[workload_id]
    assert (record.sites, record.leaving, record.phase) == ((there,), (), Phase.RUNNING)
    assert workload_id not in play.state.sites[here].desired
    assert play


def test_what_is_cancelled_on_its_way_has_ended_once_both_places_have_let_go():
    play = fleet()
    workload_id = play.ask(SubmitWorkload(5, service())).workload_id
    here = play.state.workloads[workload_id].sites[0]
    at_work(play, workload_id)
    play.ask(DrainSite(10, here))
    (there,) = play.state.workloads[workload_id].sites
    play.ask(CancelWorkload(20, workload_id))
    assert set(play.state.workloads[workload_id].holding) == {here, there}
    for site, phase in ((here, Phase.STOPPING), (there, Phase.CANCELLED)):
        generation = play.state.sites[site].generation
        play.ask(ReportStatuses(30, site, (Status(workload_id, generation, Phase.CANCELLED),)))
        assert play.state.workloads[workload_id].phase is phase
    assert play
