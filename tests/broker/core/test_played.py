"""Forecasts that come of playing the fleet forward are kept, where nothing else is submitted."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.commands import SubmitWorkload
from broker.core.freeze import freeze
from broker.core.prospects import waiting
from tests.broker.core.test_waiting import HOUR, fleet, guaranteed, said, train
from tests.support.playbook import Playbook
from tidegate.model.assignment import Phase
from tidegate.model.event import Basis, Forecast
from tidegate.model.money import Team
from tidegate.model.quantity import Resources
from tidegate.model.workload import Priority


def timed(name, hours, **more):
    """A job that says how long it runs at most."""
    job = train(name, **more)
    return replace(job, training=replace(job.training, timeout_ms=hours * HOUR))


def told(play: Playbook, name: str, at: int) -> Forecast:
    """Its forecast; the state is as it was."""
    before = freeze(play.state)
    found = waiting(play.state, play.state.find(name), at)
    assert freeze(play.state) == before and play.state.fleet.aside == frozenset()
    return found.forecast


def ends(play: Playbook) -> list[int]:
    """When what runs has run for as long as it may."""
    accounts = play.state.accounts
    running = [one for one in play.state.workloads.without(play.state.ended) if one.sites]
    return [accounts[o.workload.team].charges[o.id].since + o.workload.training.timeout_ms for o in running]


def end(play: Playbook, at: int) -> Playbook:
    """Whatever has run for as long as it may, ends."""
    for record in list(play.state.workloads.without(play.state.ended)):
        charge = play.state.accounts[record.workload.team].charges.get(record.id) if record.sites else None
        if charge and charge.since + record.workload.training.timeout_ms <= at:
            play.ask(said(play, record.workload.name, Phase.SUCCEEDED, at))
    return play


def test_room_that_is_there_in_sum_and_not_in_one_piece_is_waited_for():
    play = fleet()
    for name, hours in (("one", 2), ("two", 3)):
        play.ask(SubmitWorkload(0, timed(name, hours, gpus=3)))
    play.ask(SubmitWorkload(1, timed("next", 1, gpus=2)))
    assert told(play, "next", 5) == Forecast(2 * HOUR, 2 * HOUR, Basis.DECLARED)
    play.ask(SubmitWorkload(2, timed("whole", 1, gpus=4)))
    assert told(play, "whole", 5) == Forecast(3 * HOUR, 3 * HOUR, Basis.DECLARED), "the first takes the first room"
    assert end(play, 2 * HOUR).state.find("next").sites
    assert not play.state.find("whole").sites
    assert end(play, 3 * HOUR).state.find("whole").sites


def test_what_is_borrowed_is_waited_for_though_firm_work_is_in_the_way():
    play = fleet(guaranteed("a", 4), guaranteed("b", 0))
    play.ask(SubmitWorkload(0, timed("firm", 2, gpus=4, team="b", priority=Priority.PRODUCTION)))
    play.ask(SubmitWorkload(1, timed("more", 1, gpus=1, team="b", priority=Priority.PRODUCTION)))
    assert told(play, "more", 5) == Forecast(2 * HOUR, 2 * HOUR, Basis.DECLARED)
    assert end(play, 2 * HOUR).state.find("more").sites


def test_what_never_ends_is_not_waited_for():
    play = fleet()
    for name in ("one", "two"):
        play.ask(SubmitWorkload(0, train(name, gpus=3)))
    play.ask(SubmitWorkload(1, timed("next", 1, gpus=2)))
    assert told(play, "next", 5) == Forecast()


jobs = st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(1, 2), st.sampled_from(("a", "b")))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(jobs, min_size=2, max_size=6),
    st.sampled_from((None, 3, 4, 6)),
)
def test_a_forecast_is_kept_when_nothing_else_is_submitted(drawn, limit):
    a = Team("a", limit=Resources(gpus=limit) if limit else None)
    play = fleet(a, Team("b"))
    for number, (hours, gpus, workers, team) in enumerate(drawn):
        play.ask(SubmitWorkload(number, timed(f"j{number}", hours, gpus=gpus, workers=workers, team=team)))
    names = [play.state.workloads[one].workload.name for one in play.state.waiting]
    now = len(drawn)
    said_to = {name: told(play, name, now) for name in names[:4]}
    began: dict[str, int] = {}
    for _ in range(3 * len(drawn)):
        if not (moments := ends(play)):
            break
        end(play, at := min(moments))
        for record in list(play.state.workloads.without(play.state.ended)):
            if record.sites and record.workload.name in names:
                began.setdefault(record.workload.name, at)
    for name, forecast in said_to.items():
        if forecast.latest:
            assert began[name] == forecast.earliest == forecast.latest, (name, forecast, began)
