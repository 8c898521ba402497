"""Annealing: from a good whole assignment to a better one, through worse ones.

What is left to gain after `search` has ended takes several steps of which the first ones cost something: two small
workloads for a large one, chains of three. So steps are proposed by the million, and one that costs something is taken
as well, ever less often as it goes (simulated annealing). A proposal is one workload and one of its near places, the
better ones more often:

- where there is room it goes there;
- where there is none, one that stands there, drawn as well, makes room: by going to where the first one comes from, or
  to its own cheapest place with room.

Proposals are judged a block at a time, as arrays, against what stood when the block began; of those that are taken and
share a place the first one counts, so every step keeps each room's bound. The best assignment met is the answer, never
a worse one than was given.

Chance is not drawn here: it is a hash of the proposal's number, so the same batch is always annealed alike. Limits:
`EACH` proposals for a workload, `MOST` in all, at some 6 million a second; kinds times places up to `DENSE`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from placement.batch.near import Near, within
from placement.batch.problem import Assignment, Problem
from placement.fleet.columns import Numbers

EACH, MOST = 4_000, 16_000_000
PER_PLACE = 20
"""Proposals in a block for each place: more would meet at places that have just changed."""
BLOCK_LEAST, BLOCK_MOST = 256, 16_384
HOT_PPM, COOLING = 100_000, 300
"""A step that costs this share of what a workload costs on average is taken about once in three at first; at the end
one that costs so many times less."""
LOOKED = 4
"""Once in so many blocks everybody's cheapest place with room is looked up; it is checked again when it is taken."""
DENSE = 8_000_000
FINE = 4_096
"""Into so many parts are columns and thresholds drawn."""
NEVER = 2**60


@dataclass(slots=True)
class _Step:
    """Proposals that are worth taking. Shapes (steps,); who yields is -1 where nobody has to."""

    goes: Numbers
    to: Numbers
    comes_from: Numbers
    pays: Numbers
    yields: Numbers
    aside: Numbers
    yielded_pays: Numbers

    def at(self, chosen: Numbers) -> "_Step":
        return _Step(*(getattr(self, name)[chosen] for name in _Step.__slots__))


def anneal(problem: Problem, close: Near, begin: Assignment, pays: Numbers, *, most: int = MOST) -> Assignment:
    """A cheaper assignment than `begin`, or `begin`. `pays` (workloads,) is what each pays in it."""
    proposals = min(EACH * len(begin.at), most)
    if not len(begin.at) or close.place.shape[1] < 2 or problem.kinds * (problem.places + 1) > DENSE:
        return begin
    return _Annealing(problem, close, begin, pays).run(proposals)


class _Annealing:
    def __init__(self, problem: Problem, close: Near, begin: Assignment, pays: Numbers) -> None:
        self.kind = np.repeat(np.arange(problem.kinds), problem.many)
        self.workloads, self.width = len(self.kind), close.place.shape[1]
        self.spots = problem.places + 1
        self.place, self.cost = close.place[self.kind], close.cost[self.kind]
        self.demand = problem.demand[self.kind]
        self.amounts = range(problem.demand.shape[1])
        self.at, self.pays = begin.at.copy(), pays.copy()
        self.left = np.concatenate([problem.room, np.full((1, problem.room.shape[1]), NEVER)])
        np.subtract.at(self.left, self.at, self.demand)
        table = np.full((problem.kinds, self.spots), NEVER)
        np.minimum.at(table, (np.arange(problem.kinds)[:, None], close.place), close.cost)
        self.cost_at = table.ravel()
        self.begin = begin
        self.free = self._elsewhere()

    def run(self, proposals: int) -> Assignment:
        """The best assignment that so many proposals meet."""
        block = int(np.clip(PER_PLACE * (self.spots - 1), BLOCK_LEAST, BLOCK_MOST))
        columns = (self.width * (np.arange(FINE) / FINE) ** 2).astype(np.int64)
        patience = -np.log((np.arange(FINE) + 0.5) / FINE)
        hot = self.begin.cost / self.workloads * HOT_PPM / 1_000_000
        blocks = -(-proposals // block)
        best, best_at = self.begin.cost, self.begin.at
        for turn in range(blocks):
            heat = hot * (1 / COOLING) ** (turn / blocks)
            chance = _hashed(turn * block, block)
            goes = _drawn(chance, self.workloads)
            column = columns[chance >> np.uint64(20) & np.uint64(FINE - 1)]
            costly = np.rint(heat * patience[chance >> np.uint64(32) & np.uint64(FINE - 1)]).astype(np.int64)
            if turn % LOOKED == 0:
                self.free = self._elsewhere()
            step = self._worth_taking(goes, column, costly, chance >> np.uint64(44))
            if len(step.goes) and self._take(step):
                total = int(self.pays.sum())
                if total < best:
                    best, best_at = total, self.at.copy()
        return Assignment(best_at, best)

    def _worth_taking(self, goes: Numbers, column: Numbers, costly: Numbers, chance: NDArray[np.uint64]) -> _Step:
        """The proposals that cost no more than `costly` and for which there is room, in their order."""
        to, home = self.place[goes, column], self.at[goes]
        pays = self.cost[goes, column]
        more = np.where(to == home, NEVER, pays - self.pays[goes])
        direct = np.flatnonzero(more <= costly)
        direct = direct[within(self.demand[goes[direct]], self.left[to[direct]])]
        yields = self._drawn_at(to, chance)
        free_place, free_cost = self.free
        back = self.cost_at[self.kind[yields] * self.spots + home]
        away = np.where(free_place[yields] == to, NEVER, free_cost[yields])
        paid = np.minimum(back, away)
        pair = np.flatnonzero((more + (paid - self.pays[yields]) <= costly) & (self.at[yields] == to) & (to != home))
        comes, other, there, origin = goes[pair], yields[pair], to[pair], home[pair]
        aside = np.where(back[pair] <= away[pair], origin, free_place[other])
        wanted, freed = self.demand[comes], self.demand[other]
        room = within(wanted, self.left[there] + freed)
        room &= within(freed, self.left[aside] + np.where(aside == origin, 1, 0)[:, None] * wanted)
        pair, comes, other, there, origin, aside = (
            column[room] for column in (pair, comes, other, there, origin, aside)
        )
        nobody = np.full(len(direct), -1, dtype=np.int64)
        found = _Step(
            np.concatenate([goes[direct], comes]),
            np.concatenate([to[direct], there]),
            np.concatenate([home[direct], origin]),
            np.concatenate([pays[direct], pays[pair]]),
            np.concatenate([nobody, other]),
            np.concatenate([to[direct], aside]),
            np.concatenate([nobody, paid[pair]]),
        )
        return found.at(np.argsort(np.concatenate([direct, pair]), kind="stable"))

    def _drawn_at(self, to: Numbers, chance: NDArray[np.uint64]) -> Numbers:
        """Shape of `to`: somebody who stands there; anybody where nobody does."""
        standing = np.argsort(self.at, kind="stable")
        held = np.bincount(self.at, minlength=self.spots)
        first = np.cumsum(held) - held
        which: Numbers = first[to] + _drawn(chance, held[to])
        return standing[np.minimum(which, self.workloads - 1)]

    def _elsewhere(self) -> tuple[Numbers, Numbers]:
        """Shapes (workloads,): each one's cheapest other place with room now, and what it costs; `NEVER` without."""
        room = self.place != self.at[:, None]
        for amount in self.amounts:
            room &= self.demand[:, amount, None] <= self.left[:, amount][self.place]
        cost = np.where(room, self.cost, NEVER)
        column = cost.argmin(axis=1)
        everyone = np.arange(self.workloads)
        return self.place[everyone, column], cost[everyone, column]

    def _take(self, step: _Step) -> int:
        """How many were taken: those at whose places no earlier one of this block was."""
        count = len(step.goes)
        turn, first = np.arange(count), np.full(self.spots, count)
        for places in (step.comes_from, step.to, step.aside):
            np.minimum.at(first, places, turn)
        alone = (first[step.comes_from] == turn) & (first[step.to] == turn) & (first[step.aside] == turn)
        step = step.at(np.flatnonzero(alone))
        self.left[step.comes_from] += self.demand[step.goes]
        self.left[step.to] -= self.demand[step.goes]
        self.at[step.goes], self.pays[step.goes] = step.to, step.pays
        step = step.at(np.flatnonzero(step.yields >= 0))
        self.left[step.to] += self.demand[step.yields]
        self.left[step.aside] -= self.demand[step.yields]
        self.at[step.yields], self.pays[step.yields] = step.aside, step.yielded_pays
        return int(alone.sum())


def _drawn(chance: NDArray[np.uint64], many: Numbers | int) -> Numbers:
    """Numbers below `many`, up to a million, by the lowest 20 bits of each."""
    return (chance & np.uint64(0xFFFFF)).astype(np.int64) * many >> 20


def _hashed(begin: int, count: int) -> NDArray[np.uint64]:
    """Shape (count,): splitmix64 of the numbers after `begin`."""
    mixed = np.arange(begin + 1, begin + count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))
