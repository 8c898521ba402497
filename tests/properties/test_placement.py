"""What must hold of every decision, on random fleets under random law."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from placement.audit.auditor import audit
from placement.audit.room import wrong_holdings
from placement.engine import decide
from placement.fleet.facts import Carried
from placement.fleet.fleet import Fleet
from placement.law.law import Law
from placement.quota.ledger import Right
from placement.rules.volume import carried
from tests.properties.worlds import MODEL, NOW, World, laws, workloads, worlds
from tests.properties.wrong import mutants
from tidegate.model.decision import Decision, Outcome
from tidegate.model.workload import Workload


def decided(workload: Workload, fleet: Fleet, law: Law) -> Decision:
    return decide(workload, fleet, law, now=NOW, revision=9, model_digest=MODEL)


def sent(workload: Workload, decision: Decision, fleet: Fleet) -> tuple[Carried, ...]:
    """What the broker puts to the account of the uplinks."""
    return tuple(Carried(site, carried(workload, fleet.sites[site].site)) for site in decision.sites)


@settings(max_examples=400, deadline=None)
@given(workloads(), worlds(), laws())
def test_the_auditor_agrees_with_the_engine(workload: Workload, world: World, law: Law) -> None:
    fleet = world.fleet()
    assert audit(workload, decided(workload, fleet, law), fleet, law, model_digest=MODEL) == ()


@settings(max_examples=150, deadline=None)
@given(workloads(), worlds(), laws())
def test_the_order_in_which_facts_came_decides_nothing(workload: Workload, world: World, law: Law) -> None:
    backwards = Law(law.policies[::-1], law.price_book, law.teams, law.books[::-1])
    first = decided(workload, world.fleet(), law)
    assert first == decided(workload, world.fleet(backwards=True), backwards)
    assert first == decided(workload, world.fleet(), law)


@settings(max_examples=150, deadline=None)
@given(st.lists(workloads(), max_size=8), worlds(), laws(), st.data())
def test_what_is_taken_never_exceeds_what_is_there(
    asked: list[Workload], world: World, law: Law, data: st.DataObject
) -> None:
    fleet = world.fleet()
    for number, workload in enumerate(asked):
        decision = decided(workload, fleet, law)
        assert audit(workload, decision, fleet, law, model_digest=MODEL) == ()
        if decision.outcome is Outcome.PLACED:
            fleet.take(
                f"w{number}",
                decision.slots,
                workload.demand,
                workload.team,
                decision.seats,
                carried=sent(workload, decision, fleet),
                right=Right(yields=workload.yields),
            )
        if fleet.holdings and data.draw(st.integers(0, 3)) == 0:
            fleet.release(data.draw(st.sampled_from(sorted(fleet.holdings))))
        columns = fleet.columns
        used = columns.unit_offer >= 0
        assert (columns.fresh >= 0).all()
        for left in (columns.unit_gpus, columns.unit_cpus, columns.unit_memory):
            assert (left[used] >= 0).all()
        assert all(not limit or used <= limit for limit, used in zip(columns.uplink, columns.uplink_used, strict=True))
        assert wrong_holdings(fleet) == []


@settings(max_examples=100, deadline=None)
@given(st.lists(workloads(), max_size=6), worlds(), laws(), workloads())
def test_columns_kept_by_row_say_what_columns_built_anew_say(
    asked: list[Workload], world: World, law: Law, last: Workload
) -> None:
    fleet = world.fleet()
    for number, workload in enumerate(asked):
        decision = decided(workload, fleet, law)
        fleet.take(
            f"w{number}",
            decision.slots,
            workload.demand,
            workload.team,
            decision.seats,
            carried=sent(workload, decision, fleet),
            right=Right(yields=workload.yields),
        )
        fleet.release(f"w{number - 2}")
    again = world.fleet()
    for holding in fleet.holdings.values():
        again.restore(holding)
    assert decided(last, again, law) == decided(last, fleet, law)


@settings(max_examples=200, deadline=None)
@given(workloads(), worlds(), laws())
def test_a_proposal_changes_something_and_each_field_once(workload: Workload, world: World, law: Law) -> None:
    decision = decided(workload, world.fleet(), law)
    for relaxation in decision.relaxations:
        assert decision.outcome is Outcome.REFUSED
        assert relaxation.changes
        assert len({change.field for change in relaxation.changes}) == len(relaxation.changes)
        assert all(change.before != change.after for change in relaxation.changes)


@settings(max_examples=60, deadline=None)
@given(workloads(), worlds(), laws())
def test_the_auditor_objects_to_every_wrong_decision(workload: Workload, world: World, law: Law) -> None:
    fleet = world.fleet()
    decision = decided(workload, fleet, law)
    assume(decision.candidates)
    for name, wrong in mutants(decision):
        assert audit(workload, wrong, fleet, law, model_digest=MODEL), name
