"""How work leaves a place from which it was moved while that was away."""

from broker.core.commands import DrainSite, SiteAttached, SiteSilent, SubmitWorkload
from tests.broker.core.test_conversations import at_work, fleet
from tests.support.builders import service
from tests.support.playbook import like
from tidegate.model.assignment import Phase
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
