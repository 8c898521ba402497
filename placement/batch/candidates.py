"""From workloads, fleet and law to the arrays of a batch, by asking the engine and never the rules again.

Every kind of workload is judged once, on a fleet from which everything that takes part has left: where all enforced
rules allow it there, an arc leads, at the price that the engine gives. So a solver sees nothing unlawful, out of reach
or too large, and what one workload costs is the same sum as in its decision. Where something stands already, it may
stay, whatever new work would find there (a cordon, a slow link): an arc leads there too, unless the law forbids it.

A place is a site. Its room is the sum over its units, less what those hold that take no part. That units do not pool,
that a site's cheapest offer may be full, and that a team has a limit are left to the engine, which decides every move
again: here they would only make the bound higher, never lower. So the bound holds for whatever the engine places.

A leaning stands above money, as in the engine: where a workload prefers places and some of them would do, arcs lead to
those alone. What a law's rule merely prefers is not counted.

Limits: workloads whose copies stand at several sites take no part. GPUs count in thousandths, memory in MiB, demands
rounded down and rooms up, so that the bound stays one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np

from placement.batch.problem import Problem
from placement.fleet.columns import Numbers
from placement.fleet.fleet import Fleet
from placement.law.law import Law
from placement.leaning import leaning
from placement.scoring.prefer import dispreferred
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
    """One workload that takes part."""

    workload: Workload
    model_digest: str = ""
    """Of the model that it serves."""
    stands_at: str = ""
    """The site where it stands and may stay; empty where there is none."""
    pays: int = 0
    """Micros per hour, where it stands."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The arrays, and what their rows are: `order[i]` is which of those asked the i-th workload of the problem is."""

    problem: Problem
    order: tuple[int, ...]
    sites: tuple[str, ...]

    def site(self, place: int) -> str:
        """The name of a place; empty for being left out."""
        return self.sites[place] if place < len(self.sites) else ""


def formulate(asked: Sequence[Asked], fleet: Fleet, law: Law, now: int = 0) -> Batch:
    """The batch of those asked at `now`. `fleet` must not hold anything of theirs; `law` is that of the moment."""
    kinds = [kind for members in _alike(asked, law) for kind in _judged(asked, members, fleet, law, now)]
    dearest = max((int(kind.cost.max()) for kind in kinds if len(kind.cost)), default=0)
    demand = np.array([_demand(asked[kind.members[0]].workload) for kind in kinds], dtype=np.int64)
    problem = Problem(
        demand=demand.reshape(-1, AMOUNTS),
        many=np.array([len(kind.members) for kind in kinds], dtype=np.int64),
        leave=np.full(len(kinds), LEFT_OUT * (dearest + 1), dtype=np.int64),
        start=np.cumsum([0, *(len(kind.place) for kind in kinds)], dtype=np.int64),
        place=_joined([kind.place for kind in kinds]),
        cost=_joined([kind.cost for kind in kinds]),
        room=_rooms(fleet, asked),
    )
    order = tuple(index for kind in kinds for index in kind.members)
    return Batch(problem, order, fleet.columns.names)


@dataclass(frozen=True, slots=True)
class _Kind:
    members: tuple[int, ...]
    place: Numbers
    cost: Numbers


def _alike(asked: Sequence[Asked], law: Law) -> list[list[int]]:
    """Which of those asked are judged alike: all but the name is the same, and the name too where a law speaks of it.

    In the order of a hash of their first names, so that no one can go first by what it is called.
    """
    named = "workload.name" in repr(law.policies)
    alike: dict[tuple[str, str], list[int]] = {}
    names = [one.workload.name.encode() for one in asked]
    order = sorted(range(len(asked)), key=lambda i: (blake2b(names[i], digest_size=8).digest(), names[i], i))
    for index in order:
        one = asked[index]
        like = one.workload if named else replace(one.workload, name="")
        alike.setdefault((repr(like), one.model_digest), []).append(index)
    return list(alike.values())


def _judged(asked: Sequence[Asked], members: list[int], fleet: Fleet, law: Law, now: int) -> list[_Kind]:
    """The kinds among workloads that are judged alike: those that may stay where new work could not go, or pay less
    there than new work would, are a kind for each such place; all others are one."""
    one = asked[members[0]]
    question = Question(law, one.model_digest, now=now)
    verdicts = leaning(judge(one.workload, fleet, question), one.workload, fleet, question)
    allowed = verdicts.allowed
    liked = allowed & (dispreferred(one.workload, fleet.columns) == 0)
    rows = np.flatnonzero(liked if liked.any() else allowed)
    costs = verdicts.costs.total[rows]
    found = dict(zip(rows.tolist(), costs.tolist(), strict=True))
    own: dict[tuple[int, int], list[int]] = {}
    for index in members:
        row, pays = fleet.columns.row_of.get(asked[index].stands_at, -1), asked[index].pays
        special = row >= 0 and (row not in found or pays < found[row])
        own.setdefault((row, pays) if special else (-1, 0), []).append(index)
    kinds = []
    for (row, pays), few in own.items():
        if row < 0:
            kinds.append(_Kind(tuple(few), rows, costs))
        else:
            standing = {**found, row: pays}
            place = np.array(sorted(standing), dtype=np.int64)
            kinds.append(_Kind(tuple(few), place, np.array([standing[p] for p in place.tolist()], dtype=np.int64)))
    return kinds


def _demand(workload: Workload) -> tuple[int, int, int]:
    demand = workload.demand
    gpus = 0 if demand.cpu_fallback else demand.gpu_milli
    each = (gpus, demand.resources.cpus_milli, demand.resources.memory_bytes // MIB)
    return tuple(amount * workload.copies for amount in each)  # type: ignore[return-value]


def _rooms(fleet: Fleet, asked: Sequence[Asked]) -> Numbers:
    """Shape (sites, amounts): what every site has for those who take part; never less than what stands there."""
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
    least = {name: [0, 0, 0] for name in rooms}
    for one in asked:
        if one.stands_at in least:
            for amount, held in enumerate(_demand(one.workload)):
                least[one.stands_at][amount] += held
    bounded = [[min(max(pair), MOST_ROOM) for pair in zip(rooms[n], least[n], strict=True)] for n in rooms]
    return np.array(bounded, dtype=np.int64).reshape(-1, AMOUNTS)


def _of_unit(offer: Offer) -> tuple[int, int, int]:
    resources = offer.resources
    return resources.gpus * 1000, resources.cpus_milli, -(-resources.memory_bytes // MIB)


def _joined(parts: list[Numbers]) -> Numbers:
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, dtype=np.int64)
