"""Waiting, making room and starting again, as conversations."""

from dataclasses import replace

import pytest

from broker.core.again import Again
from broker.core.commands import (
    ApplyDeclarations,
    CancelWorkload,
    RegisterModel,
    ReportStatuses,
    SiteAttached,
    SubmitWorkload,
    Tick,
)
from broker.core.decide import waiting
from broker.core.decide.waiting import PATIENCE, line_of
from broker.core.state import State
from tests.support.builders import GIB, book, cloud, job, model, press, service
from tests.support.playbook import NOTHING, Playbook, like
from tidegate.model.assignment import Phase, Status
from tidegate.model.decision import Outcome
from tidegate.model.errors import Conflict, Refused
from tidegate.model.event import (
    WorkloadCancelled,
    WorkloadDecided,
    WorkloadDisplaced,
    WorkloadProgressed,
    WorkloadQueued,
    WorkloadSubmitted,
)
from tidegate.model.money import Team
from tidegate.model.quantity import Resources
from tidegate.model.session import Hello
from tidegate.model.site import Engine, Offer, Pricing
from tidegate.model.workload import Demand, Priority, Training, Wait

HOUR = 3_600_000
NODE = Offer(
    "a100",
    Resources(4, 40 * GIB, 64_000, 256 * GIB),
    count=2,
    pricing=Pricing.ON_DEMAND,
    gpu_model="A100",
    instance_type="m5",
)


def train(name, gpus=4, workers=1, **changes):
    """A job of so many GPUs to a worker."""
    return replace(
        job(name),
        demand=Demand(Resources(gpus, 0, 1_000, GIB)),
        training=Training("python train.py", workers=workers, code_digest="ab" * 32),
        **changes,
    )


def guaranteed(name, gpus=0, **more):
    """A team with so many GPUs of its own."""
    return Team(name, Resources(gpus=gpus), **more)


def fleet(*teams) -> Playbook:
    """Eight GPUs in the cloud, on two nodes."""
    play = Playbook()
    play.ask(ApplyDeclarations(1, (cloud(offers=(NODE,)), book(), *teams)))
    play.ask(SiteAttached(2, Hello("burst-us", "b", 0)))
    return play


def said(play, name, phase, at, **more):
    """What the site reports of a workload."""
    record = play.state.find(name)
    site = play.state.sites["burst-us"]
    generation = site.desired[record.id].generation if record.id in site.desired else site.generation
    return ReportStatuses(at, "burst-us", (Status(record.id, generation, phase, at=at, **more),))


def phases(play):
    return {record.workload.name: str(record.phase) for record in play.state.workloads.values()}


def test_a_job_without_room_waits_and_starts_when_something_ends():
    play = fleet()
    play.ask(SubmitWorkload(3, train("first", workers=2)))
    first = play.state.find("first").id
    assert (
        play
        >> SubmitWorkload(4, train("second"))
        << WorkloadSubmitted
        << like(WorkloadQueued, because="")
        >> Tick(5)
        << NOTHING
        >> said(play, "first", Phase.RUNNING, 6)
        << WorkloadProgressed
        >> said(play, "first", Phase.SUCCEEDED, HOUR)
        << WorkloadProgressed
        << like(WorkloadDecided, workload_id=play.state.find("second").id, because="waited 59 min")
    )
    assert phases(play) == {"first": "succeeded", "second": "placed"}
    assert play.state.durations[""] == (HOUR - 6,) and first not in play.state.accounts[""].charges


def test_the_answer_says_that_it_waits_and_what_it_lacks():
    play = fleet()
    play.ask(SubmitWorkload(3, train("first", workers=2)))
    reply = play.ask(SubmitWorkload(4, train("second")))
    assert reply.brief.outcome is Outcome.WAITING and reply.decision.outcome is Outcome.WAITING
    assert {miss.rule for miss in reply.decision.misses} == {"gpus-free"}
    assert reply.offset == play.state.find("second").decided_offset


def test_what_no_waiting_would_cure_is_refused_at_once():
    play = fleet()
    assert play >> SubmitWorkload(4, train("too-big", gpus=5)) << WorkloadSubmitted << like(WorkloadDecided)
    assert phases(play) == {"too-big": "refused"}
    capped = fleet(Team("small", limit=Resources(gpus=2)))
    capped.ask(SubmitWorkload(4, train("too-big", gpus=4, team="small")))
    assert phases(capped) == {"too-big": "refused"}, "its team could never hold it"


def test_a_service_is_refused_at_once_and_whoever_says_so_too():
    play = fleet()
    play.ask(ApplyDeclarations(3, (press(),)))
    play.ask(SiteAttached(3, Hello("press-7", "b", 0)))
    play.ask(RegisterModel(3, model()))
    big = service("one", demand=Demand(Resources(cpus_milli=4_000)))
    play.ask(SubmitWorkload(4, big))
    play.ask(SubmitWorkload(5, replace(big, name="two")))
    play.ask(SubmitWorkload(6, replace(big, name="three", wait=Wait())))
    play.ask(SubmitWorkload(7, train("hog", workers=2)))
    play.ask(SubmitWorkload(8, train("hasty", wait=Wait(never=True))))
    assert phases(play) == {
        "one": "placed",
        "two": "refused",
        "three": "waiting",
        "hog": "placed",
        "hasty": "refused",
    }


def test_patience_ends():
    play = fleet()
    play.ask(SubmitWorkload(3, train("first", workers=2)))
    play.ask(SubmitWorkload(4, train("second", wait=Wait(HOUR))))
    assert (
        play
        >> Tick(HOUR)
        << NOTHING
        >> Tick(HOUR + 4)
        << like(WorkloadDecided, because="waited 60 min")
        >> Tick(HOUR + 5)
        << NOTHING
    )
    assert phases(play)["second"] == "refused"


def test_what_waits_can_be_cancelled_and_its_name_stays_taken_until_then():
    play = fleet()
    play.ask(SubmitWorkload(3, train("first", workers=2)))
    play.ask(SubmitWorkload(4, train("second")))
    assert (
        play
        >> SubmitWorkload(5, train("second", gpus=1))
        << Conflict
        >> CancelWorkload(6, "second", key="k")
        << WorkloadCancelled
        >> CancelWorkload(7, "second", key="k")
        << NOTHING
    )
    assert phases(play)["second"] == "cancelled" and play.state.waiting == {}


def test_a_guarantee_takes_back_what_was_borrowed_and_the_victim_runs_again():
    play = fleet(guaranteed("a", 4), guaranteed("b", 4))
    play.ask(SubmitWorkload(3, train("own", team="b")))
    play.ask(SubmitWorkload(4, train("borrowed", team="b")))
    play.ask(said(play, "borrowed", Phase.RUNNING, 1_000))
    own, borrowed = play.state.find("own").id, play.state.find("borrowed").id
    asked = play.state.offset + 1
    assert (
        play
        >> SubmitWorkload(61_000, train("claim", team="a"))
        << WorkloadSubmitted
        << like(WorkloadDisplaced, workload_id=borrowed, by=f"w{asked}")
        << like(WorkloadDecided, workload_id=f"w{asked}")
        << like(WorkloadQueued, workload_id=borrowed, because=f"made room for w{asked}")
    )
    victim = play.recorded[-3].event.victim
    assert (victim.because, victim.gpus_milli, victim.lost_gpu_seconds) == ("borrowed", 4_000, 240)
    assert play.recorded[-2].event.decision.victims == (victim,)
    assert phases(play) == {"own": "placed", "borrowed": "waiting", "claim": "placed"}
    assert (
        play
        >> said(play, "borrowed", Phase.CANCELLED, 62_000)
        << NOTHING
        >> said(play, "claim", Phase.SUCCEEDED, 63_000)
        << WorkloadProgressed
        << like(WorkloadDecided, workload_id=borrowed)
        >> ReportStatuses(64_000, "burst-us", (Status(borrowed, 1, Phase.CANCELLED),))
        << NOTHING
    )
    assert phases(play)["borrowed"] == "placed" and own in play.state.sites["burst-us"].desired


def test_who_made_room_came_back_and_was_cancelled_while_the_site_was_away_is_let_go():
    """The site goes from its first word to the one to stop, and speaks of the first alone."""
    play = fleet(guaranteed("a", 4), guaranteed("b", 4))
    play.ask(SubmitWorkload(3, train("own", team="b")))
    play.ask(SubmitWorkload(4, train("borrowed", team="b")))
    play.ask(said(play, "borrowed", Phase.RUNNING, 1_000))
    first = play.state.sites["burst-us"].desired[play.state.find("borrowed").id].generation
    play.ask(SubmitWorkload(61_000, train("claim", team="a")))
    play.ask(CancelWorkload(62_000, "claim"))
    play.ask(said(play, "claim", Phase.CANCELLED, 62_500))
    assert phases(play)["borrowed"] == "placed"
    play.ask(CancelWorkload(63_000, "borrowed"))
    borrowed = play.state.find("borrowed").id
    assert (
        play
        >> ReportStatuses(64_000, "burst-us", (Status(borrowed, first, Phase.RUNNING),))
        << NOTHING
        >> ReportStatuses(65_000, "burst-us", (Status(borrowed, first, Phase.CANCELLED),))
        << WorkloadProgressed
    )
    assert phases(play)["borrowed"] == "cancelled"


def test_a_service_that_goes_on_is_superseded_though_the_version_between_made_room_and_was_given_up():
    play = Playbook()
    both = cloud(offers=(NODE,), engines=(Engine.RAY, Engine.PROCESS))
    play.ask(ApplyDeclarations(1, (both, book(), guaranteed("a", 4), guaranteed("b", 4))))
    play.ask(SiteAttached(2, Hello("burst-us", "b", 0)))
    play.ask(RegisterModel(2, model()))

    def version(number, gpus=0):
        asked = Demand(Resources(gpus=gpus, cpus_milli=1_000, memory_bytes=GIB))
        labels = {"version": str(number)}
        return service("seams", demand=asked, team="b", labels=labels, latency=None, preemptible=True, wait=Wait())

    play.ask(SubmitWorkload(3, version(1)))
    first = play.state.find("seams").id
    play.ask(said(play, first, Phase.RUNNING, 4))
    play.ask(SubmitWorkload(5, train("own", team="b", priority=Priority.PRODUCTION)))
    play.ask(SubmitWorkload(6, version(2, gpus=4)))
    second = play.state.find("seams").id
    play.ask(SubmitWorkload(7, train("claim", team="a")))
    assert play.state.workloads[second].phase is Phase.WAITING and play.state.workloads[first].live
    play.ask(SubmitWorkload(8, version(3)))
    third = play.state.find("seams").id
    assert play.state.workloads[second].phase is Phase.CANCELLED and play.state.workloads[third].supersedes == first
    play.ask(said(play, third, Phase.RUNNING, 9))
    assert play.state.workloads[first].phase is Phase.STOPPING
    again, state = Again(), State()
    for recorded in play.recorded:
        assert again.before(state, recorded.event) == ()
        state.apply(recorded)


def test_production_work_and_what_a_team_is_guaranteed_are_left_alone():
    play = fleet(guaranteed("a", 4), guaranteed("b", 4))
    play.ask(SubmitWorkload(3, train("firm", team="b", priority=Priority.PRODUCTION)))
    play.ask(SubmitWorkload(4, train("firmer", team="b", priority=Priority.PRODUCTION)))
    assert phases(play)["firmer"] == "waiting", "it does not yield, so it never borrows what is guaranteed to a"
    play.ask(SubmitWorkload(5, train("claim", team="a", workers=2)))
    assert phases(play) == {"firm": "placed", "firmer": "waiting", "claim": "waiting"}
    play.ask(SubmitWorkload(6, train("fits", team="a")))
    assert phases(play)["fits"] == "placed"


def test_more_important_work_of_a_team_goes_before_less_important():
    play = fleet()
    play.ask(SubmitWorkload(3, train("standard", team="a")))
    play.ask(SubmitWorkload(4, train("batch", team="a", priority=Priority.BATCH)))
    play.ask(SubmitWorkload(5, train("urgent", team="a", priority=Priority.PRODUCTION)))
    assert phases(play) == {"standard": "placed", "batch": "waiting", "urgent": "placed"}
    play.ask(SubmitWorkload(6, train("other", team="b", priority=Priority.PRODUCTION)))
    assert phases(play)["other"] == "waiting", "another team's importance gives it no right"


def test_who_makes_room_gives_back_what_it_would_have_cost_this_month():
    """The same to the byte when the log is replayed, which finds the charges of those who left closed."""
    november = 1_793_491_200_000  # 2026-11-01

    def lasting(name, **more):
        work = train(name, **more)
        return replace(work, training=replace(work.training, timeout_ms=400 * HOUR))

    def told(budget):
        bank = guaranteed("bank", 4, budget_micros_per_month=budget)
        play = fleet(bank, guaranteed("a", 4, parent="bank"), guaranteed("b", parent="bank"))
        play.ask(SubmitWorkload(november, lasting("borrowed", team="b", workers=2)))
        return play

    (charge,) = told(0).state.accounts["b"].charges.values()
    play = told(charge.micros_per_hour * 400)
    assert phases(play) == {"borrowed": "placed"}
    play.ask(SubmitWorkload(november + HOUR, lasting("claim", team="a")))
    assert phases(play) == {"borrowed": "waiting", "claim": "placed"}
    again = Again()
    state = State()
    for recorded in play.recorded:
        assert again.before(state, recorded.event) == ()
        state.apply(recorded)


def test_displacing_nobody_for_nothing():
    play = fleet(guaranteed("a", 4), guaranteed("b", 4))
    play.ask(SubmitWorkload(3, train("borrowed", gpus=1, team="b")))
    assert play >> SubmitWorkload(4, train("claim", team="a", workers=2)) << WorkloadSubmitted << WorkloadQueued
    assert phases(play)["borrowed"] == "placed"


def test_the_line_goes_by_priority_then_share_then_age():
    play = fleet(guaranteed("a"), guaranteed("b"))
    play.ask(SubmitWorkload(3, train("hog", team="a", workers=2)))
    for name, team, priority in (
        ("a1", "a", Priority.STANDARD),
        ("b1", "b", Priority.STANDARD),
        ("a2", "a", Priority.STANDARD),
        ("b0", "b", Priority.BATCH),
        ("b2", "b", Priority.STANDARD),
    ):
        play.ask(SubmitWorkload(4, train(name, team=team, priority=priority)))
    assert [play.state.workloads[one.workload_id].workload.name for one in line_of(play.state)] == [
        "b1",
        "b2",
        "a1",
        "a2",
        "b0",
    ]


def test_a_gang_is_passed_for_a_while_and_then_its_place_is_kept():
    play = fleet()
    play.ask(SubmitWorkload(3, train("half")))
    play.ask(SubmitWorkload(4, train("gang", workers=2)))
    for number in range(PATIENCE):
        play.ask(SubmitWorkload(5, train(f"small-{number}", gpus=1)))
        play.ask(said(play, f"small-{number}", Phase.SUCCEEDED, 6))
    reply = play.ask(SubmitWorkload(7, train("late", gpus=1)))
    assert reply.brief.outcome is Outcome.WAITING
    assert play.state.find("late").detail.startswith("burst-us is kept for gang")
    play.ask(said(play, "half", Phase.SUCCEEDED, 8))
    assert phases(play)["gang"] == "placed" and phases(play)["late"] == "waiting"


def test_equal_ones_are_asked_once(monkeypatch):
    play = fleet()
    play.ask(SubmitWorkload(3, train("half")))
    play.ask(SubmitWorkload(3, train("other")))
    for number in range(40):
        play.ask(SubmitWorkload(4, train(f"gang-{number}", workers=2)))
    asked = []
    real = waiting.place
    monkeypatch.setattr(waiting, "place", lambda *args, **more: asked.append(1) or real(*args, **more))
    play.ask(said(play, "half", Phase.SUCCEEDED, 8))
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("teams", "field"),
    [
        ((guaranteed("a", parent="nobody"),), "declarations[0].parent"),
        ((guaranteed("a", parent="b"), guaranteed("b", parent="a")), "declarations[0].parent"),
        ((guaranteed("bank", 2), guaranteed("a", 4, parent="bank")), "declarations[1].guaranteed.gpus"),
    ],
)
def test_teams_that_do_not_fit_together_are_refused(teams, field):
    with pytest.raises(Refused) as caught:
        fleet().ask(ApplyDeclarations(3, teams))
    assert caught.value.field == field


def test_a_budget_is_not_overdrawn_and_the_next_month_begins_anew():
    november = 1_793_491_200_000  # 2026-11-01
    december = november + 30 * 24 * HOUR
    dear = Team("a", budget_micros_per_month=100_000_000)
    play = fleet(dear)
    hour = train("hour", team="a", gpus=1)
    hour = replace(hour, training=replace(hour.training, timeout_ms=400 * HOUR))
    play.ask(SubmitWorkload(november, hour))
    assert phases(play) == {"hour": "placed"}
    play.ask(SubmitWorkload(november + HOUR, replace(hour, name="again")))
    assert phases(play)["again"] == "waiting"
    assert play >> Tick(december - HOUR) << NOTHING
    assert play >> Tick(december + 1) << like(WorkloadDecided, because="waited 719 h")
