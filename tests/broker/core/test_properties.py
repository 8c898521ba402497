"""Whatever is asked in whatever order: the invariants hold, nothing goes back, and a replay is the live state."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.commands import (
    ApplyDeclarations,
    CancelWorkload,
    CordonSite,
    DrainSite,
    RecordLinks,
    RegisterModel,
    ReportStatuses,
    SiteAttached,
    SiteSilent,
    SubmitWorkload,
    Tick,
)
from broker.core.decide.placing import place
from broker.core.difference import difference
from broker.core.state import State
from tests.support.builders import book, cloud, job, model, press, rack, service, stay_home
from tests.support.playbook import Playbook
from tidegate.model.assignment import Phase, Status
from tidegate.model.errors import Refused
from tidegate.model.event import WorkloadDecided
from tidegate.model.registry import Artifact
from tidegate.model.session import Hello, Probed
from tidegate.model.workload import Disconnect, OnDisconnect, Reconcile
from tidegate.wire.codec import encode

SITES = st.sampled_from(["press-7", "rack-de", "burst-us"])
NAMES = st.sampled_from(["a", "b"])
KEYS = st.sampled_from(["", "k1", "k2"])
CPUS = st.sampled_from([1_000, 3_000, 4_000, 90_000])
DECLARED = [press(), rack(), cloud(), book(), stay_home(1), stay_home(2, "US"), cloud(jurisdiction="DE")]


def _sized(workload, cpus_milli):
    return replace(
        workload, demand=replace(workload.demand, resources=replace(workload.demand.resources, cpus_milli=cpus_milli))
    )


WORKLOADS = st.builds(_sized, st.builds(job, NAMES), CPUS) | st.builds(
    _sized,
    st.builds(
        lambda name, keep: service(name, disconnect=Disconnect(replace=OnDisconnect.ANYWHERE, reconcile=keep)),
        NAMES,
        st.sampled_from(Reconcile),
    ),
    CPUS,
)
IDS = st.integers(1, 40).map(lambda offset: f"w{offset}")
STATUSES = st.builds(
    Status,
    IDS,
    st.just(1),
    st.sampled_from(Phase),
    outputs=st.just((Artifact("cd" * 32, 9, "model.onnx"),)),
    metrics=st.just({"service_time_p99_us": "900"}),
)
AT = st.integers(1, 10**6)
COMMANDS = st.one_of(
    st.builds(ApplyDeclarations, AT, st.lists(st.sampled_from(DECLARED), max_size=3).map(tuple), KEYS),
    st.builds(SiteAttached, AT, st.builds(Hello, SITES, st.just("b"), st.integers(0, 50))),
    st.builds(SiteSilent, AT, SITES),
    st.builds(SubmitWorkload, AT, WORKLOADS, KEYS),
    st.builds(SubmitWorkload, AT, WORKLOADS, KEYS),
    st.builds(CancelWorkload, AT, NAMES | IDS, key=KEYS),
    st.builds(ReportStatuses, AT, SITES, st.lists(STATUSES, max_size=4).map(tuple)),
    st.builds(ReportStatuses, AT, SITES, st.lists(STATUSES, max_size=4).map(tuple)),
    st.builds(CordonSite, AT, SITES, st.booleans(), key=KEYS),
    st.builds(DrainSite, AT, SITES, key=KEYS),
    st.builds(RegisterModel, AT, st.just(model())),
    st.builds(RecordLinks, AT, st.just((Probed("plant", "rack-de", 9_000, 1),))),
    st.builds(Tick, AT),
)


def _joined() -> Playbook:
    play = Playbook()
    play.ask(ApplyDeclarations(1, (press(), rack(), cloud(), book())))
    for name in ("press-7", "rack-de", "burst-us"):
        play.ask(SiteAttached(2, Hello(name, "b", 0)))
    play.ask(RegisterModel(3, model()))
    return play


def _converse(commands) -> Playbook:
    play = _joined()
    for command in commands:
        try:
            play.ask(command)
        except Refused:
            continue
    return play


@settings(max_examples=150, deadline=None)
@given(st.lists(COMMANDS, max_size=25))
def test_the_fold_of_the_log_is_the_live_state(commands):
    assert _converse(commands)


@settings(max_examples=60, deadline=None)
@given(st.lists(COMMANDS, max_size=20))
def test_deciding_again_gives_the_same_decision(commands):
    play, again = _converse(commands), State()
    for recorded in play.recorded:
        if isinstance(recorded.event, WorkloadDecided):
            decision, record = recorded.event.decision, again.workloads[recorded.event.workload_id]
            once_more = place(
                again,
                record.workload,
                record.model,
                decision.decided_at,
                revision=decision.revision,
                among=recorded.event.among,
            )
            assert encode(replace(once_more, victims=decision.victims)) == encode(decision)
        again.apply(recorded)


@settings(max_examples=60, deadline=None)
@given(st.lists(COMMANDS, max_size=25), st.integers(0, 60))
def test_a_difference_leads_from_any_generation_to_the_newest(commands, stop):
    """An agent that took every difference in turn and one that slept through some hold the same."""
    play = _converse(commands)
    held: dict[str, dict[str, int]] = {name: {} for name in play.state.sites}
    generation = dict.fromkeys(play.state.sites, 0)
    fold = State()
    for recorded in play.recorded:
        fold.apply(recorded)
        if recorded.offset < stop and recorded.offset % 3:
            continue  # this one it slept through
        for name, site in fold.sites.items():
            word = difference(site, generation[name])
            mine = {} if word.whole else held[name]
            mine |= {a.workload_id: a.generation for a in word.upserts}
            held[name] = {workload_id: g for workload_id, g in mine.items() if workload_id not in word.removals}
            generation[name] = word.generation
            assert held[name] == {a.workload_id: a.generation for a in site.desired.values()}
