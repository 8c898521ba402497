"""Search: from a whole assignment to a cheaper one, in whole numbers, until nothing of what is tried helps.

Tried are, all at once as arrays, the best first, each checked again when its turn comes:
1. shift: a workload goes where it is cheaper and there is room;
2. turn: a workload goes where it is cheaper and there is none, and one that stands there makes room by going to its own
   next best place with room, or to where the first one comes from;
3. push: one that stands far above its cheapest place goes there, and as many as must make room for it, each to its
   next best place with room.

Every step keeps each room's bound and makes the sum less, so the search ends, and whatever it is stopped at is
feasible. Only near arcs are looked at, so that a step's cost does not grow with the number of places.

Limits: `PASSES` over everybody, `PUSHES` workloads pushed after each. 1,000 workloads take some 0.2 s.
"""

import numpy as np

from placement.batch.near import Near, within
from placement.batch.problem import Assignment, Problem
from placement.fleet.columns import Numbers

PASSES = 60
PUSHES = 64
TURNS = 4_000
"""Of all turns that would help in one pass, the best so many are tried."""
PAIRS = 40_000
"""Of all workloads and cheaper places, the most promising so many are looked at."""
NEVER = 2**62


def improve(problem: Problem, close: Near, at: Numbers, *, passes: int = PASSES) -> Assignment:
    """A cheaper assignment than `at`, or `at` itself."""
    search = _Search(problem, close, at)
    for _ in range(passes):
        if not (search.shift() or search.turn() or search.push()):
            break
    return Assignment(search.at, search.total)


def paid(problem: Problem, close: Near, at: Numbers) -> Numbers:
    """Shape (workloads,): what each pays where it stands, near or not."""
    kind = np.repeat(np.arange(problem.kinds), problem.many)
    near = close.place[kind] == at[:, None]
    pays: Numbers = np.where(near, close.cost[kind], NEVER).min(axis=1, initial=NEVER)
    out = at == problem.places
    pays[out] = problem.leave[kind[out]]
    for workload in np.flatnonzero(pays == NEVER):
        arcs = slice(problem.start[kind[workload]], problem.start[kind[workload] + 1])
        here = problem.place[arcs] == at[workload]
        pays[workload] = problem.cost[arcs][here].min()
    return pays


class _Search:
    def __init__(self, problem: Problem, close: Near, at: Numbers) -> None:
        kind = np.repeat(np.arange(problem.kinds), problem.many)
        self.places = problem.places
        self.demand = problem.demand[kind]
        self.place, self.cost = close.place[kind], close.cost[kind]
        self.leave = problem.leave[kind]
        self.at = at.copy()
        self.left = np.concatenate([problem.room, np.full((1, problem.room.shape[1]), NEVER)])
        np.subtract.at(self.left, self.at, self.demand)
        self.pays = paid(problem, close, self.at)
        self.everyone = np.arange(len(kind))

    @property
    def total(self) -> int:
        """Micros, of everybody."""
        return int(self.pays.sum())

    def _move(self, workload: int, place: int, cost: int) -> None:
        self.left[self.at[workload]] += self.demand[workload]
        self.left[place] -= self.demand[workload]
        self.at[workload], self.pays[workload] = place, cost

    def _fits(self, workload: int, place: int) -> bool:
        return bool((self.demand[workload] <= self.left[place]).all())

    def _elsewhere(self) -> tuple[Numbers, Numbers]:
        """Shapes (workloads,): the cheapest other place with room, and what it costs there."""
        room = within(self.demand[:, None, :], self.left[self.place]) & (self.place != self.at[:, None])
        cost = np.where(room, self.cost, NEVER)
        column = cost.argmin(axis=1)
        return self.place[self.everyone, column], cost[self.everyone, column]

    def shift(self) -> int:
        """How many went where it is cheaper and there is room."""
        place, cost = self._elsewhere()
        saved = self.pays - cost
        better = np.flatnonzero(saved > 0)
        moved = 0
        for workload in better[np.argsort(-saved[better], kind="stable")].tolist():
            if self._fits(workload, int(place[workload])):
                self._move(workload, int(place[workload]), int(cost[workload]))
                moved += 1
        return moved

    def turn(self) -> int:
        """How many went where another made room."""
        goes, column = np.nonzero(self.cost < self.pays[:, None])
        to, saved = self.place[goes, column], self.pays[goes] - self.cost[goes, column]
        if len(goes) > PAIRS:
            most = np.argsort(-saved, kind="stable")[:PAIRS]
            goes, column, to, saved = goes[most], column[most], to[most], saved[most]
        # Every pair beside every workload that stands where it wants to go.
        standing = np.argsort(self.at, kind="stable")
        held = np.bincount(self.at, minlength=self.places + 1)
        first = np.cumsum(held) - held
        times = held[to]
        pair = np.repeat(np.arange(len(goes)), times)
        yields = standing[first[to[pair]] + np.arange(len(pair)) - np.repeat(np.cumsum(times) - times, times)]
        comes, there = goes[pair], to[pair]
        enough = within(self.demand[comes], self.left[there] + self.demand[yields])
        pair, yields, comes, there = pair[enough], yields[enough], comes[enough], there[enough]
        gain, next_place, next_cost = self._yielding(comes, yields, there, saved[pair])
        good = np.flatnonzero(gain > 0)
        done, touched = 0, np.zeros(len(self.at), dtype=np.bool_)
        for turn in good[np.argsort(-gain[good], kind="stable")[:TURNS]].tolist():
            one, other, place, aside = int(comes[turn]), int(yields[turn]), int(there[turn]), int(next_place[turn])
            if touched[one] or touched[other]:
                continue
            cost, before = int(self.cost[one, column[pair[turn]]]), (int(self.at[one]), int(self.pays[one]))
            self._move(one, self.places, int(self.leave[one]))
            if self._fits(other, aside) and (self.demand[one] <= self.left[place] + self.demand[other]).all():
                self._move(other, aside, int(next_cost[turn]))
                self._move(one, place, cost)
                touched[one] = touched[other] = True
                done += 1
            else:
                self._move(one, *before)
        return done

    def _yielding(
        self, comes: Numbers, yields: Numbers, there: Numbers, saved: Numbers
    ) -> tuple[Numbers, Numbers, Numbers]:
        """For each pair: what the turn saves, where the one who yields goes, and what it pays there."""
        place, cost = self._elsewhere()
        aside = np.where(place[yields] == there, NEVER, cost[yields])
        home = self.at[comes]
        back = np.full(len(comes), NEVER, dtype=np.int64)
        room = within(self.demand[yields], self.left[home] + self.demand[comes])
        some = np.flatnonzero(room)
        near = self.place[yields[some]] == home[some, None]
        back[some] = np.where(near, self.cost[yields[some]], NEVER).min(axis=1)
        swap = back <= aside
        paid = np.where(swap, back, aside)
        gain = np.where(paid < NEVER, saved - (np.minimum(paid, NEVER // 2) - self.pays[yields]), 0)
        return gain, np.where(swap, home, place[yields]), paid

    def push(self) -> int:
        """How many of those that pay most above their cheapest place were pushed in, others making room."""
        above = self.pays - self.cost.min(axis=1)
        done = 0
        for workload in np.argsort(-above, kind="stable")[:PUSHES].tolist():
            if above[workload] > 0 and (found := self._pushed(workload)):
                for other, place, cost in found:
                    self._move(other, place, cost)
                done += 1
        return done

    def _pushed(self, workload: int) -> list[tuple[int, int, int]]:
        """The moves of the best push of one workload, those who make room first; empty where none saves anything."""
        best: list[tuple[int, int, int]] = []
        saved, wanted = 0, self.demand[workload]
        for column in np.flatnonzero(self.cost[workload] < self.pays[workload]).tolist():
            place, cost = int(self.place[workload, column]), int(self.cost[workload, column])
            left = self.left.copy()
            left[self.at[workload]] += wanted
            moves, lost = [], 0
            for other in self._in_the_way(workload, place, left):
                if (left[place] >= wanted).all():
                    break
                room = within(self.demand[other], left[self.place[other]]) & (self.place[other] != place)
                paid = np.where(room, self.cost[other], NEVER)
                aside = int(paid.argmin())
                lost += int(paid[aside]) - int(self.pays[other])
                if lost + cost + saved >= self.pays[workload]:
                    break
                left[place] += self.demand[other]
                left[self.place[other, aside]] -= self.demand[other]
                moves.append((other, int(self.place[other, aside]), int(paid[aside])))
            gain = int(self.pays[workload]) - cost - lost
            if gain > saved and (left[place] >= wanted).all():
                saved, best = gain, [*moves, (workload, place, cost)]
        return best

    def _in_the_way(self, workload: int, place: int, left: Numbers) -> list[int]:
        """Who stands at a place, the cheapest to move for what it frees first."""
        standing = np.flatnonzero((self.at == place) & (self.everyone != workload))
        short = np.maximum(self.demand[workload] - left[place], 0)
        if not len(standing) or not short.any():
            return []
        needed = short > 0
        frees = (np.minimum(self.demand[standing], short)[:, needed] / short[needed]).sum(axis=1)
        room = within(self.demand[standing][:, None, :], left[self.place[standing]])
        room &= self.place[standing] != place
        lost = np.where(room, self.cost[standing], NEVER).min(axis=1) - self.pays[standing]
        order = np.argsort(lost / np.maximum(frees, 1e-9), kind="stable")
        return [int(standing[i]) for i in order if frees[i] > 0]
