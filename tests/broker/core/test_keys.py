"""A request under a key has one answer for ever, also where there was nothing to do the first time."""

import pytest

from broker.core.commands import (
    ApplyDeclarations,
    CancelWorkload,
    CordonSite,
    DrainSite,
    RegisterModel,
    ReportStatuses,
    SubmitWorkload,
)
from tests.broker.core.test_conversations import fleet
from tests.support.builders import model, press, service
from tests.support.playbook import NOTHING, Playbook, like
from tidegate.model.assignment import Phase, Status
from tidegate.model.errors import Conflict
from tidegate.model.event import (
    KeyAnswered,
    SiteApplied,
    SiteCordoned,
    WorkloadCancelled,
    WorkloadDecided,
    WorkloadSubmitted,
)


def ended() -> tuple[Playbook, str]:
    """A fleet with a service that was served and cancelled."""
    play = fleet()
    first = play.ask(SubmitWorkload(10, service())).workload_id
    play.ask(CancelWorkload(11, "inspect"))
    for site in play.state.workloads[first].sites:
        play.ask(ReportStatuses(12, site, (Status(first, 1, Phase.CANCELLED, at=12),)))
    assert play.state.workloads[first].phase is Phase.CANCELLED
    return play, first


def test_a_cancellation_sent_again_does_not_stop_the_next_of_that_name() -> None:
    play, first = ended()
    assert play.ask(CancelWorkload(20, "inspect", key="k")).workload_id == first
    second = play.ask(SubmitWorkload(21, service())).workload_id
    assert play.ask(CancelWorkload(22, "inspect", key="k")).workload_id == first
    assert play.state.workloads[second].live and play
    play >> CancelWorkload(23, "another", key="k") << Conflict
    play >> CancelWorkload(24, first, key="k") << NOTHING


def test_a_cancellation_that_did_something_is_answered_the_same_after_its_name_has_passed_on() -> None:
    play = fleet()
    first = play.ask(SubmitWorkload(10, service())).workload_id
    assert play.ask(CancelWorkload(11, "inspect", key="k")).workload_id == first
    second = play.ask(SubmitWorkload(12, service())).workload_id
    assert second != first
    assert play.ask(CancelWorkload(13, "inspect", key="k")).workload_id == first
    assert play.state.workloads[second].live and play


@pytest.mark.parametrize("phase", [Phase.STOPPING, Phase.CANCELLED])
def test_what_is_not_live_is_left_as_it_is(phase: Phase) -> None:
    play, first = ended()
    if phase is Phase.STOPPING:
        first = play.ask(SubmitWorkload(13, service())).workload_id
        play.ask(CancelWorkload(14, first))
    before = play.state.workloads[first]
    play >> CancelWorkload(20, first, key="k") << like(WorkloadCancelled, key="k")
    assert play.state.workloads[first] == before and before.phase is phase
    play >> CancelWorkload(21, first) << NOTHING


def test_a_submission_that_stood_already_has_the_same_answer_whatever_has_changed_since() -> None:
    play = fleet()
    first = play.ask(SubmitWorkload(5, service())).workload_id
    play = play >> SubmitWorkload(6, service(), key="k") << like(KeyAnswered, about=first)
    play.ask(RegisterModel(7, model(digest="cd" * 32)))
    assert play >> SubmitWorkload(8, service(), key="k") << NOTHING
    assert (play.reply.workload_id, play.reply.repeated) == (first, True)
    assert play >> SubmitWorkload(9, service()) << WorkloadSubmitted << WorkloadDecided, "without the key it is news"


def test_declarations_that_stood_already_are_not_declared_again_over_what_came_since() -> None:
    play = Playbook()
    assert (
        play
        >> ApplyDeclarations(1, (press(),))
        << SiteApplied
        >> ApplyDeclarations(2, (press(),), key="k")
        << like(KeyAnswered, about="site/press-7")
        >> ApplyDeclarations(3, (press(region="elsewhere"),))
        << SiteApplied
        >> ApplyDeclarations(4, (press(),), key="k")
        << NOTHING
    )


def test_a_cordon_sent_again_does_not_undo_what_was_lifted_meanwhile() -> None:
    play = fleet()
    play >> CordonSite(10, "press-7") << SiteCordoned
    play >> CordonSite(11, "press-7", key="k") << like(SiteCordoned, cordoned=True, key="k")
    play >> CordonSite(12, "press-7", lift=True) << like(SiteCordoned, cordoned=False)
    play >> CordonSite(13, "press-7", key="k") << NOTHING
    assert not play.state.sites["press-7"].cordoned


def test_a_drain_sent_again_moves_nothing_and_does_not_cordon_what_was_lifted() -> None:
    play = fleet()
    play.ask(SubmitWorkload(10, service()))
    (site,) = play.state.workloads[play.state.names["inspect"]].sites
    assert play.ask(DrainSite(11, site, key="k")).moves[0].sites != ()
    assert play.state.answers["k"].about == site
    play.ask(CordonSite(12, site, lift=True))
    offset = play.state.offset
    assert play.ask(DrainSite(13, site, key="k")).moves == ()
    assert play.state.offset == offset
    assert not play.state.sites[site].cordoned
