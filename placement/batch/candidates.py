"""From workloads, fleet and law to the arrays of a batch, by asking the engine and never the rules again.

Every kind of workload is judged once, on a fleet from which everything that takes part has left: where all enforced
rules allow it there, an arc leads, at the price that the engine gives. So a solver sees nothing unlawful, out of reach
or too large, and what one workload costs is the same sum as in its decision.

A place is a site. Its room is the sum over its units, less what those hold that take no part. That units do not pool,
that a site's cheapest offer may be full, and that a team has a limit are left to the engine, which decides every move
again: here they would only make the bound higher, never lower. So the bound holds for whatever the engine places.

Limits: workloads whose copies stand at several sites take no part. GPUs count in thousandths, memory in MiB, demands
rounded down and rooms up, so that the bound stays one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from placement.batch.problem import Problem
from placement.columns import Numbers
from placement.fleet import Fleet
from placement.law import Law
from placement.scoring.tie import tie
from placement.verdicts import Question, judge
from tidegate.model.site import Offer
from tidegate.model.workload import Workload

MIB = 2**20
MOST_ROOM = 2**50
"""What a site is counted as having at most; more is as good as endless."""
LEFT_OUT = 10
"""So many times the dearest arc of all does it cost to leave a workload out."""
AMOUNTS = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """One workload that takes part, and the digest of the model that it serves."""

    workload: Workload
    model_digest: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """The arrays, and what their rows are: `order[i]` is which of those asked the i-th workload of the problem is."""

    problem: Problem
    order: tuple[int, ...]
    sites: tuple[str, ...]

    def site(self, place: int) -> str:
        """The name of a place; empty for being left out."""
        return self.sites[place] if place < len(self.sites) else ""


def formulate(asked: Sequence[Asked], fleet: Fleet, law: Law) -> Batch:
    """The batch of those asked. `fleet` must not hold anything of theirs; `law` is that of the moment."""
    kinds = _kinds(asked, law)
    columns = fleet.columns
    arcs: list[tuple[Numbers, Numbers]] = []
    for members in kinds:
        one = asked[members[0]]
        verdicts = judge(one.workload, fleet, Question(law, one.model_digest))
        rows = np.flatnonzero(verdicts.allowed)
        arcs.append((rows, verdicts.costs.total[rows]))
    dearest = max((int(cost.max()) for _, cost in arcs if len(cost)), default=0)
    return Batch(
        Problem(
            demand=np.array([_demand(asked[members[0]].workload) for members in kinds], np.int64).reshape(-1, AMOUNTS),
            many=np.array([len(members) for members in kinds], dtype=np.int64),
            leave=np.full(len(kinds), LEFT_OUT * (dearest + 1), dtype=np.int64),
            start=np.concatenate([[0], np.cumsum([len(rows) for rows, _ in arcs])]).astype(np.int64),
            place=_joined([rows for rows, _ in arcs]),
            cost=_joined([cost for _, cost in arcs]),
            room=_rooms(fleet),
        ),
        order=tuple(index for members in kinds for index in members),
        sites=columns.names,
    )


def _kinds(asked: Sequence[Asked], law: Law) -> list[list[int]]:
    """Which of those asked are of a kind: all but the name is the same, and the name too where a law speaks of it.

    In the order of a hash of their first names, so that no one can go first by what it is called.
    """
    named = "workload.name" in repr(law.policies)
    kinds: dict[tuple[object, ...], list[int]] = {}
    order = sorted(range(len(asked)), key=lambda i: (tie(asked[i].workload.name, "batch"), asked[i].workload.name, i))
    for index in order:
        one = asked[index]
        like = one.workload if named else replace(one.workload, name="")
        kinds.setdefault((repr(like), one.model_digest), []).append(index)
    return list(kinds.values())


def _demand(workload: Workload) -> tuple[int, int, int]:
    demand = workload.demand
    gpus = 0 if demand.cpu_fallback else demand.gpu_milli
    each = (gpus, demand.resources.cpus_milli, demand.resources.memory_bytes // MIB)
    return tuple(amount * workload.copies for amount in each)  # type: ignore[return-value]


def _rooms(fleet: Fleet) -> Numbers:
    """Shape (sites, amounts): what every site has for those who take part."""
    rooms = {name: [0, 0, 0] for name in fleet.columns.names}
    for name, facts in fleet.sites.items():
        for offer in facts.offers:
            for amount, have in enumerate(_of_unit(offer)):
                rooms[name][amount] += have * offer.count
    for holding in fleet.holdings.values():
        for copy in holding.copies:
            if copy.site in rooms:
                taken = copy.resources
                rooms[copy.site][0] -= taken.gpus * 1000
                rooms[copy.site][1] -= taken.cpus_milli
                rooms[copy.site][2] -= taken.memory_bytes // MIB
    bounded = [[min(max(amount, 0), MOST_ROOM) for amount in rooms[name]] for name in fleet.columns.names]
    return np.array(bounded, dtype=np.int64).reshape(-1, AMOUNTS)


def _of_unit(offer: Offer) -> tuple[int, int, int]:
    resources = offer.resources
    return resources.gpus * 1000, resources.cpus_milli, -(-resources.memory_bytes // MIB)


def _joined(parts: list[Numbers]) -> Numbers:
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, dtype=np.int64)
