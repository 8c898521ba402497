"""The table of a workload's life."""

import pytest

from broker.core.lifecycle import REPORTED, TABLE, step, together
from tidegate.model.assignment import Phase
from tidegate.model.errors import Broken


def test_every_phase_has_its_row_and_ends_are_final():
    assert set(TABLE) == {None, *Phase}
    assert all((TABLE[phase] == frozenset()) is phase.ended for phase in Phase)


@pytest.mark.parametrize("end", [phase for phase in Phase if phase.ended])
def test_an_impossible_step_tells_the_story(end):
    with pytest.raises(Broken, match=r"w7 cannot go from .* to running: press-7: failed at 3"):
        step("w7", end, Phase.RUNNING, ["press-7: failed at 3"])


def test_agents_do_not_speak_for_the_broker():
    assert REPORTED.isdisjoint({Phase.PLACED, Phase.REFUSED, Phase.WAITING})


@pytest.mark.parametrize(
    ("phases", "job", "whole"),
    [
        ([Phase.RUNNING, Phase.STARTING], False, Phase.STARTING),
        ([Phase.RUNNING, Phase.RUNNING], False, Phase.RUNNING),
        ([Phase.RUNNING, Phase.FAILED], False, Phase.RUNNING),
        ([Phase.FAILED, Phase.FAILED], False, Phase.FAILED),
        ([Phase.RUNNING, Phase.FAILED], True, Phase.FAILED),
        ([Phase.SUCCEEDED, Phase.RUNNING], True, Phase.RUNNING),
        ([Phase.SUCCEEDED], True, Phase.SUCCEEDED),
        ([Phase.CANCELLED], False, Phase.CANCELLED),
        ([Phase.STOPPING], False, Phase.PLACED),
        ([Phase.STOPPING, Phase.RUNNING], False, Phase.PLACED),
    ],
)
def test_a_workload_is_as_far_as_its_least_advanced_site(phases, job, whole):
    assert together(phases, job=job) is whole
