"""Bid prices by ascent: what each place's room is worth when everybody wants it, found without a solver.

The relaxation lets a workload be split over places. Its dual has one price for each amount of each place; for any
prices at all, the sum of everybody's cheapest choice at cost plus bid, less what the whole room is worth, is a bound
that no assignment can beat (`bound`). The ascent looks for prices that make the bound high: rooms that are asked for
more than they have become dearer by a factor, others cheaper (mirror descent on the dual, with momentum). First
everybody takes the single best arc, over all arcs (`HARD_ROUNDS`); then each kind divides itself softly over its best
`NEAR` arcs, ever less softly (`SOFT_ROUNDS`). The rounds are fixed, so the same problem has the same prices.

What it is not: exact. On 1,000 workloads and 100 places it comes within 0.3 to 3 % of the linear program's value in
0.1 s, where a simplex needs seconds. The solver at the rim starts from here and closes the gap.

Prices are floats that steer a search; what counts as proven, or as feasible, is decided in whole numbers.
"""

import numpy as np
from numpy.typing import NDArray

from placement.batch.near import Near, near, reduced
from placement.batch.problem import Problem
from placement.fleet.columns import Numbers

Reals = NDArray[np.float64]

HARD_ROUNDS, SOFT_ROUNDS = 80, 160
DENSE = 4_000_000
"""Up to so many kinds times places the arcs are laid out as a table, which is five times faster than a list."""
SAFETY = 1e-9
"""By which share a bound is rounded down: far above what the sums can have lost."""


def bound(problem: Problem, prices: Reals) -> int:
    """What no assignment can cost less than, in micros: valid for any prices, shape (places, amounts)."""
    prices = np.maximum(prices, 0.0)
    best = problem.leave.astype(np.float64)
    some = np.flatnonzero(np.diff(problem.start))
    if len(some):
        best[some] = np.minimum(best[some], np.minimum.reduceat(reduced(problem, prices), problem.start[some]))
    value, rent = float((best * problem.many).sum()), float(prices[problem.room > 0].sum())
    return max(0, int(np.floor(value - rent - SAFETY * (value + rent))))


def ascend(problem: Problem, begin: Reals | None = None) -> Reals:
    """Prices, shape (places, amounts): micros for the whole room. `begin` are those of a similar problem."""
    if not len(problem.place):
        return np.zeros(problem.room.shape)
    hard = _hard(problem, begin)
    soft = _soft(problem, near(problem, hard), hard)
    return max((hard, soft), key=lambda prices: bound(problem, prices))


class _Arcs:
    """The best arc of every kind at some prices, by table or by list."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._inverse = 1.0 / np.maximum(problem.room, 1)
        self._demand = problem.demand.astype(np.float64)
        self._kind = problem.arc_kind
        self._some = np.flatnonzero(np.diff(problem.start))
        self._table: Reals | None = None
        if problem.kinds * problem.places <= DENSE:
            self._table = np.full((problem.kinds, problem.places), np.inf)
            self._table[self._kind, problem.place] = problem.cost

    def best(self, prices: Reals) -> tuple[Numbers, Reals]:
        """Place and worth, shapes (kinds,); infinite for a kind without arcs."""
        problem = self._problem
        if self._table is not None:
            worth = self._table + self._demand @ (prices * self._inverse).T
            place = worth.argmin(axis=1)
            return place, worth[np.arange(problem.kinds), place]
        listed = reduced(problem, prices)
        least, place = np.full(problem.kinds, np.inf), np.zeros(problem.kinds, dtype=np.int64)
        least[self._some] = np.minimum.reduceat(listed, problem.start[self._some])
        hit = np.flatnonzero(listed == least[self._kind])[::-1]  # the first arc of each kind is written last
        place[self._kind[hit]] = problem.place[hit]
        return place, least

    def used(self, place: Numbers, many: Numbers) -> Reals:
        """Shape (places, amounts): which share of each room so many of each kind take at their places."""
        return _sum_at(place, self._demand * many[:, None], self._problem.places) * self._inverse


def _sum_at(place: Numbers, amounts: Reals, places: int) -> Reals:
    columns = [np.bincount(place, weights=amounts[:, a], minlength=places) for a in range(amounts.shape[1])]
    return np.stack(columns, axis=1)


def _hard(problem: Problem, begin: Reals | None) -> Reals:
    """Everybody takes the one best arc. The best prices met on the way."""
    arcs, leave = _Arcs(problem), problem.leave.astype(np.float64)
    _, cheapest = arcs.best(np.zeros(problem.room.shape))
    scale = max(float((np.minimum(cheapest, leave) * problem.many).sum()) / problem.room.size, 1.0)
    floor = scale * 1e-4
    prices = np.full(problem.room.shape, scale * 0.5) if begin is None else np.maximum(begin, floor)
    momentum, best, found = np.zeros_like(prices), -np.inf, np.zeros_like(prices)
    for turn in range(HARD_ROUNDS):
        place, worth = arcs.best(prices)
        value = float((np.minimum(worth, leave) * problem.many).sum()) - float(prices.sum())
        if value > best:
            best, found = value, prices
        wanted = arcs.used(place, np.where(worth <= leave, problem.many, 0))
        momentum = 0.6 * momentum + 0.4 * np.clip(wanted - 1.0, -1.0, 1.0)
        prices = np.maximum(prices * np.exp(0.3 / (1 + turn / 30) * momentum), floor)
    return found


def _soft(problem: Problem, close: Near, begin: Reals) -> Reals:
    """Each kind divides itself over its near arcs, the better ones more; the division sharpens as it goes."""
    places, amounts = problem.room.shape
    inverse = np.concatenate([1.0 / np.maximum(problem.room, 1), np.zeros((1, amounts))])
    use = problem.demand[:, None, :] * inverse[close.place]
    cost = close.cost.astype(np.float64)
    third = np.sort(cost, axis=1)[:, min(3, cost.shape[1] - 1)]
    width = np.maximum(third - cost.min(axis=1), cost.min(axis=1) * 0.05) + 1.0
    cell = (close.place[:, :, None] * amounts + np.arange(amounts)).ravel()
    floor = max(float(begin.max()) * 1e-6, 1e-6)
    prices, momentum = np.maximum(begin, floor * 10), np.zeros_like(begin)
    for turn in range(SOFT_ROUNDS):
        gone = turn / SOFT_ROUNDS
        softness, step = 0.1 * 0.03**gone, 0.5 * 0.15**gone
        bids = np.concatenate([prices, np.zeros((1, amounts))])[close.place]
        worth = cost + np.einsum("kwa,kwa->kw", use, bids)
        share = np.exp((worth.min(axis=1, keepdims=True) - worth) / (softness * width)[:, None])
        share *= (problem.many / share.sum(axis=1))[:, None]
        wanted = np.bincount(cell, weights=(use * share[:, :, None]).ravel(), minlength=(places + 1) * amounts)
        asked = wanted.reshape(places + 1, amounts)[:-1]
        momentum = 0.8 * momentum + 0.2 * np.clip(asked - 1.0, -1.0, 1.0)
        prices = np.maximum(prices * np.exp(step * momentum), floor)
    return np.where(prices <= floor, 0.0, prices)
