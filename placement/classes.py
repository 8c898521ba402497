"""Classes of workloads: what differs in its name alone is considered once, for as long as nothing changes.

A decision follows from the workload, the fleet, the law and the moment. The name breaks ties and does nothing else
(unless a rule speaks of it); the moment decides what prices hold and what measured times are worth. Everything else is
worked out here (`Considered`) and kept with the fleet's columns under the workload's class. It is used again only where
no site came or went, and the law and the measured times are the very same.

What is held may have changed. Then the journal of units says where, and what was kept is made good: where no answer can
differ it stands as it is, which is nearly always; where copies may stand elsewhere at a site, it is packed again; where
anything comes of that, the rules are asked again with it. So an update of one node costs the same in any fleet.

Limits: `MOST_CLASSES` sites, class by class, are kept; those that were asked for least lately go first.
"""

from collections.abc import Hashable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import NamedTuple

from placement.explain import record
from placement.fleet.columns import Part
from placement.fleet.fleet import Fleet
from placement.lately import Lately
from placement.leaning import leaning, leans
from placement.money.range import monthly
from placement.packing.packing import Packing
from placement.packing.repacking import to_pack_again
from placement.proposals.rule_costs import Cheapest, cheapest_with_offers, cheapest_without
from placement.quota.tree import Tree
from placement.ranking import Order, order, recorded
from placement.rules.cpus import CpusFree
from placement.rules.gpu_memory import GpuMemoryFree
from placement.rules.gpus import GpusFree
from placement.rules.latency import Measured, readings
from placement.rules.memory import MemoryFree
from placement.rules.on_one_unit import FreeOnOneUnit
from placement.rules.team_budget import TeamBudget
from placement.rules.team_limit import TeamLimit
from placement.rules.team_quota import TeamQuota
from placement.rules.volume import VolumeFree
from placement.scoring.tie import Seeds
from placement.verdicts import Question, Verdicts, Watch, judge, silent, watch_again
from tidegate.model.decision import Cost, MonthlyRange, Ranking, RuleColumn, Seat, Slot
from tidegate.model.reading import Reading
from tidegate.model.workload import Spread, Training, Workload

MOST_CLASSES = 150_000
"""Sites times the classes kept: some forty times as many bytes."""

FREE: tuple[FreeOnOneUnit, ...] = (GpusFree(), GpuMemoryFree(), CpusFree(), MemoryFree())
LINK = VolumeFree()

_WORKLOAD = attrgetter(*(one.name for one in fields(Workload) if one.name not in ("name", "training", "labels")))
_TRAINING = attrgetter(*(one.name for one in fields(Training) if one.name != "env"))


class Stand(NamedTuple):
    """Copies where they were chosen to stand."""

    slots: tuple[Slot, ...]
    seats: tuple[Seat, ...]
    cost: Cost
    monthly: MonthlyRange
    readings: tuple[Reading, ...]


class Considered(NamedTuple):
    """All that a decision is made of, but for the name's ties. Shared, so never to be written to."""

    verdicts: Verdicts
    placing: Verdicts
    """The same with the offers that copies are to stand on, where a rule prefers others than the cheapest."""
    columns: tuple[RuleColumn, ...]
    order: Order
    seeds: Seeds
    """Shape (allowed,): of the sites in order."""
    ranking: Ranking | None
    """With no ties in it."""
    without: tuple[Cheapest, ...]
    """The best place without each rule that refuses a place by itself."""
    stands: dict[tuple[int, ...], Stand]
    """What follows from the rows that were chosen, for those that were."""


@dataclass(slots=True)
class _Kept:
    law: object
    measured: Measured
    key: Hashable
    state: int
    units: int
    uplinks: int
    place: int
    """In the journal of units."""
    bounds: Hashable
    considered: Considered


def consider(workload: Workload, fleet: Fleet, question: Question, watch: Watch = silent) -> Considered:
    """The class's verdicts, record and order: kept ones where they still hold, or where what changed is made good."""
    columns, tree = fleet.columns, question.law.tree
    kept: Lately[_Kept] = columns.kept("classes", lambda: Lately(MOST_CLASSES // (len(columns) + 1)))
    key = class_of(workload, question)
    measured = Measured.at(workload, fleet, question.model_digest, question.now)
    known = measured.key
    stamps = columns.stamps
    found = kept.get(key)
    if found is not None and found.state == stamps[Part.STATE] and found.key == known and found.law is question.law:
        if found.units == stamps[Part.UNITS] and not tree.has_budget(workload.team):
            watch_again(found.considered.verdicts, watch)
            kept.put(key, found)
            return found.considered
        bounds = _bounds(workload, fleet, tree)
        considered = _caught_up(found, bounds, workload, fleet, question)
        if considered is not None and tree.has_budget(workload.team):
            considered = _in_month(considered, workload, fleet, question)
        if considered is not None:
            watch_again(considered.verdicts, watch)
    else:
        bounds, considered = _bounds(workload, fleet, tree), None
    considered = considered or _consider(workload, fleet, question, watch, measured=measured)
    kept.put(
        key,
        _Kept(
            question.law,
            measured,
            known,
            stamps[Part.STATE],
            stamps[Part.UNITS],
            stamps[Part.UPLINKS],
            columns.units.journal.end,
            bounds,
            considered,
        ),
    )
    return considered


def _bounds(workload: Workload, fleet: Fleet, tree: Tree) -> Hashable:
    """What quotas say, which others change by what they hold."""
    rules = [rule for rule in (TeamLimit(tree), TeamQuota(tree)) if rule.speaks(workload)]
    return tuple([rule.said(workload, fleet) for rule in rules])


def _caught_up(
    kept: _Kept, bounds: Hashable, workload: Workload, fleet: Fleet, question: Question
) -> Considered | None:
    """What was kept, with what changed since made good; None where that is everything, or too much to tell."""
    columns, considered = fleet.columns, kept.considered
    changes = columns.units.journal.since(kept.place)
    if changes is None or (bounds != kept.bounds and question.law.tree.models):
        return None
    if not changes and bounds == kept.bounds and kept.uplinks == columns.stamps[Part.UPLINKS]:
        return considered
    verdicts = considered.verdicts
    said = {column.rule.name: column for column in verdicts.own}
    same = bounds == kept.bounds and all(rule.same_after(changes, said[rule.name], workload, columns) for rule in FREE)
    if kept.uplinks != columns.stamps[Part.UPLINKS]:
        link = said["volume-free"]
        for site in columns.uplinks_since(kept.uplinks):
            same = same and not link.refuses >> site & 1 and LINK.allows_at(workload, columns, site)
    told, packing = said["copies-free"].refuses, None
    if again := to_pack_again(verdicts.packing, changes, told):
        packing = verdicts.packing.again(again, workload, question.law.prices(columns))
        if packing is None and any(told >> site & 1 for site in again):
            packing = verdicts.packing  # as it was, but for the number of copies that have room
    if same and packing is None and not (changes and leans(verdicts)):
        touched = {int(columns.offer_site[offer]) for offer, _ in changes}
        for rows in [rows for rows in considered.stands if not touched.isdisjoint(rows)]:
            del considered.stands[rows]
        return considered
    return _consider(workload, fleet, question, silent, packing or verdicts.packing)


def _in_month(considered: Considered, workload: Workload, fleet: Fleet, question: Question) -> Considered:
    """With what the month has cost by now: its rule is asked again, and the others where its answer is another."""
    verdicts = considered.verdicts
    budget = TeamBudget(question.law.tree, verdicts.packing, verdicts.costs.total, question.now)
    column, before = budget.column(workload, fleet), verdicts.own[-1]
    if column.refuses or before.refuses or leans(verdicts):
        return _consider(workload, fleet, question, silent, verdicts.packing)
    return considered


class Class:
    """What workloads of one class have in common. Made of a dozen nouns, so its hash is worked out once."""

    __slots__ = ("_hash", "_parts")

    def __init__(self, *parts: Hashable) -> None:
        self._parts, self._hash = parts, hash(parts)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Class) and self._parts == other._parts


def class_of(workload: Workload, question: Question) -> Class:
    """The class that a workload is of, for one question."""
    training = workload.training
    return Class(
        id(question.law),
        question.model_digest,
        question.exclude,
        _WORKLOAD(workload),
        training and _TRAINING(training),
        tuple(sorted(workload.labels.items())) if workload.labels else (),
        workload.name if question.law.speaks_of_names else "",
    )


def _consider(
    workload: Workload,
    fleet: Fleet,
    question: Question,
    watch: Watch,
    packing: Packing | None = None,
    measured: Measured | None = None,
) -> Considered:
    """`packing`, `measured`: where copies stand and how long an answer takes, if that is known."""
    verdicts = judge(workload, fleet, question, watch, packing=packing, measured=measured)
    placing = leaning(verdicts, workload, fleet, question)
    standing = order(placing, workload, fleet)
    least = standing.least
    own = [column.record or record(column, workload, fleet) for column in verdicts.own]
    considered = Considered(
        verdicts=verdicts,
        placing=placing,
        columns=verdicts.legal.records(own),
        order=standing,
        seeds=fleet.columns.seeds.take(standing.rows),
        ranking=recorded(standing, placing, fleet),
        without=(
            *cheapest_without(verdicts, fleet, least),
            *cheapest_with_offers(verdicts, workload, fleet, question, least),
        )
        if workload.spread is not Spread.SITE
        else (),
        stands={},
    )
    for one in (verdicts, placing):
        one.packing.close()
        one.costs.close()
    return considered


def stand(considered: Considered, chosen: tuple[int, ...], workload: Workload, fleet: Fleet) -> Stand:
    """The copies at the sites in these rows: slots, seats, what they cost and how soon they answer."""
    found = considered.stands.get(chosen)
    if found is None:
        verdicts = considered.placing
        slots = tuple([slot for row in chosen for slot in verdicts.packing.slots(row)])
        costs = [considered.order.cost(row) for row in chosen]
        cost = sum(costs[1:], costs[0]) if costs else Cost()
        interruptions = sum([considered.order.interrupted(row) for row in chosen])
        found = Stand(
            slots,
            fleet.seats(workload, slots),
            cost,
            monthly(workload, cost, interruptions),
            readings(verdicts.measured, slots, fleet.columns),
        )
        considered.stands[chosen] = found
    return found


def with_ties(ranking: Ranking, ties: bytes) -> Ranking:
    """The ranking with the last field of its scores."""
    return Ranking(
        ranking.bits,
        ranking.costs,
        (*ranking.scores, ties),
        ranking.offers,
        ranking.offer_codes,
        ranking.copies,
        ranking.more_slots,
        ranking.penalties,
    )
