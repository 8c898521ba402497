"""Law about what work leaves behind: a model carries the data that it was made from, wherever it goes next."""

from dataclasses import replace

from broker.core.commands import (
    ApplyDeclarations,
    RegisterModel,
    ReportStatuses,
    SiteAttached,
    SiteSilent,
    SubmitWorkload,
)
from broker.core.commands import Tick as TimePasses
from broker.core.decide.workloads import plan
from tests.support.builders import ORDINARY, cloud, job, model, rack, service
from tests.support.playbook import Playbook, like
from tidegate.model.assignment import Phase, Status
from tidegate.model.decision import Outcome
from tidegate.model.event import (
    AssignmentOutlawed,
    ModelRegistered,
    PolicyApplied,
    SiteApplied,
    SiteLost,
    WorkloadProgressed,
)
from tidegate.model.policy import Expression, Operator, Policy, Rule
from tidegate.model.registry import Artifact, Lineage, ModelVersion
from tidegate.model.session import Hello
from tidegate.model.site import Engine, Reach
from tidegate.model.workload import Data, Disconnect, OnDisconnect, Workload

PATIENTS = Data(("phi",), ("DE",), origin="plant", ref="ward-3")
PUBLIC = Data(("public",), ("DE",), origin="plant")
AT_HOME = Policy(
    "care",
    1,
    rules=(
        Rule(
            "phi-at-home",
            when=(
                Expression("data.classes", Operator.CONTAINS_ANY, ("phi",)),
                Expression("data.deidentified", Operator.IN, ("false",)),
            ),
            require=(Expression("site.operator", Operator.IN, ("self",)),),
        ),
    ),
)
SERVES = (Engine.RAY, Engine.PROCESS)


def clinic(*policies: Policy) -> Playbook:
    """A rack of one's own, and a cloud nearby that is cheaper to reach and could do everything."""
    play = Playbook()
    near = replace(cloud(), engines=SERVES, reach=(Reach("plant", 300),))
    play.ask(ApplyDeclarations(1, (replace(rack(), engines=SERVES), near, *policies)))
    for name in ("rack-de", "burst-us"):
        play.ask(SiteAttached(2, Hello(name, "boot-1", 0, f"127.0.0.1:{len(name)}")))
    return play


def trained(play: Playbook, data: Data) -> ModelVersion:
    """A job on that data runs to its end and leaves a model."""
    done = play.ask(SubmitWorkload(3, job(data=data)))
    (site,) = done.decision.sites
    status = Status(done.workload_id, 1, Phase.SUCCEEDED, outputs=(Artifact("cd" * 32, 9, "model.onnx"),))
    play = play >> ReportStatuses(4, site, (status,)) << WorkloadProgressed << ModelRegistered
    assert play
    return play.state.models["digits"][-1]


def allowed(play: Playbook, workload: Workload) -> set[str]:
    """Where the plan would let it run."""
    return {one.site for one in plan(play.state, workload, 5).ranked}


def test_a_model_remembers_the_data_it_was_made_from():
    made = trained(clinic(AT_HOME), PATIENTS)
    assert made.lineage == Lineage(
        workload_id="w6",
        data_ref="ward-3",
        code_digest=job().training.code_digest,
        site="rack-de",
        data_classes=("phi",),
        data_subjects=("DE",),
        data_origin="plant",
    )


def test_a_service_on_public_data_stays_where_its_models_data_must():
    play = clinic(AT_HOME)
    trained(play, PATIENTS)
    assert allowed(play, service(data=PUBLIC)) == {"rack-de"}


def test_a_model_made_from_attested_deidentified_data_may_leave():
    play = clinic(AT_HOME)
    trained(play, replace(PATIENTS, deidentified=True, attestation="expert determination 2025-04"))
    assert allowed(play, service(data=PUBLIC)) == {"rack-de", "burst-us"}
    assert allowed(play, service(data=PATIENTS)) == {"rack-de"}


def test_a_claim_that_nobody_attests_leaves_with_nobody():
    play = clinic(AT_HOME)
    trained(play, replace(PATIENTS, deidentified=True))
    assert allowed(play, service(data=PUBLIC)) == {"rack-de"}


def test_a_model_of_unknown_origin_is_held_to_the_strictest_unless_the_submitter_says_what_it_was_made_from():
    play = clinic(AT_HOME)
    play.ask(RegisterModel(3, model()))
    assert allowed(play, service(data=PUBLIC)) == {"rack-de"}
    assert allowed(play, service(data=PUBLIC, carries=(PUBLIC,))) == {"rack-de", "burst-us"}


def test_what_was_recorded_outranks_what_the_submitter_says():
    play = clinic(AT_HOME)
    trained(play, PATIENTS)
    assert allowed(play, service(data=PUBLIC, carries=(PUBLIC,))) == {"rack-de"}


def test_work_fails_over_to_no_place_that_its_model_may_not_be_at():
    play = clinic(AT_HOME)
    trained(play, PATIENTS)
    anywhere = Disconnect(replace=OnDisconnect.ANYWHERE, replace_after_ms=10)
    placed = play.ask(SubmitWorkload(5, service(data=PUBLIC, disconnect=anywhere, latency=None)))
    assert placed.decision.sites == ("rack-de",)
    play = play >> SiteSilent(6, "rack-de") << SiteLost >> TimePasses(99)
    assert play.state.workloads[placed.workload_id].sites == ("rack-de",)


def test_a_new_law_finds_the_services_that_its_words_reach_only_through_their_models():
    play = clinic()
    trained(play, PATIENTS)
    near = service(data=PUBLIC, prefer=replace(service().prefer, sites=("burst-us",)))
    placed = play.ask(SubmitWorkload(5, near))
    assert placed.decision.sites == ("burst-us",)
    assert (
        play
        >> ApplyDeclarations(6, (AT_HOME,))
        << PolicyApplied
        << like(AssignmentOutlawed, workload_id=placed.workload_id, site="burst-us", rules=("care/phi-at-home",))
    )


def test_a_law_on_offers_looks_at_the_offer_that_the_work_stands_on():
    play = clinic()
    play.ask(RegisterModel(3, model()))
    placed = play.ask(SubmitWorkload(5, service(data=ORDINARY)))
    assert placed.decision.outcome is Outcome.PLACED
    (slot,) = placed.decision.slots
    rule = Rule("no", require=(Expression("offer.name", Operator.NOT_IN, (slot.offer,)),))
    assert (
        play
        >> ApplyDeclarations(6, (Policy("offers", 1, rules=(rule,)),))
        << PolicyApplied
        << like(AssignmentOutlawed, site=slot.site, rules=("offers/no",))
    )


def test_work_whose_products_may_not_come_home_runs_nowhere_and_says_where_they_would_have_gone():
    abroad = replace(cloud("store-us"), home=True, engines=())
    play = clinic(AT_HOME)
    play.ask(ApplyDeclarations(3, (abroad,)))
    decision = plan(play.state, job(data=PATIENTS), 5)
    assert decision.outcome is Outcome.REFUSED
    (miss,) = (miss for miss in decision.misses if (miss.rule, miss.site) == ("products", "rack-de"))
    assert (miss.wanted, miss.found) == (("care/phi-at-home",), ("store-us",))
    assert plan(play.state, job(data=PUBLIC), 5).outcome is Outcome.PLACED


def test_a_store_that_moves_abroad_outlaws_what_sends_its_products_there():
    play = clinic(AT_HOME)
    placed = play.ask(SubmitWorkload(3, job(data=PATIENTS)))
    abroad = replace(cloud("store-us"), home=True, engines=())
    assert (
        play
        >> ApplyDeclarations(4, (abroad,))
        << SiteApplied
        << like(AssignmentOutlawed, workload_id=placed.workload_id, site="rack-de", rules=("care/phi-at-home",))
    )


def test_stores_at_home_change_nothing_for_work_that_may_be_there():
    play = clinic(AT_HOME)
    play.ask(ApplyDeclarations(3, (replace(rack(), engines=SERVES, home=True),)))
    decision = plan(play.state, job(data=PATIENTS), 5)
    assert decision.sites == ("rack-de",)
    assert [column.rule for column in decision.columns][:2] == ["care/phi-at-home", "products"]
