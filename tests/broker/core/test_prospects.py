"""What whoever waits is told: the place in line, when it starts, and what teams hold and spend."""

from dataclasses import replace

from broker.core.commands import SubmitWorkload
from broker.core.prospects import waiting
from broker.core.showback import teams
from tests.broker.core.test_waiting import HOUR, fleet, guaranteed, said, train
from tidegate.model.assignment import Phase
from tidegate.model.event import Basis, Forecast
from tidegate.model.money import Quota, Team
from tidegate.model.quantity import Resources


def told(play, name, at):
    """What a reader hears of one that waits."""
    return waiting(play.state, play.state.find(name), at)


def timed(name, hours, **more):
    """A job that says how long it runs at most."""
    job = train(name, **more)
    return replace(job, training=replace(job.training, timeout_ms=hours * HOUR))


def test_nothing_is_promised_where_nothing_is_known():
    play = fleet()
    play.ask(SubmitWorkload(3, train("hog", workers=2)))
    play.ask(SubmitWorkload(4, train("next", team="a")))
    play.ask(SubmitWorkload(5, train("last", team="b")))
    last = told(play, "last", 9)
    assert (last.position, last.of, last.team_position, last.since) == (2, 2, 1, 5)
    assert last.forecast == Forecast()
    assert told(play, "hog", 9) is None


def test_declared_times_say_when_at_the_latest():
    play = fleet()
    play.ask(SubmitWorkload(0, timed("hog", 5, workers=2)))
    play.ask(said(play, "hog", Phase.RUNNING, HOUR))
    play.ask(SubmitWorkload(HOUR, train("next")))
    assert told(play, "next", 2 * HOUR).forecast == Forecast(6 * HOUR, 6 * HOUR, Basis.DECLARED)


def test_ended_jobs_of_the_team_say_how_long_its_jobs_take():
    play = fleet()
    for number in range(4):
        play.ask(SubmitWorkload(0, train(f"done-{number}", team="a")))
        play.ask(said(play, f"done-{number}", Phase.RUNNING, 1))
        play.ask(said(play, f"done-{number}", Phase.SUCCEEDED, 1 + (number + 1) * HOUR))
    play.ask(SubmitWorkload(10 * HOUR, train("hog", team="a", workers=2)))
    play.ask(said(play, "hog", Phase.RUNNING, 10 * HOUR))
    play.ask(SubmitWorkload(10 * HOUR, train("next", team="b")))
    assert told(play, "next", 11 * HOUR).forecast == Forecast(12 * HOUR, 14 * HOUR, Basis.LEARNED, 4)


def test_a_limit_is_waited_for_like_room():
    play = fleet(Team("a", limit=Resources(gpus=4)))
    play.ask(SubmitWorkload(0, timed("own", 3, team="a")))
    play.ask(SubmitWorkload(1, train("next", team="a")))
    assert told(play, "next", HOUR).forecast == Forecast(3 * HOUR, 3 * HOUR, Basis.DECLARED)


def test_what_was_borrowed_comes_back_as_work_ends_but_for_what_its_owner_keeps():
    play = fleet(guaranteed("a", 4), guaranteed("b", 4, lends_nothing=True), guaranteed("c"))
    play.ask(SubmitWorkload(0, timed("kept", 1, gpus=3, team="b")))
    play.ask(SubmitWorkload(1, timed("lent", 3, gpus=2, team="a")))
    play.ask(SubmitWorkload(2, timed("next", 1, gpus=3, team="c")))
    assert {miss.rule for miss in play.recorded[-1].event.decision.misses} == {"gpus-free", "team-quota"}
    assert told(play, "next", HOUR // 2).forecast == Forecast(3 * HOUR + 1, 3 * HOUR + 1, Basis.DECLARED)


def test_a_borrowing_limit_is_waited_for_as_well():
    play = fleet(guaranteed("a", 2, borrowing_limit=Quota(Resources(gpus=2))))
    play.ask(SubmitWorkload(0, timed("own", 3, team="a")))
    play.ask(SubmitWorkload(1, train("next", gpus=1, team="a")))
    assert told(play, "next", HOUR).forecast == Forecast(3 * HOUR, 3 * HOUR, Basis.DECLARED)


def test_what_is_shown_of_teams():
    play = fleet(guaranteed("bank", 4), guaranteed("a", 4, parent="bank"), guaranteed("b", 1), guaranteed("c", 2))
    play.ask(SubmitWorkload(0, train("own", team="a")))
    play.ask(SubmitWorkload(0, train("borrowed", team="b")))
    play.ask(SubmitWorkload(0, train("waits", team="a", gpus=1)))
    a, b, bank, c = teams(play.state, HOUR)
    assert (a.team.name, a.used["gpus"], a.lent, a.running, a.waiting) == ("a", 4_000, {}, 1, 1)
    assert (b.used["gpus"], b.borrowed) == (4_000, {"gpus": 3_000})
    assert b.used["cpus"] > 0, "of CPUs nothing is guaranteed to anybody, so none are borrowed"
    assert (bank.used["gpus"], bank.running, c.lent) == (4_000, 1, {"gpus": 2_000})
    assert a.spent_micros == a.micros_per_hour == 200_000 == a.by_month["1970-01"]
    assert bank.spent_micros == 200_000 and a.expected_micros == 31 * 24 * 200_000
