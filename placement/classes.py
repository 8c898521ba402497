"""Classes of workloads: what differs in its name alone is considered once, for as long as nothing changes.

A decision follows from the workload, the fleet, the law and the moment. The name breaks ties and does nothing else
(unless a rule speaks of it); the moment decides what prices hold and what measured times are worth. Everything else is
worked out here (`Considered`) and kept with the fleet's columns under the workload's class. It is used again only where
every part of the fleet still bears the stamp that it had, and the law and the measured times are the very same.

Limits: `MOST_CLASSES` sites, class by class, are kept; then all are forgotten.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter

from placement.columns import Columns
from placement.explain import record
from placement.fleet import Fleet
from placement.money.range import monthly
from placement.ranking import Order, order, recorded
from placement.relax import Cheapest, cheapest_with_offers, cheapest_without
from placement.rules.latency import Measured, readings
from placement.scoring.tie import Seeds
from placement.verdicts import Question, Verdicts, Watch, judge, silent, watch_again
from tidegate.model.decision import Cost, MonthlyRange, Ranking, RuleColumn, Seat, Slot
from tidegate.model.reading import Reading
from tidegate.model.workload import Spread, Training, Workload

MOST_CLASSES = 150_000
"""Sites times the classes kept: some two hundred times as many bytes."""

_WORKLOAD = attrgetter(*(one.name for one in fields(Workload) if one.name not in ("name", "training", "labels")))
_TRAINING = attrgetter(*(one.name for one in fields(Training) if one.name != "env"))


@dataclass(frozen=True, slots=True)
class Stand:
    """Copies where they were chosen to stand."""

    slots: tuple[Slot, ...]
    seats: tuple[Seat, ...]
    cost: Cost
    monthly: MonthlyRange
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Considered:
    """All that a decision is made of, but for the name's ties. Shared, so never to be written to."""

    verdicts: Verdicts
    columns: tuple[RuleColumn, ...]
    order: Order
    seeds: Seeds
    """Shape (allowed,): of the sites in order."""
    ranking: Ranking | None
    """With no ties in it."""
    without: tuple[Cheapest, ...]
    """The best place without each rule that refuses a place by itself."""
    stands: dict[tuple[int, ...], Stand] = field(default_factory=dict)
    """What follows from the rows that were chosen, for those that were."""


@dataclass(frozen=True, slots=True)
class _Kept:
    law: object
    measured: Measured
    key: Hashable
    stamps: tuple[int, ...]
    considered: Considered


def consider(workload: Workload, fleet: Fleet, question: Question, watch: Watch = silent) -> Considered:
    """The class's verdicts, record and order: kept ones where they still hold."""
    columns, tree = fleet.columns, question.law.tree
    if tree.has_budget(workload.team):
        return _consider(workload, fleet, question, watch)  # what a month has cost changes with every moment
    kept: dict[Hashable, _Kept] = columns.kept("classes", dict)
    key = class_of(workload, question)
    measured = Measured.at(workload, fleet, question.model_digest, question.now)
    known = measured.key
    stamps = tuple(columns.stamps.values())
    found = kept.get(key)
    if found is not None and found.stamps == stamps and found.key == known and found.law is question.law:
        watch_again(found.considered.verdicts, watch)
        return found.considered
    if len(kept) * (len(columns) + 1) > MOST_CLASSES:
        kept.clear()
    considered = _consider(workload, fleet, question, watch)
    kept[key] = _Kept(question.law, measured, known, stamps, considered)
    return considered


def class_of(workload: Workload, question: Question) -> Hashable:
    """What workloads of one class have in common."""
    training = workload.training
    return (
        id(question.law),
        question.model_digest,
        question.exclude,
        _WORKLOAD(workload),
        training and _TRAINING(training),
        tuple(sorted(workload.labels.items())) if workload.labels else (),
        workload.name if question.law.speaks_of_names else "",
    )


def _consider(workload: Workload, fleet: Fleet, question: Question, watch: Watch) -> Considered:
    verdicts = judge(workload, fleet, question, watch)
    standing = order(verdicts, workload, fleet)
    best = standing.least()
    dearest = int(standing.money[best]) if best is not None else 0
    return Considered(
        verdicts=verdicts,
        columns=(*verdicts.legal.records, *(record(column, workload, fleet) for column in verdicts.own)),
        order=standing,
        seeds=_seeds(fleet.columns, standing),
        ranking=recorded(standing, verdicts, fleet),
        without=(
            *cheapest_without(verdicts, fleet, dearest),
            *cheapest_with_offers(verdicts, workload, fleet, question, dearest),
        )
        if workload.spread is not Spread.SITE
        else (),
    )


def _seeds(columns: Columns, standing: Order) -> Seeds:
    return columns.seeds[standing.rows]


def stand(
    considered: Considered, chosen: tuple[int, ...], workload: Workload, fleet: Fleet, question: Question
) -> Stand:
    """The copies at the sites in these rows: slots, seats, what they cost and how soon they answer."""
    found = considered.stands.get(chosen)
    if found is None:
        verdicts = considered.verdicts
        slots = tuple(slot for row in chosen for slot in verdicts.packing.slots(row))
        cost = sum((verdicts.costs.of(row) for row in chosen), Cost())
        interruptions = sum(int(verdicts.costs.interruptions[row]) for row in chosen)
        measured = Measured.at(workload, fleet, question.model_digest, question.now)
        found = Stand(
            slots,
            fleet.seats(workload, slots),
            cost,
            monthly(workload, cost, interruptions),
            readings(measured, slots, fleet.columns),
        )
        considered.stands[chosen] = found
    return found


def with_ties(ranking: Ranking, ties: bytes) -> Ranking:
    """The ranking with the last field of its scores."""
    return replace(ranking, scores=(*ranking.scores, ties))
