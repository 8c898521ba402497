"""Planning workloads together that nobody has submitted yet: where they would best stand as one batch.

One at a time, whoever comes first takes the cheap room that a later one, who may stand nowhere else, would have needed.
Together, each goes where it serves the whole sum best. The answer is a plan whose moves come from nowhere; submitting
them in its order, each with its sites preferred, is the submitter's to do.

Each move is a decision of the engine on the copy as those before it left it, and has passed the auditor before it is
shown; what the auditor passes nowhere is named as staying. One that the engine does not place where the batch wanted it
is placed where the engine says, as is one whose copies stand at several sites, which takes no part in the batch.
`cost_before` is what the same workloads would cost one at a time, in the order given; 0 where not all of them would
find room that way. `enough` is asked before each workload: where it says so the plan ends with those it has.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from broker.core.decide.models import resolve
from broker.core.decide.once import going
from broker.core.decide.placing import Disagreement, place
from broker.core.decide.placing import bound as as_bound
from broker.core.decide.proposing import Solve, never
from broker.core.decide.workloads import check
from broker.core.state import State
from placement.batch.ascent import Reals, bound
from placement.batch.candidates import Asked, formulate
from placement.batch.problem import Problem
from tidegate.model.decision import Decision, Outcome
from tidegate.model.plan import Goal, Plan, PlannedMove, Staying, Stays
from tidegate.model.registry import ModelVersion
from tidegate.model.workload import Spread, Workload

Placed = dict[int, Decision]


def jointly(
    state: State, workloads: Sequence[Workload], at: int, solve: Solve, enough: Callable[[], bool] = never
) -> Plan:
    """The plan. `state` is the caller's own copy. Refused, naming the field, where a workload makes no sense."""
    for workload in workloads:
        check(workload)
    models = [resolve(state, w.inference.model_uri) if w.inference else None for w in workloads]
    revision = state.offset
    in_turn = [(index, "") for index in range(len(workloads))]
    one_by_one = _place(state, workloads, models, at, in_turn, enough)
    joined = [index for index, workload in enumerate(workloads) if workload.spread is not Spread.SITE]
    asked = [
        Asked(as_bound(workloads[index], models[index]), model.artifact.digest if (model := models[index]) else "")
        for index in joined
    ]
    batch = formulate(asked, state.fleet, state.law.at(at), at)
    answer = solve(batch.problem)
    order = [joined[index] for index in batch.order]
    wanted = {index: batch.site(int(place)) for index, place in zip(order, answer.assignment.at, strict=True)}
    where = [(index, wanted.get(index, "")) for index in [*order, *sorted(set(range(len(workloads))) - set(order))]]
    placed = _place(state, workloads, models, at, sorted(where, key=lambda pair: pair[1] == ""), enough, audited=True)
    if not enough() and _dearer(placed, one_by_one):
        placed = _place(state, workloads, models, at, in_turn, enough, audited=True)
    everybody = len(one_by_one) == len(workloads)
    return Plan(
        revision=revision,
        moves=tuple(
            PlannedMove("", workloads[index].name, (), decision.slots, Goal.CHEAPER, -decision.cost.total)
            for index, decision in placed.items()
        ),
        staying=tuple(
            Staying("", workload.name, Goal.CHEAPER, Stays.LATER if enough() else Stays.NOWHERE)
            for index, workload in enumerate(workloads)
            if index not in placed
        ),
        considered=len(workloads),
        cost_before_micros_per_hour=_cost(one_by_one) if everybody else 0,
        cost_after_micros_per_hour=_cost(placed),
        bound_micros_per_hour=_bound(batch.problem, order, frozenset(placed), answer.bids.astype(np.float64)),
        solver=answer.solver,
        made_at=at,
    )


def _place(
    state: State,
    workloads: Sequence[Workload],
    models: Sequence[ModelVersion | None],
    at: int,
    order: Sequence[tuple[int, str]],
    enough: Callable[[], bool],
    *,
    audited: bool = False,
) -> Placed:
    """Each on the fleet as those before it left it, at its site or, where that will not do, wherever the engine says.
    It ends where time is up. The fleet is as before afterwards."""
    placed: Placed = {}
    for index, site in order:
        if enough():
            break
        for among in ((site,), ()) if site else ((),):
            decision = _decided(state, workloads[index], models[index], at, among, audited)
            if decision is not None:
                placed[index] = decision
                demand, team = workloads[index].demand, workloads[index].team
                state.fleet.take(_trial(index), decision.slots, demand, team, decision.seats)
                break
    for index in placed:
        state.fleet.release(_trial(index))
    return placed


def _decided(
    state: State, workload: Workload, model: ModelVersion | None, at: int, among: tuple[str, ...], audited: bool
) -> Decision | None:
    """Where it is placed; None where it is refused, or where the auditor does not pass what the engine decided."""
    try:
        goes = going(state, workload.name)
        decision = place(state, workload, model, at, goes=goes, among=among, audited=audited, advise=False)
    except Disagreement:
        return None
    return decision if decision.outcome is Outcome.PLACED else None


def _trial(index: int) -> str:
    """A holder's name that no workload has."""
    return f"?{index}"


def _cost(placed: Placed) -> int:
    return sum(decision.cost.total for decision in placed.values())


def _dearer(placed: Placed, other: Placed) -> bool:
    """Whether fewer are placed than otherwise, or as many at a greater cost."""
    return (-len(placed), _cost(placed)) > (-len(other), _cost(other))


def _bound(problem: Problem, order: Sequence[int], placed: frozenset[int], prices: Reals) -> int:
    """What those that are placed cannot cost less than."""
    ends = np.cumsum(problem.many)
    counted = [
        sum(1 for index in order[end - many : end] if index in placed)
        for end, many in zip(ends.tolist(), problem.many.tolist(), strict=True)
    ]
    return bound(replace(problem, many=np.array(counted, dtype=np.int64)), prices)
