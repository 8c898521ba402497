"""Proposing a plan: what could stand better, worked out on a copy of the state that nobody else reads.

    proposed(copy, Wish(goals=(Goal.CHEAPER,)), at, solve) -> Plan

1. everything that may move is taken out of the copy and put as one batch (`placement.batch`); `solve` says where all of
   it would stand best together, and what it cannot cost less than;
2. each difference from what stands is asked of the engine, in order, against the copy as the moves before it have left
   it, and of the auditor before it becomes a move: the very code that adopting the plan runs;
3. a move stays in the plan if it is worth it: the law asks for it, or what it gains within the horizon is more than it
   costs, and at least `WORTH_PPM` of what is paid now. What fluctuates has no say: money is prices and law alone.

What may move: live work at sites that can be reached, whose copies stand at one site, and that is not on its way
already. A service is made anew before the old one is broken, so it needs room for both at once; a job is stopped first,
and the hours it has run are lost and paid for. What needs room that a service of the plan still holds moves in a later
wave, up to `WAVES`: it is decided on the copy as it will be once those before it have left, and made once they have.

Linear in moves, a few decisions and an audit each; the batch itself as `broker.solver` says. `enough` is asked before
each move: where it says so the plan ends with the moves it has, which are the most useful ones.

It is longer than other files because a plan is one argument: each step leaves the copy as the next one must find it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from broker.core.decide.consolidating import emptied_units
from broker.core.decide.moving import as_move
from broker.core.decide.once import going, vacated
from broker.core.decide.placing import Disagreement, place
from broker.core.decide.placing import bound as as_bound
from broker.core.decide.rebalance import MOST_MOVES, decided, event_of
from broker.core.records import UNKNOWN, WorkloadRecord
from broker.core.state import State
from placement.batch.answer import Answer
from placement.batch.ascent import bound
from placement.batch.candidates import Asked, Batch, formulate
from placement.batch.problem import Problem
from tidegate.model.decision import Decision, Outcome
from tidegate.model.event import Event, PlanAdopted, Recorded
from tidegate.model.plan import FLEET_GOALS, Goal, Manner, Plan, PlannedMove, Staying, Stays
from tidegate.model.workload import Spread, Workload, WorkloadKind

Solve = Callable[[Problem], Answer]

HORIZON_HOURS = 24
WORTH_PPM = 10_000
"""A move for money gains at least this share of what is paid now: prices within a per cent are the same price."""
LANDINGS = 16
WAVES = 4
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What a plan is wanted for. With `together`, those workloads are planned and nothing that stands is moved."""

    goals: tuple[Goal, ...] = FLEET_GOALS
    horizon_hours: int = HORIZON_HOURS
    most_moves: int = MOST_MOVES
    together: tuple[Workload, ...] = ()


@dataclass(frozen=True, slots=True)
class Mover:
    """A workload that may move, what it pays where it stands, and where it is wanted."""

    record: WorkloadRecord
    pays: int
    target: str = ""
    """Empty where the batch has no place for it, or the place where it stands."""
    saves: int = 0
    """Micros per hour at the target, as the batch has it."""
    affordable: tuple[str, ...] = ()
    """Other sites that cost no more, the cheapest first; the best `LANDINGS` of them."""

    @property
    def site(self) -> str:
        """Where it stands."""
        return self.record.sites[0]

    @property
    def outlawed(self) -> bool:
        """Whether an enforced rule forbids where it stands."""
        return bool(self.record.outlawed_by)


def never() -> bool:
    """Nobody is in a hurry."""
    return False


def proposed(state: State, wish: Wish, at: int, solve: Solve, enough: Callable[[], bool] = never) -> Plan:
    """The plan. `state` is the caller's own copy: it is changed, and of no use afterwards."""
    return Proposing(state, wish, at, enough).plan(solve)


class Proposing:
    """A plan in the making. `state` has taken in every move so far."""

    def __init__(self, state: State, wish: Wish, at: int, enough: Callable[[], bool]) -> None:
        self.state, self.wish, self.at, self._enough = state, wish, at, enough
        self.moves: list[PlannedMove] = []
        self.staying: list[Staying] = []
        self._revision, self._wave = state.offset, 0
        self._priced: dict[tuple[object, ...], int] = {}

    def plan(self, solve: Solve) -> Plan:
        """All goals, the strongest first."""
        everything = Goal.CHEAPER in self.wish.goals or Goal.CONSOLIDATE in self.wish.goals
        movers = [m for m in self._movers() if everything or m.outlawed]
        batch = self._batch(movers)
        answer = solve(batch.problem)
        movers = _aimed(movers, batch, answer)
        units = _units(self.state)
        self._apply(PlanAdopted(self.at, Plan(self._revision)))
        for goal in (Goal.LEGAL, Goal.CHEAPER):
            if goal in self.wish.goals:
                self._pursue(goal, movers)
        if Goal.CONSOLIDATE in self.wish.goals:
            self._consolidate(movers)
        while self._wave < WAVES - 1 and self._chain(movers):
            pass
        before = sum(mover.pays for mover in movers)
        return Plan(
            revision=self._revision,
            moves=tuple(self.moves),
            staying=tuple(self.staying),
            considered=len(movers),
            cost_before_micros_per_hour=before,
            cost_after_micros_per_hour=before - sum(move.gain_micros_per_hour for move in self.moves),
            bound_micros_per_hour=_bound(movers, batch, answer),
            units_before=units,
            units_after=_units(self.state),
            horizon_hours=self.wish.horizon_hours,
            solver=answer.solver,
            made_at=self.at,
        )

    # What may move, and what it pays.

    def _movers(self) -> list[Mover]:
        found = []
        for record in self.state.workloads.without(self.state.ended):
            settled = record.live and len(record.sites) == 1 and not record.leaving and record.decision is not None
            if not settled or record.workload.spread is Spread.SITE:
                continue
            if self.state.sites[record.sites[0]].state != UNKNOWN:
                found.append(Mover(record, self._pays(record)))
        return found

    def _pays(self, record: WorkloadRecord) -> int:
        """As decided, where the same prices hold still; otherwise what the engine asks for the same place now."""
        assert record.decision is not None
        decision = record.decision
        if decision.price_book == self.state.law.at(self.at).price_book_ref:
            return decision.cost.total
        alike = (repr(replace(record.workload, name="")), _digest(record), decision.slots)
        if alike not in self._priced:
            again = self._ask(record, Manner.STOP_FIRST, record.sites[0])
            same = again is not None and again.slots == decision.slots
            self._priced[alike] = again.cost.total if again is not None and same else decision.cost.total
        return self._priced[alike]

    def _batch(self, movers: list[Mover]) -> Batch:
        """Everything that may move, on a fleet that it has left. The fleet is put back afterwards."""
        asked = [
            Asked(
                as_bound(m.record.workload, m.record.model),
                _digest(m.record),
                "" if m.outlawed else m.site,
                m.pays,
            )
            for m in movers
        ]
        with vacated(self.state, self.at, *(mover.record.id for mover in movers)):
            return formulate(asked, self.state.fleet, self.state.law.at(self.at), self.at)

    # Moving.

    def _pursue(self, goal: Goal, movers: list[Mover]) -> None:
        """Every move that the goal asks for, the most useful first."""
        if goal is Goal.LEGAL:
            wanted = [mover for mover in movers if mover.outlawed]
        else:
            wanted = [m for m in movers if m.target and not m.outlawed and m.saves * MILLION > m.pays * WORTH_PPM]
        for mover in sorted(wanted, key=lambda m: (-m.saves, m.record.placed_offset, m.record.id)):
            over = len(self.moves) >= self.wish.most_moves or self._enough()
            why = Stays.LATER if over else self._move(mover, goal)
            if why is not None:
                self.staying.append(Staying(mover.record.id, mover.record.workload.name, goal, why))

    def _move(self, mover: Mover, goal: Goal) -> Stays | None:
        """Move it in the gentlest way that does; why not, where none does."""
        why = Stays.NO_ROOM if mover.target else Stays.NOWHERE
        for manner, site in _ways(mover, goal):
            decision = self._ask(mover.record, manner, site)
            if decision is None or mover.site in decision.sites:
                continue
            move = self._as_move(mover, goal, manner, decision)
            if goal is not Goal.LEGAL and not self._worth(move, mover.pays, _leaning(decision)):
                why = Stays.TOO_DEAR
                continue
            if self._make(move):
                return None
        return why

    def _chain(self, movers: list[Mover]) -> bool:
        """Another wave: what had no room is tried again where services that moved have left. Whether any moved."""
        waiting = [one for one in self.staying if one.why is Stays.NO_ROOM]
        if not waiting or not self._left():
            return False
        self._wave += 1
        known, before = {mover.record.id: mover for mover in movers}, len(self.moves)
        for one in waiting:
            if len(self.moves) >= self.wish.most_moves or self._enough():
                break
            if self._move(known[one.workload_id], one.goal) is None:
                self.staying.remove(one)
        return len(self.moves) > before

    def _left(self) -> int:
        """Services that moved leave, on the copy, where they stood. How many did."""
        left = 0
        for move in self.moves:
            record = self.state.workloads[move.workload_id]
            for site in record.leaving:
                self.state.fleet.release(f"{record.id}@{site}")
            self.state.workloads[record.id] = replace(record, leaving=())
            left += len(record.leaving)
        return left

    def _ask(self, record: WorkloadRecord, manner: Manner, site: str) -> Decision | None:
        """The decision at a site, or (empty) wherever the engine says; None where it does not place it."""
        without, among = record.id if manner is Manner.STOP_FIRST else "", (site,) if site else ()
        workload, goes = record.workload, going(self.state, record.workload.name, record)
        decision = place(
            self.state, workload, record.model, self.at, without=without, goes=goes, among=among, audited=False
        )
        return decision if decision.outcome is Outcome.PLACED else None

    def _as_move(self, mover: Mover, goal: Goal, manner: Manner, decision: Decision) -> PlannedMove:
        return as_move(self.state, mover.record, mover.pays, goal, manner, decision, self.at)

    def _worth(self, move: PlannedMove, pays: int, leaning: int) -> bool:
        gain = move.gain_micros_per_hour - leaning
        return gain * MILLION >= pays * WORTH_PPM and gain * self.wish.horizon_hours > move.disruption.cost_micros

    def _consolidate(self, movers: list[Mover]) -> None:
        """Units that can be emptied whole, at no greater cost and for less than what stands on them pays meanwhile."""
        moved = {move.workload_id for move in self.moves}
        still = {
            m.record.id: m
            for m in movers
            if not m.outlawed and m.record.id not in moved and m.record.workload.kind is WorkloadKind.INFERENCE_SERVICE
        }
        affordable = {workload_id: mover.affordable for workload_id, mover in still.items()}
        for unit in emptied_units(self.state, affordable, self._landing):
            if len(self.moves) + len(unit) > self.wish.most_moves or self._enough():
                return
            found = [
                self._as_move(still[workload_id], Goal.CONSOLIDATE, Manner.MAKE_BEFORE_BREAK, decision)
                for workload_id, decision in unit
            ]
            paid = sum(still[move.workload_id].pays for move in found) * self.wish.horizon_hours
            free = all(move.gain_micros_per_hour >= 0 for move in found)
            if free and sum(move.disruption.cost_micros for move in found) <= paid:
                for move in found:
                    self._make(move)

    def _landing(self, workload_id: str, site: str) -> Decision | None:
        return self._ask(self.state.workloads[workload_id], Manner.MAKE_BEFORE_BREAK, site)

    def _make(self, move: PlannedMove) -> bool:
        """Take a move into the plan and into the copy, as adopting it will: decided again, and audited."""
        try:
            decision = decided(self.state, self.state.workloads[move.workload_id], move, self.at)
        except Disagreement:
            return False  # adopting it would be refused for the same reason, and raise the alarm
        if decision is None or decision.slots != move.after:
            return False
        self.moves.append(replace(move, wave=self._wave))
        self._apply(event_of(self.at, move, decision))
        return True

    def _apply(self, event: Event) -> None:
        self.state.apply(Recorded(self.state.offset + 1, event))


def _ways(mover: Mover, goal: Goal) -> Iterator[tuple[Manner, str]]:
    """How it may move, the gentlest first. Only the law breaks a service before it stands again elsewhere."""
    legal = goal is Goal.LEGAL
    if mover.record.workload.kind is not WorkloadKind.TRAINING_JOB:
        if mover.target:
            yield Manner.MAKE_BEFORE_BREAK, mover.target
        if legal:
            yield Manner.MAKE_BEFORE_BREAK, ""
        if not (legal or mover.record.workload.yields):
            return
    if mover.target:
        yield Manner.STOP_FIRST, mover.target
    if legal:
        yield Manner.STOP_FIRST, ""


def _aimed(movers: list[Mover], batch: Batch, answer: Answer) -> list[Mover]:
    """Each with its target. Workloads of a kind change places only where there is need: who can stay, stays."""
    problem, aimed = batch.problem, list(movers)
    at, row = answer.assignment.at, 0
    for kind in range(problem.kinds):
        many = int(problem.many[kind])
        members = batch.order[row : row + many]
        wanted = [batch.site(int(place)) for place in at[row : row + many]]
        row += many
        unplaced = []
        for index in members:
            if movers[index].site in wanted:
                wanted.remove(movers[index].site)
            else:
                unplaced.append(index)
        arcs = slice(problem.start[kind], problem.start[kind + 1])
        cost = {batch.site(int(p)): int(c) for p, c in zip(problem.place[arcs], problem.cost[arcs], strict=True)}
        for index, site in zip(unplaced, sorted(wanted, key=lambda s: (s == "", s)), strict=True):
            if site:
                aimed[index] = replace(movers[index], target=site, saves=movers[index].pays - cost[site])
        cheapest = sorted(cost, key=lambda site: (cost[site], site))[: LANDINGS + 1]
        for index in members:
            mover = aimed[index]
            sites = tuple(site for site in cheapest if site != mover.site and cost[site] <= mover.pays)
            aimed[index] = replace(mover, affordable=sites)
    return aimed


def _bound(movers: list[Mover], batch: Batch, answer: Answer) -> int:
    """What everything considered cannot cost less than, where what is outlawed may also stay and pay as it does."""
    problem, row = batch.problem, 0
    leave = problem.leave.copy()
    for kind, many in enumerate(problem.many.tolist()):
        outlawed = [movers[i].pays for i in batch.order[row : row + many] if movers[i].outlawed]
        leave[kind] = min(outlawed, default=int(leave[kind]))
        row += many
    return bound(replace(problem, leave=leave), answer.bids.astype(np.float64))


def _units(state: State) -> int:
    """On how many units anything stands, once what is leaving has left."""
    taken = set()
    for holding in state.fleet.holdings.values():
        workload_id, _, site = holding.workload_id.partition("@")
        record = state.workloads.get(workload_id)
        if record is not None and site in record.sites:
            taken |= {(copy.site, copy.offer, copy.unit) for copy in holding.copies}
    return len(taken)


def _leaning(decision: Decision) -> int:
    """What rules that prefer other places count against the one decided on, micros per hour."""
    return sum(one.penalty_micros_per_hour for one in decision.ranked if one.site in decision.sites)


def _digest(record: WorkloadRecord) -> str:
    return record.model.artifact.digest if record.model else ""
