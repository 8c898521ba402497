"""A decision made again: equal where nothing differs, and the input named where something does."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.again import ENGINE, FLEET, HELD, LAW, LINKS, MOST, PRICES, Again, differences
from broker.core.commands import ApplyDeclarations, CancelWorkload, RecordLinks, ReportStatuses, SubmitWorkload
from broker.core.decide.waiting import NOWHERE, PATIENCE
from broker.core.state import State
from broker.core.verify import standing, verify
from tests.broker.core.test_conversations import fleet
from tests.broker.core.test_waiting import fleet as eight_gpus
from tests.broker.core.test_waiting import guaranteed, said, train
from tests.support.builders import GIB, book, cloud, job, press, rack, service, stay_home
from tests.support.playbook import Playbook
from tidegate.model.assignment import Phase, Status
from tidegate.model.errors import Refused
from tidegate.model.event import (
    PolicyApplied,
    PriceBookApplied,
    Recorded,
    SiteApplied,
    TeamApplied,
    WorkloadDecided,
    WorkloadDisplaced,
    WorkloadQueued,
)
from tidegate.model.money import Price
from tidegate.model.session import Probed
from tidegate.model.workload import Priority, Wait


def history() -> Playbook:
    """A fleet on which a job and a service were placed, some under law, and a service was refused."""
    play = fleet()
    play.ask(RecordLinks(4_000, (Probed("plant", "rack-de", 9_000, 400, bound_us=9_500),)))
    play.ask(SubmitWorkload(5_000, job()))
    play.ask(ApplyDeclarations(5_500, (stay_home(),)))
    play.ask(SubmitWorkload(6_000, service()))
    play.ask(SubmitWorkload(7_000, service("late", latency=replace(service().latency, p99_us=100))))
    return play


def replayed(play: Playbook, *instead: Recorded) -> dict[str, tuple[str, ...]]:
    """By workload name, the inputs that differ, with some events of the log replaced."""
    state, found, again, other = State(), {}, Again(), {recorded.offset: recorded for recorded in instead}
    for recorded in play.recorded:
        recorded = other.get(recorded.offset, recorded)
        told = again.before(state, recorded.event)
        if isinstance(recorded.event, WorkloadDecided | WorkloadQueued):
            found.setdefault(state.workloads[recorded.event.workload_id].workload.name, ())
            found[state.workloads[recorded.event.workload_id].workload.name] += tuple(one.input for one in told)
        state.apply(recorded)
    return found


def _where(play: Playbook, kind: type, name: str) -> Recorded:
    noun = {SiteApplied: "site", PolicyApplied: "policy", PriceBookApplied: "book"}[kind]
    return next(
        recorded
        for recorded in play.recorded
        if isinstance(recorded.event, kind) and getattr(recorded.event, noun).name == name
    )


def test_the_same_log_gives_the_same_bytes() -> None:
    assert replayed(history()) == {"train": (), "inspect": (), "late": ()}


def test_waiting_is_decided_again_as_well() -> None:
    play = eight_gpus(guaranteed("a", 4), guaranteed("b", 4))
    play.ask(SubmitWorkload(3, train("own", team="b")))
    play.ask(SubmitWorkload(4, train("borrowed", team="b", wait=Wait(never=True))))
    play.ask(SubmitWorkload(5, train("late", team="b")))
    play.ask(SubmitWorkload(6, train("claim", team="a")))
    waited = [r.event.workload_id for r in play.recorded if isinstance(r.event, WorkloadQueued)]
    assert [play.state.workloads[one].workload.name for one in waited] == ["late", "borrowed"]
    assert replayed(play) == {"own": (), "borrowed": (), "late": (), "claim": ()}
    (cloud_,) = [r for r in play.recorded if isinstance(r.event, SiteApplied)]
    third = replace(cloud_.event.site.offers[0], count=3)
    larger = replace(cloud_, event=replace(cloud_.event, site=cloud(offers=(third,))))
    assert replayed(play, larger)["late"], "with a third node it would not have waited"


def reclaimed() -> Playbook:
    """One of two that borrow makes room: the one that has lost less."""
    play = eight_gpus(guaranteed("a", 4), guaranteed("b", 0))
    for name, at in (("long", 3_000), ("short", 60_000)):
        play.ask(SubmitWorkload(at, train(name, team="b")))
        play.ask(said(play, name, Phase.RUNNING, at))
    play.ask(SubmitWorkload(120_000, train("claim", team="a")))
    return play


def test_who_makes_room_is_chosen_again() -> None:
    play = reclaimed()
    (moved,) = [r.event for r in play.recorded if isinstance(r.event, WorkloadDisplaced)]
    assert moved.victim.name == "short"
    assert replayed(play) == {"long": (), "short": (), "claim": ()}
    decided = next(r for r in play.recorded if isinstance(r.event, WorkloadDecided) and r.event.decision.victims)
    assert {one.score.displaced for one in decided.event.decision.ranked} == {moved.victim.lost_gpu_seconds}


def test_a_victim_that_would_not_be_chosen_now_is_named() -> None:
    play = reclaimed()
    decided = next(r for r in play.recorded if isinstance(r.event, WorkloadDecided) and r.event.decision.victims)
    (victim,) = decided.event.decision.victims
    longer = replace(victim, workload_id=play.state.find("long").id, name="long")
    other = replace(decided, event=replace(decided.event, decision=replace(decided.event.decision, victims=(longer,))))
    assert replayed(play, other)["claim"] == (ENGINE,)


def test_what_waited_although_others_would_make_room_is_named() -> None:
    """The log says that it waited; the same question finds somebody to displace."""
    play = eight_gpus(guaranteed("b", 0))
    play.ask(SubmitWorkload(3, train("borrowed", team="b", workers=2)))
    play.ask(SubmitWorkload(4, train("claim", team="a")))
    assert replayed(play)["claim"] == ()
    (team,) = [r for r in play.recorded if isinstance(r.event, TeamApplied)]
    assert ENGINE in replayed(play, replace(team, event=TeamApplied(1, guaranteed("a", 4))))["claim"]


def test_the_ranking_that_a_submission_changes_is_not_the_one_that_it_was_seated_by() -> None:
    play = eight_gpus()
    play.ask(SubmitWorkload(3, train("one", gpus=1)))
    play.ask(SubmitWorkload(4, train("two", gpus=2)))
    assert replayed(play) == {"one": (), "two": ()}


def test_what_a_place_is_kept_from_waits_again() -> None:
    play = eight_gpus()
    play.ask(SubmitWorkload(3, train("half")))
    play.ask(SubmitWorkload(4, train("gang", workers=2)))
    for number in range(PATIENCE):
        play.ask(SubmitWorkload(5, train(f"small-{number}", gpus=1)))
        play.ask(said(play, f"small-{number}", Phase.SUCCEEDED, 6))
    play.ask(SubmitWorkload(7, train("late", gpus=1)))
    (kept,) = [r.event for r in play.recorded if isinstance(r.event, WorkloadQueued) and r.event.among]
    assert kept.among == NOWHERE
    assert replayed(play)["late"] == ()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("submit", "submit", "submit", "end", "cancel")),
        st.integers(0, 7),
        st.sampled_from("ab"),
        st.integers(1, 4),
        st.integers(1, 2),
        st.sampled_from(Priority),
        st.sampled_from((None, Wait(never=True), Wait(3_600_000))),
    ),
    max_size=24,
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_whatever_waits_borrows_and_makes_room_comes_out_the_same(steps: list[tuple[Any, ...]]) -> None:
    play, at = eight_gpus(guaranteed("a", 4), guaranteed("b", 4)), 1_000
    for verb, number, team, gpus, workers, priority, wait in steps:
        at += 600_000
        name = f"job-{number}"
        try:
            if verb == "submit":
                play.ask(SubmitWorkload(at, train(name, gpus, workers, team=team, priority=priority, wait=wait)))
            elif play.state.find(name) is not None:
                play.ask(CancelWorkload(at, name) if verb == "cancel" else said(play, name, Phase.SUCCEEDED, at))
        except Refused:
            continue
    assert set(replayed(play).values()) <= {()}


def test_a_law_that_reads_otherwise_is_named() -> None:
    play = history()
    law = _where(play, PolicyApplied, "plant")
    changed = replace(law, event=replace(law.event, policy=stay_home(2, "US")))
    found = replayed(play, changed)
    assert found["train"] == ()
    assert found["inspect"][0] == found["late"][0] == LAW


def test_a_price_that_reads_otherwise_is_named() -> None:
    play = history()
    listed = _where(play, PriceBookApplied, "list")
    dearer = book(prices=(Price("m5", 900_000, "us-east-1"),))
    changed = replace(listed, event=replace(listed.event, book=dearer))
    assert replayed(play, changed)["train"][0] == PRICES


def test_a_place_and_a_way_that_read_otherwise_are_named() -> None:
    play = history()
    place = _where(play, SiteApplied, "burst-us")
    offer = replace(cloud().offers[0], count=0)
    smaller = replace(place, event=replace(place.event, site=cloud(offers=(offer,))))
    assert replayed(play, smaller)["train"][0] == FLEET
    measured = next(r for r in play.recorded if type(r.event).__name__ == "LinkMeasured")
    slower = replace(measured, event=replace(measured.event, rtt_us=90_000, bound_us=95_000))
    found = replayed(play, slower)
    assert found["train"] == ()
    assert found["inspect"][0] == found["late"][0] == LINKS


def test_what_is_held_otherwise_is_named() -> None:
    play = fleet()
    play.ask(SubmitWorkload(5_000, service("first")))
    play.ask(SubmitWorkload(6_000, service("second", demand=replace(service().demand))))
    decided = [r for r in play.recorded if isinstance(r.event, WorkloadDecided)]
    wide = replace(press().offers[0].resources, cpus_milli=3_500)
    large = replace(service().demand, resources=wide)
    play.ask(CancelWorkload(7_000, "first"))
    play.ask(SubmitWorkload(8_000, service("third", demand=large)))
    last = [r for r in play.recorded if isinstance(r.event, WorkloadDecided)][-1]
    kept = replace(last.event.decision, columns=decided[0].event.decision.columns)
    told = {one.input for one in differences(last.event.decision, kept)}
    assert HELD in told or FLEET in told


def test_a_choice_that_differs_alone_is_the_engine_s() -> None:
    decision = next(r.event.decision for r in history().recorded if isinstance(r.event, WorkloadDecided))
    (only,) = differences(decision, replace(decision, runner_up="nobody"))
    assert (only.input, only.about, only.again) == (ENGINE, "runner_up", "nobody")
    assert len(differences(decision, replace(decision, columns=()))) <= MOST


def test_an_engine_that_refuses_to_answer_again_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    play = history()
    monkeypatch.setattr("placement.audit.auditor.audit", lambda *a, **k: ("a finding",))
    assert replayed(play)["train"] == (ENGINE,)


def test_all_that_stands_is_as_it_should_be_until_it_is_not() -> None:
    play = fleet()
    play.ask(SubmitWorkload(6_000, service()))
    assert (verify(play.state), standing(play.state)) == ((), 1)
    play.ask(ApplyDeclarations(9_000, (stay_home(2, "US"),)))
    (outlawed,) = [one for one in verify(play.state) if "plant/stays-home" in one.text and "press-7" in one.text]
    assert outlawed.about == play.state.names["inspect"]
    tiny = replace(press().offers[0].resources, cpus_milli=1)
    shrunk = press(offers=(replace(press().offers[0], resources=tiny),))
    play.state.fleet.put_site(shrunk, reachable=True, cordoned=False)
    assert any("press-7" in one.text and "CPU" in one.text for one in verify(play.state))


def test_work_that_has_ended_stands_nowhere_that_a_law_could_forbid() -> None:
    play = fleet()
    play.ask(SubmitWorkload(6_000, service()))
    record = play.state.workloads[play.state.names["inspect"]]
    play.ask(CancelWorkload(7_000, "inspect"))
    for site in record.sites:
        play.ask(ReportStatuses(8_000, site, (Status(record.id, record.decided_offset, Phase.CANCELLED, at=8_000),)))
    assert play.state.workloads[record.id].phase is Phase.CANCELLED
    play.ask(ApplyDeclarations(9_000, (stay_home(2, "US"),)))
    assert verify(play.state) == ()


def test_a_link_that_was_narrowed_below_what_goes_over_it_is_told() -> None:
    play = fleet()
    data = replace(service().data, bytes_per_day=5 * GIB, origin="elsewhere")
    play.ask(SubmitWorkload(5_000, service(data=data)))
    (site,) = play.state.workloads[play.state.names["inspect"]].sites
    narrow = {"press-7": press, "rack-de": rack}[site](uplink_bytes_per_day=GIB)
    play.ask(ApplyDeclarations(6_000, (narrow,)))
    assert [(one.about, "uplink" in one.text) for one in verify(play.state)] == [(site, True)]
