"""What the core answers to commands, as conversations."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.commands import (
    ApplyDeclarations,
    CancelWorkload,
    CordonSite,
    DrainSite,
    RecordLinks,
    RecordServiceTimes,
    RegisterModel,
    ReportStatuses,
    Served,
    SiteAttached,
    SiteSilent,
    SubmitWorkload,
    Tick,
)
from broker.core.decide.workloads import plan
from tests.support.builders import DIGEST, book, cloud, job, model, press, rack, service, stay_home
from tests.support.playbook import NOTHING, Playbook, like
from tidegate.model.assignment import Phase, Status
from tidegate.model.decision import Outcome
from tidegate.model.errors import Conflict, NotFound, Refused
from tidegate.model.event import (
    AssignmentOutlawed,
    LinkMeasured,
    ModelRegistered,
    PlanAdopted,
    PolicyApplied,
    PriceBookApplied,
    Recorded,
    ServiceTimeMeasured,
    SiteApplied,
    SiteCordoned,
    SiteJoined,
    SiteLost,
    WorkloadCancelled,
    WorkloadDecided,
    WorkloadProgressed,
    WorkloadSubmitted,
)
from tidegate.model.registry import Artifact
from tidegate.model.session import Hello, Probed
from tidegate.model.workload import Disconnect, OnDisconnect, Reconcile
from tidegate.wire.codec import encode


def fleet() -> Playbook:
    """Three joined sites and a registered model."""
    play = Playbook()
    play.ask(ApplyDeclarations(1, (press(), rack(), cloud(), book())))
    for name in ("press-7", "rack-de", "burst-us"):
        play.ask(SiteAttached(2, Hello(name, "boot-1", 0, f"127.0.0.1:{len(name)}")))
    play.ask(RegisterModel(3, model()))
    return play


def at_work(play: Playbook, workload_id: str, phase: Phase = Phase.RUNNING, at: int = 9, **said) -> Playbook:
    """Every site of the workload reports."""
    for site in play.state.workloads[workload_id].sites:
        generation = play.state.sites[site].desired[workload_id].generation
        play.ask(ReportStatuses(at, site, (Status(workload_id, generation, phase, at=at, **said),)))
    return play


def test_declarations_are_applied_whole_once_or_not_at_all():
    twice = Playbook() >> ApplyDeclarations(1, (press(), press())) << Refused
    assert twice
    assert (
        Playbook()
        >> ApplyDeclarations(1, (press(), book()), key="k")
        << SiteApplied
        << PriceBookApplied
        >> ApplyDeclarations(2, (press(), book()), key="k")
        << NOTHING
        >> ApplyDeclarations(3, (rack(),), key="k")
        << Conflict
        >> ApplyDeclarations(4, (press(), rack()))
        << like(SiteApplied, site=rack())
    )


def test_a_policy_version_means_one_thing_for_ever():
    assert (
        fleet()
        >> ApplyDeclarations(4, (stay_home(1),))
        << PolicyApplied
        >> ApplyDeclarations(5, (stay_home(1, "US"),))
        << Conflict
        >> ApplyDeclarations(6, (stay_home(2, "US"),))
        << PolicyApplied
    )


def test_a_job_is_submitted_once_however_often_it_is_sent():
    play = fleet() >> SubmitWorkload(5, job(), "key") << WorkloadSubmitted << like(WorkloadDecided, because="")
    first = play.reply
    assert first.decision.outcome is Outcome.PLACED and first.decision.sites == ("burst-us",)
    play = play >> SubmitWorkload(6, job(), "key") << NOTHING
    assert play.reply == replace(first, decision=None, repeated=True)
    assert (
        play
        >> SubmitWorkload(7, job(), "other key")
        << Conflict
        >> SubmitWorkload(8, job("another"), "key")
        << Conflict
        >> CancelWorkload(9, "train", key="key")
        << Conflict
    )


def test_a_plan_is_what_submit_then_decides_byte_for_byte():
    play = fleet()
    planned = plan(play.state, job(), 5)
    assert play >> SubmitWorkload(5, job(), if_revision=planned.revision) << WorkloadSubmitted << WorkloadDecided
    assert encode(play.reply.decision) == encode(planned)


def test_a_plan_that_was_overtaken_is_refused():
    play = fleet()
    planned = plan(play.state, job(), 5)
    assert (
        play
        >> CordonSite(6, "burst-us")
        << SiteCordoned
        >> SubmitWorkload(7, job(), if_revision=planned.revision)
        << Conflict
    )


def test_work_that_goes_on_overtakes_no_plan_and_work_that_ends_does():
    play = fleet()
    job_id = play.ask(SubmitWorkload(5, job())).workload_id
    planned = plan(play.state, job("second"), 6)
    at_work(play, job_id)
    assert play.state.placement_offset <= planned.revision < play.state.offset
    at_work(play, job_id, Phase.FAILED, at=10)
    assert play >> SubmitWorkload(11, job("second"), if_revision=planned.revision) << Conflict


def test_a_plan_holds_no_longer_than_its_prices():
    play, cheap = fleet(), book()
    dearer = replace(
        cheap, version=2, prices=tuple(replace(p, micros_per_hour=2 * p.micros_per_hour) for p in cheap.prices)
    )
    assert play >> ApplyDeclarations(6, (replace(dearer, effective_from=1_000),)) << PriceBookApplied
    planned = plan(play.state, job(), 999)
    held = SubmitWorkload(1_000, job(), if_revision=planned.revision, if_decided_at=planned.decided_at)
    assert plan(play.state, job(), 1_000).cost.compute == 2 * planned.cost.compute > 0
    assert play >> held << Conflict >> replace(held, at=999) << WorkloadSubmitted << WorkloadDecided


def test_a_finished_job_leaves_a_model_with_its_lineage_in_the_same_turn():
    play = fleet()
    job_id = play.ask(SubmitWorkload(5, job())).workload_id
    status = Status(
        job_id, 1, Phase.SUCCEEDED, outputs=(Artifact("cd" * 32, 9, "model.onnx"),), metrics={"accuracy": "0.97"}
    )
    assert (
        play
        >> ReportStatuses(9, "burst-us", (status,))
        << like(WorkloadProgressed, site="burst-us")
        << ModelRegistered
        >> ReportStatuses(10, "burst-us", (status,))
        << NOTHING
    )
    made = play.state.models["digits"][-1]
    assert (made.version, made.lineage.workload_id, made.lineage.site) == (2, job_id, "burst-us")
    assert play.state.sites["burst-us"].desired == {}
    assert play.state.workloads[job_id].phase is Phase.SUCCEEDED


def test_the_same_service_again_is_the_same_service():
    play = fleet()
    first = play.ask(SubmitWorkload(5, service()))
    assert play >> SubmitWorkload(6, service()) << NOTHING
    assert play.reply == replace(first, decision=None, repeated=True)


def test_a_changed_service_takes_over_once_it_runs():
    play = fleet()
    old = at_work(play, play.ask(SubmitWorkload(5, service())).workload_id)
    old_id = play.state.names["inspect"]
    changed = service(labels={"line": "3"})
    play = old >> SubmitWorkload(11, changed) << WorkloadSubmitted << WorkloadDecided
    new_id = play.reply.workload_id
    assert play.state.workloads[old_id].live and play.state.names["inspect"] == new_id
    site = play.state.workloads[new_id].sites[0]
    assert (
        play
        >> ReportStatuses(12, site, (Status(new_id, 1, Phase.RUNNING),))
        << WorkloadProgressed
        << like(WorkloadCancelled, workload_id=old_id)
    )


def test_a_changed_service_that_has_no_room_beside_the_old_takes_its_place_at_once():
    play = Playbook()
    play.ask(ApplyDeclarations(1, (press(),)))
    play.ask(SiteAttached(2, Hello("press-7", "b", 0)))
    play.ask(RegisterModel(3, model()))
    big = replace(service().demand, resources=replace(service().demand.resources, cpus_milli=3_000))
    old_id = play.ask(SubmitWorkload(5, service(demand=big))).workload_id
    assert (
        play
        >> SubmitWorkload(6, service(demand=big, labels={"line": "3"}))
        << WorkloadSubmitted
        << like(WorkloadCancelled, workload_id=old_id)
        << WorkloadDecided
    )
    assert play.reply.decision.sites == ("press-7",)


@pytest.mark.parametrize(
    ("uri", "family"),
    [
        ("models:/digits/7", NotFound),
        ("models:/nobody@latest", NotFound),
        ("models:/digits@champion", Refused),
        ("digits", Refused),
    ],
)
def test_a_model_reference_that_means_nothing_is_refused(uri, family):
    workload = service(inference=replace(service().inference, model_uri=uri))
    assert fleet() >> SubmitWorkload(5, workload) << family


def test_a_new_law_raises_what_it_forbids_in_the_same_turn_and_moves_nothing():
    play = fleet()
    workload_id = play.ask(SubmitWorkload(5, service())).workload_id
    site = play.state.workloads[workload_id].sites[0]
    play = (
        play
        >> ApplyDeclarations(6, (stay_home(1, "US"),))
        << PolicyApplied
        << like(AssignmentOutlawed, workload_id=workload_id, site=site, rules=("plant/stays-home",))
    )
    assert play.reply.outlawed == (workload_id,)
    assert workload_id in play.state.sites[site].desired
    assert play


def test_draining_moves_services_without_a_moment_of_absence():
    play = fleet()
    workload_id = play.ask(SubmitWorkload(5, service())).workload_id
    here = play.state.workloads[workload_id].sites[0]
    at_work(play, workload_id)
    play = play >> DrainSite(10, here) << SiteCordoned << PlanAdopted
    play = play << like(WorkloadDecided, because=f"drain {here}", among=play.reply.moves[0].sites)
    (there,) = play.reply.moves[0].sites
    assert there != here
    assert workload_id in play.state.sites[here].desired and workload_id in play.state.sites[there].desired
    play = play >> ReportStatuses(11, there, (Status(workload_id, 1, Phase.RUNNING),)) << WorkloadProgressed
    assert workload_id not in play.state.sites[here].desired
    assert play


def test_what_fits_nowhere_else_stays_and_is_named():
    play = fleet()
    workload_id = play.ask(SubmitWorkload(5, service())).workload_id
    here = play.state.workloads[workload_id].sites[0]
    other = "press-7" if here == "rack-de" else "rack-de"
    assert play >> CordonSite(6, other) << SiteCordoned >> DrainSite(7, here) << SiteCordoned
    assert play.reply.moves[0].sites == ()


def test_silence_stops_nothing():
    play = fleet()
    workload_id = play.ask(SubmitWorkload(5, service())).workload_id
    site = play.state.workloads[workload_id].sites[0]
    before = play.state.sites[site].desired
    assert (
        play
        >> SiteSilent(6, site)
        << SiteLost
        >> SiteSilent(7, site)
        << NOTHING
        >> Tick(10**12)
        << NOTHING
        >> SiteAttached(8, Hello(site, "boot-2", 5, running=(workload_id,)))
        << SiteJoined
    )
    assert play.state.sites[site].desired == before


@pytest.mark.parametrize("keep", Reconcile)
def test_a_replaced_service_is_reconciled_as_its_block_says(keep):
    play = fleet()
    block = Disconnect(replace=OnDisconnect.ANYWHERE, replace_after_ms=1_000, reconcile=keep)
    workload_id = play.ask(SubmitWorkload(5, service(disconnect=block))).workload_id
    here = play.state.workloads[workload_id].sites[0]
    at_work(play, workload_id)
    play = play >> SiteSilent(10, here) << SiteLost >> Tick(500) << NOTHING >> Tick(1_010) << WorkloadDecided
    (there,) = play.state.workloads[workload_id].sites
    assert there != here and workload_id in play.state.sites[here].desired
    at_work(play, workload_id)
    play = play >> SiteAttached(2_000, Hello(here, "boot-1", 5, running=(workload_id,))) << SiteJoined
    if keep is Reconcile.KEEP_REPLACEMENT:
        assert workload_id not in play.state.sites[here].desired
    else:
        play = play << like(WorkloadDecided, because=f"site {here} returned")
        record = play.state.workloads[workload_id]
        assert (record.sites, record.leaving, record.phase) == ((here,), (), Phase.RUNNING)
    assert play


def test_a_site_that_stops_by_the_work_s_own_block_has_not_ended_it():
    play = fleet()
    workload_id = play.ask(SubmitWorkload(5, service(disconnect=Disconnect(serve_for_ms=1_000)))).workload_id
    at_work(play, workload_id)
    at_work(play, workload_id, Phase.STOPPING, at=10)
    assert play.state.workloads[workload_id].phase is Phase.PLACED
    at_work(play, workload_id, Phase.RUNNING, at=11)
    assert play.state.workloads[workload_id].phase is Phase.RUNNING
    assert play


def test_cancelled_once_every_site_has_let_go():
    play = fleet()
    workload_id = play.ask(SubmitWorkload(5, service())).workload_id
    site = play.state.workloads[workload_id].sites[0]
    at_work(play, workload_id)
    play = play >> CancelWorkload(6, "inspect", key="c") << WorkloadCancelled
    assert play.state.workloads[workload_id].phase is Phase.STOPPING
    play = (
        play
        >> CancelWorkload(7, "inspect", key="c")
        << NOTHING
        >> ReportStatuses(8, site, (Status(workload_id, 1, Phase.CANCELLED),))
        << WorkloadProgressed
        >> ReportStatuses(9, site, (Status(workload_id, 1, Phase.RUNNING),))
        << NOTHING
    )
    assert play.state.workloads[workload_id].phase is Phase.CANCELLED
    assert play


def test_a_site_that_comes_back_without_the_work_has_let_go():
    play = fleet()
    workload_id = play.ask(SubmitWorkload(5, service())).workload_id
    site = play.state.workloads[workload_id].sites[0]
    play.ask(CancelWorkload(6, workload_id))
    held = play.state.sites[site].generation
    assert play >> SiteAttached(8, Hello(site, "boot-2", held)) << SiteJoined << WorkloadProgressed
    assert play.state.workloads[workload_id].phase is Phase.CANCELLED


def _probed(rtt_us: int, **changes: Any) -> tuple[Probed, ...]:
    return (replace(Probed("plant", "rack-de", rtt_us, 400, bound_us=rtt_us), **changes),)


def test_a_round_trip_is_recorded_when_it_is_news():
    assert (
        fleet()
        >> RecordLinks(10_000, _probed(9_000, p50_us=4_000, bound_us=9_500, window_ms=60_000))
        << like(LinkMeasured, rtt_us=9_000, samples=400, p50_us=4_000, bound_us=9_500, window_ms=60_000)
        >> RecordLinks(20_000, _probed(10_900))
        << NOTHING
        >> RecordLinks(30_000, _probed(12_000))
        << LinkMeasured
        >> RecordLinks(730_000, _probed(12_001))
        << LinkMeasured
        >> RecordLinks(730_001, (Probed("plant", "nowhere", 5, 1),))
        << NOTHING
    )


def test_a_busy_machine_s_noise_is_no_news():
    assert (
        fleet()
        >> RecordLinks(10_000, _probed(110))
        << LinkMeasured
        >> RecordLinks(20_000, _probed(900))
        << NOTHING
        >> RecordLinks(30_000, _probed(1_200))
        << LinkMeasured
    )


def test_a_link_that_jumps_is_recorded_six_times_a_minute_at_most():
    play = fleet()
    for second in range(60):
        play.ask(RecordLinks(10_000 + second * 1_000, _probed(9_000 if second % 2 else 90_000)))
    assert sum(isinstance(recorded.event, LinkMeasured) for recorded in play.recorded) == 6
    assert play


def test_a_round_trip_that_says_nothing_of_its_bound_is_widened():
    play = fleet() >> RecordLinks(10_000, (Probed("plant", "rack-de", 9_000, 5),)) << LinkMeasured
    assert play.state.links["rack-de"]["plant"].bound_us == 9_000 + 4_425
    assert play.state.fleet.links["plant", "rack-de"].us == 9_000 + 4_425
    assert play


def test_an_event_of_before_there_were_bounds_is_read_and_widened():
    play = fleet()
    old = Recorded(play.state.offset + 1, LinkMeasured(5, "plant", "rack-de", 9_000, 5))
    play.state.apply(old)
    play.recorded.append(old)
    assert play.state.fleet.links["plant", "rack-de"].us == 9_000 + 4_425
    assert play


def test_a_warm_up_is_the_first_word_on_a_service_time_and_predictions_are_the_last():
    def served(p99_us: int, device_class: str = "cpu") -> RecordServiceTimes:
        return RecordServiceTimes(0, (Served(DIGEST, device_class, p99_us, 400, 900, p99_us, 60_000),))

    play = fleet()
    workload_id = play.ask(SubmitWorkload(4, service())).workload_id
    (site,) = play.state.workloads[workload_id].sites
    warm = Status(workload_id, 1, Phase.RUNNING, metrics={"service_time_p99_us": "3000"})
    play = (
        play
        >> ReportStatuses(5, site, (warm,))
        << WorkloadProgressed
        << like(ServiceTimeMeasured, p99_us=3_000, samples=1, device_class="cpu")
        >> replace(served(3_100), at=6)
        << like(ServiceTimeMeasured, p99_us=3_100, samples=400, bound_us=3_100, p50_us=900)
        >> replace(served(3_200), at=60_000)
        << NOTHING
        >> replace(served(9_000), at=60_001)
        << ServiceTimeMeasured
        >> ReportStatuses(60_002, site, (replace(warm, metrics={"service_time_p99_us": "1"}),))
        << WorkloadProgressed
        >> replace(served(9_000, device_class=""), at=90_000)
        << NOTHING
        >> replace(served(2**62), at=90_000)
        << NOTHING
    )
    assert play.state.fleet.service_times[DIGEST, "cpu"].us == 9_000
    assert play


def test_what_names_nothing_is_not_found():
    assert (
        fleet()
        >> CancelWorkload(5, "nobody")
        << NotFound
        >> CordonSite(5, "nowhere")
        << NotFound
        >> DrainSite(5, "nowhere")
        << NotFound
        >> SiteAttached(5, Hello("nowhere", "b", 0))
        << NotFound
    )


def test_an_agent_that_talks_nonsense_harms_only_itself():
    """Whatever the fold could not take in is refused before the first event, or passed over."""
    play = fleet()
    box = press().offers[0]
    wild = replace(box, resources=replace(box.resources, cpus_milli=-1))
    workload_id = play.ask(SubmitWorkload(4, service())).workload_id
    site = play.state.workloads[workload_id].sites[0]
    endless = Status(workload_id, 1, Phase.RUNNING, metrics={"service_time_p99_us": "9" * 5_000})
    assert (
        play
        >> SiteAttached(5, Hello("press-7", "b", 0, offers=(box, box)))
        << Refused
        >> SiteAttached(5, Hello("press-7", "b", 0, offers=(wild,)))
        << Refused
        >> ReportStatuses(6, site, (endless,))
        << WorkloadProgressed
        >> RecordLinks(7, (Probed("plant", "rack-de", 2**62, 1), Probed("x" * 300, "rack-de", 5, 1)))
        << NOTHING
    )
