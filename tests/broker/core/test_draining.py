"""Draining: a plan that is shown before anything happens, and the same plan recorded when it is adopted."""

from broker.core.commands import CordonSite, DrainSite, SubmitWorkload
from broker.core.decide import draining
from broker.core.decide.draining import planned
from broker.core.decide.placing import Disagreement
from tests.broker.core.test_conversations import at_work, fleet
from tests.support.builders import job, service
from tests.support.playbook import NOTHING, Playbook, like
from tidegate.model.event import PlanAdopted, SiteCordoned, WorkloadDecided
from tidegate.model.plan import Goal, Manner, Stays


def at_press() -> tuple[Playbook, str]:
    """A service that runs, and where."""
    play = fleet()
    workload_id = play.ask(SubmitWorkload(5, service())).workload_id
    at_work(play, workload_id)
    return play, play.state.workloads[workload_id].sites[0]


def test_the_plan_that_is_shown_is_the_one_that_is_adopted():
    play, here = at_press()
    held, revision = dict(play.state.fleet.holdings), play.state.offset
    shown = planned(play.state, here, 10)
    assert (shown.revision, shown.considered, shown.staying) == (revision, 1, ())
    assert play.state.fleet.holdings == held, "nothing was taken for good"
    (move,) = shown.moves
    assert move.goal is Goal.DRAIN and move.disruption.manner is Manner.MAKE_BEFORE_BREAK
    assert move.disruption.copies_restarted == 1
    assert shown.cost_after_micros_per_hour == shown.cost_before_micros_per_hour - move.gain_micros_per_hour
    sites = tuple(slot.site for slot in move.after)
    play = play >> DrainSite(10, here, key="k") << SiteCordoned << PlanAdopted
    play = play << like(WorkloadDecided, because=f"drain {here}", among=sites, stop_first=False)
    assert play.reply.plan.moves == shown.moves
    assert [one.sites for one in play.reply.moves] == [sites]
    assert play >> DrainSite(11, here, key="k") << NOTHING
    assert play.reply.moves == () and play.reply.plan is None, "sent again it moves nothing"
    assert play >> DrainSite(12, here) << NOTHING
    assert play.reply.plan.considered == 0, "what has moved is not moved again"


def test_jobs_end_by_themselves_and_what_fits_nowhere_stays_each_with_its_reason():
    play = fleet()
    play.ask(SubmitWorkload(5, job()))
    assert [one.why for one in planned(play.state, "burst-us", 6).staying] == [Stays.ENDS]
    play, here = at_press()
    for other in [name for name in play.state.sites if name != here]:
        play.ask(CordonSite(6, other))
    plan = planned(play.state, here, 7)
    assert plan.moves == () and [(one.goal, one.why) for one in plan.staying] == [(Goal.DRAIN, Stays.NOWHERE)]
    assert play >> DrainSite(8, here) << SiteCordoned, "a plan without moves is not recorded"
    assert [one.sites for one in play.reply.moves] == [()]


def test_what_the_auditor_does_not_pass_is_in_no_plan_that_is_shown(monkeypatch):
    play, here = at_press()

    def refused(*args, **kwargs):
        raise Disagreement("no")

    monkeypatch.setattr(draining, "place", refused)
    assert [one.why for one in planned(play.state, here, 10).staying] == [Stays.NOWHERE]
