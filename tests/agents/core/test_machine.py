"""What comes next for a task, and what may be said of it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core.backoff import delay_ms
from agents.core.lifecycle import AFTER, advance
from agents.core.machine import Seen, Step, TaskView, next_step, phase_of, ran_out
from tests.support.builders import service
from tidegate.model.assignment import Assignment, Phase
from tidegate.model.workload import Disconnect

NEW = TaskView(wanted=True, generation=3)
READY = replace(NEW, fetched=True, prepared=True, started=3, seen=Seen.ALIVE, remains=True)


@pytest.mark.parametrize(
    ("view", "step"),
    [
        (NEW, Step.FETCH),
        (replace(NEW, fetched=True), Step.PREPARE),
        (replace(NEW, fetched=True, prepared=True), Step.OBSERVE),
        (replace(READY, seen=Seen.ABSENT), Step.START),
        (READY, Step.REST),
        (replace(READY, started=2), Step.START),
        (replace(READY, seen=Seen.SUCCEEDED), Step.COLLECT),
        (replace(READY, seen=Seen.SUCCEEDED, started=-1), Step.COLLECT),
        (replace(READY, seen=Seen.SUCCEEDED, collected=True), Step.REST),
        (replace(READY, seen=Seen.FAILED), Step.REST),
        (replace(NEW, ended=True), Step.REST),
        (replace(READY, wanted=False), Step.STOP),
        (replace(READY, wanted=False, seen=Seen.UNKNOWN), Step.OBSERVE),
        (replace(READY, wanted=False, seen=Seen.STOPPED), Step.REMOVE),
        (replace(READY, wanted=False, seen=Seen.ABSENT, remains=False), Step.FORGET),
    ],
)
def test_the_one_next_step(view: TaskView, step: Step) -> None:
    assert next_step(view) is step


VIEWS = st.builds(
    TaskView,
    wanted=st.just(True),
    seen=st.sampled_from(Seen),
    fetched=st.booleans(),
    prepared=st.booleans(),
    started=st.integers(-1, 3),
    generation=st.integers(0, 3),
    collected=st.booleans(),
    ended=st.booleans(),
    remains=st.booleans(),
)


@given(VIEWS)
def test_nothing_that_is_wanted_is_ever_stopped_or_removed(view: TaskView) -> None:
    assert next_step(view) not in (Step.STOP, Step.REMOVE, Step.FORGET)


@given(VIEWS)
def test_success_is_told_only_with_the_outputs_delivered(view: TaskView) -> None:
    if phase_of(view) is Phase.SUCCEEDED:
        assert view.collected


def test_phases_only_advance_and_an_end_stands() -> None:
    assert advance(Phase.RUNNING, Phase.STARTING) is Phase.RUNNING
    assert advance(Phase.PLACED, Phase.RUNNING) is Phase.RUNNING
    for ended in Phase:
        if ended.ended:
            assert not AFTER[ended]
    assert set(AFTER) == set(Phase)


def test_only_a_disconnect_block_of_its_own_ends_work_for_silence() -> None:
    forever = Assignment("w", service(), "press-7", 1)
    bounded = replace(forever, workload=service(disconnect=Disconnect(serve_for_ms=1000)))
    assert not ran_out(forever, away_ms=10**15)
    assert not ran_out(bounded, away_ms=0)
    assert not ran_out(bounded, away_ms=999)
    assert ran_out(bounded, away_ms=1_000)


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_jitter_is_full_and_comes_after_the_cap(attempt: int, fraction: float) -> None:
    assert 0 <= delay_ms(attempt, fraction, 200, 10_000) <= 10_000
    assert delay_ms(1000, fraction, 200, 10_000) == int(10_000 * fraction)
