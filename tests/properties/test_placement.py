"""What must hold of every decision, on random fleets under random law."""

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from placement.audit import audit
from placement.audit_room import wrong_holdings
from placement.engine import decide
from placement.facts import Carried
from placement.fleet import Fleet
from placement.law import Law
from placement.quota.ledger import Right
from placement.rules.volume import carried
from tests.properties.worlds import MODEL, NOW, World, laws, workloads, worlds
from tidegate.model.decision import Decision, Estimate, Outcome, Unit
from tidegate.model.packed import pack_bits, pack_numbers, unpack_numbers
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


def mutants(decision: Decision) -> list[tuple[str, Decision]]:
    """Decisions that are wrong, each in one way."""
    wrong: list[tuple[str, Decision]] = []
    for index, column in enumerate(decision.columns):
        columns = list(decision.columns)
        for site in range(len(decision.candidates)):
            flipped = [
                not truth if row == site else truth
                for row, truth in enumerate(column.allowed(len(decision.candidates)))
            ]
            if column.rule == "max-cost" and decision.candidates[site] not in {one.site for one in decision.ranked}:
                continue  # where the copies stand on several offers the auditor believes the engine (see its limits)
            columns[index] = replace(column, bits=pack_bits(flipped))
            wrong.append((f"{column.rule} flipped", replace(decision, columns=tuple(columns))))
        if column.bits:
            columns[index] = replace(column, lacks=())
            wrong.append(("misses without what they lack", replace(decision, columns=tuple(columns))))
            satisfied = tuple(replace(lack, wanted_number=-1, operator="Ge") for lack in column.lacks)
            columns[index] = replace(column, lacks=satisfied)
            if any(lack.unit is not Unit.WORDS and not lack.found for lack in column.lacks):
                wrong.append(("a miss that is none", replace(decision, columns=tuple(columns))))
    ranked, candidates = decision.ranked, len(decision.candidates)
    if len(ranked) > 1 and decision.slots:
        wrong.append(("runner-up chosen", replace(decision, slots=ranked[1].slots)))
        wrong.append(("another margin", replace(decision, margin_micros_per_hour=decision.margin_micros_per_hour + 1)))
    if decision.ranking:
        ranking, count = decision.ranking, len(ranked)
        for index, column in enumerate((*ranking.costs, *ranking.scores)):
            more = pack_numbers([number + 1 for number in unpack_numbers(column, count)])
            columns = [*ranking.costs, *ranking.scores]
            columns[index] = more
            costs, scores = tuple(columns[: len(ranking.costs)]), tuple(columns[len(ranking.costs) :])
            wrong.append(("dearer", replace(decision, ranking=replace(ranking, costs=costs, scores=scores))))
        slots = count + sum(unpack_numbers(ranking.more_slots, count))
        copies = pack_numbers([number + 1 for number in unpack_numbers(ranking.copies, slots)])
        wrong.append(("too many copies", replace(decision, ranking=replace(ranking, copies=copies))))
        bits = pack_bits([False] * candidates)
        wrong.append(("one missed", replace(decision, ranking=replace(ranking, bits=bits))))
        wrong.append(("all missed", replace(decision, ranking=None)))
    wrong.append(("another price book", replace(decision, price_book="another@1")))
    if decision.outcome is Outcome.PLACED:
        upside_down = replace(decision.monthly, compute=Estimate(low=1, point=0, high=0))
        wrong.append(("a month upside down", replace(decision, monthly=upside_down)))
        first, others = decision.seats[0], decision.seats[1:]
        for name, seat in (
            ("a unit that is not there", replace(first, unit=1_000_000)),
            ("a GPU that is not there", replace(first, gpus=(*first.gpus[1:], 99))),
            ("one GPU twice", replace(first, gpus=first.gpus * 2 or (0, 0))),
        ):
            wrong.append((name, replace(decision, seats=(seat, *others))))
        wrong.append(("a seat left out", replace(decision, seats=others)))
        wrong.append(("refused anyway", replace(decision, outcome=Outcome.REFUSED, slots=())))
    else:
        wrong.append(("placed nowhere", replace(decision, outcome=Outcome.PLACED)))
    return wrong


@settings(max_examples=60, deadline=None)
@given(workloads(), worlds(), laws())
def test_the_auditor_objects_to_every_wrong_decision(workload: Workload, world: World, law: Law) -> None:
    fleet = world.fleet()
    decision = decided(workload, fleet, law)
    assume(decision.candidates)
    for name, wrong in mutants(decision):
        assert audit(workload, wrong, fleet, law, model_digest=MODEL), name
