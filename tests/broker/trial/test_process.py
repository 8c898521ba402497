"""A trial's process as the broker sees it: what it answers, and what is heard when it falls over."""

import pytest

from broker.core.commands import ApplyDeclarations, SiteAttached, SubmitWorkload
from broker.log.record import GENESIS, Head, Row, chained
from broker.runtime.history import to_record
from broker.trial.process import MEMORY_BYTES, Progress, Trials, Window
from tests.support.builders import book, cloud, job, press, rack
from tests.support.playbook import Playbook
from tidegate.model.errors import Refused, Unavailable
from tidegate.model.impact import Impact, Touch
from tidegate.model.policy import Expression, Operator, Policy, Rule
from tidegate.model.session import Hello

NOWHERE = Policy("p", 1, rules=(Rule("r", require=(Expression("site.name", Operator.IN, ("nowhere",)),)),))


class Stood:
    """A loop that only answers questions."""

    def __init__(self, play: Playbook) -> None:
        self.state = play.state

    async def read(self, question):
        return question(self.state, 1_000)


class Written:
    """A log that only is read."""

    def __init__(self, play: Playbook) -> None:
        self.rows = chained(Head(0, GENESIS), [to_record(recorded.event) for recorded in play.recorded])

    async def read(self, after: int, most: int) -> list[Row]:
        return self.rows[after : after + most]


def fleet() -> Playbook:
    play = Playbook()
    play.ask(ApplyDeclarations(1, (press(), rack(), cloud(), book())))
    play.ask(SiteAttached(2, Hello("burst-us", "boot-1", 0)))
    play.ask(SubmitWorkload(900, job()))
    return play


def trials(play: Playbook, **bounds: int) -> Trials:
    return Trials(Stood(play), Written(play), **bounds)  # type: ignore[arg-type]


async def heard(trial: Trials, window: Window = Window()) -> list[Progress | Impact]:  # noqa: B008
    return [said async for said in trial.run((NOWHERE,), (), window)]


async def test_what_stands_and_what_was_decided_within_the_window_is_judged():
    play = fleet()
    *_, impact = await heard(trials(play), Window(since_ms=500))
    assert isinstance(impact, Impact)
    assert [one.touch for one in impact.touched] == [Touch.ILLEGAL, Touch.CLOSED]
    assert (impact.standing, impact.decisions) == (1, 1)
    *_, impact = await heard(trials(play), Window(since_ms=50))
    assert isinstance(impact, Impact)
    assert [one.touch for one in impact.touched] == [Touch.ILLEGAL]
    assert impact.revision == play.state.offset


async def test_a_process_that_reaches_its_bounds_is_unavailable_and_leaves_room_for_the_next():
    play = fleet()
    small = trials(play, memory_bytes=2**20)
    for _ in range(2):
        with pytest.raises(Unavailable, match="fell over"):
            await heard(small)
    *_, impact = await heard(trials(play, memory_bytes=MEMORY_BYTES))
    assert isinstance(impact, Impact)


async def test_a_window_that_nobody_can_mean_is_refused_before_anything_starts():
    with pytest.raises(Refused) as refused:
        await heard(trials(fleet()), Window(from_offset=-1))
    assert refused.value.field == "from_offset"
