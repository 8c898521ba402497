"""What a fleet's bill is above the least possible: a batch placed at once, and a stream placed one by one.

    python -m tests.bench money                 1,000 workloads on 100 places at once; 3,000 one by one
    python -m tests.bench money --seeds 1,2     other draws
    python -m tests.bench money --places 1000   other sizes (and --workloads, --stream)

Each instance is drawn under a seed (`instances` says what of it is real); figures are medians over seeds. Above all
stands the bound of the linear relaxation, in which work may be cut in pieces and so may be unattainable. What went to
the burst place is counted in, and told apart: one long task sent there outweighs many that were placed well. Every
assignment is counted anew and must be feasible. Times are of the processor, since the machine may be shared.

Beside: whoever comes first takes the cheapest place that has room. Prices for the stream are learned from another
sample than comes, before the first arrival and `ANEW` times while it comes: by the solver each time, or by the ascent
alone. What that takes is told apart, since it goes on beside the stream.

The annealing was tuned on seeds 201 to 206, the learning on 401 to 403; neither of these is reported by default.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from broker.solver.linear import prices_of
from placement.batch.answer import Answer, answered
from placement.batch.ascent import ascend, bound
from placement.batch.bids import NOWHERE, Bids, Learn, Reals
from placement.batch.problem import Assignment, Problem
from tests.bench.instances import drawn
from tests.bench.measure import Row

SEEDS = (1, 2, 3, 4, 5)
STREAM_SEEDS = (11, 12, 13)
ANEW = 8
LIMIT_S = 60.0


@dataclass(frozen=True)
class Outcome:
    """How one way of placing an instance came out."""

    over: float
    """Above the bound, as a share, burst included."""
    placed_over: float
    """Of what was placed alone, above what that alone must cost."""
    burst: int
    seconds: float


def rows(options: Sequence[str] = ()) -> list[Row]:
    """One row for each way."""
    asked = dict(zip(options[::2], options[1::2], strict=True))
    seeds = tuple(int(seed) for seed in asked.get("--seeds", "").split(",") if seed)
    places = int(asked.get("--places", 100))
    workloads, stream = int(asked.get("--workloads", 1_000)), int(asked.get("--stream", 3_000))
    return [
        *_batch_rows(seeds or SEEDS, workloads, places),
        *_stream_rows(seeds or STREAM_SEEDS, stream, places),
    ]


def _batch_rows(seeds: Sequence[int], workloads: int, places: int) -> list[Row]:
    solved: list[Outcome] = []
    alone: list[Outcome] = []
    cheapest: list[Outcome] = []
    for seed in seeds:
        batch = drawn(seed, workloads, places).batch
        began = time.process_time()
        prices = prices_of(batch, ascend(batch), LIMIT_S)
        answer = answered(batch, prices, "highs")
        took = time.process_time() - began
        solved.append(_outcome(batch, answer.assignment, prices, took))
        began = time.process_time()
        rough: Answer = answered(batch)
        alone.append(_outcome(batch, rough.assignment, prices, time.process_time() - began))
        cheapest.append(_outcome(batch, _Stream(batch).placed(), prices, 0.0))
    what = f"batch of {workloads:,} workloads on {places:,} places"
    beside = f"cheapest place first: {_told(cheapest)}"
    return [
        Row(f"{what}, exact prices (HiGHS), rounded and searched", f"{_told(solved)} in {_seconds(solved)}", beside),
        Row(f"{what}, prices by ascent alone", f"{_told(alone)} in {_seconds(alone)}", beside),
    ]


def _stream_rows(seeds: Sequence[int], workloads: int, places: int) -> list[Row]:
    solved: list[Outcome] = []
    alone: list[Outcome] = []
    cheapest: list[Outcome] = []
    beside = {"solved": [0.0, 0.0], "alone": [0.0, 0.0]}
    for seed in seeds:
        instance = drawn(seed, workloads, places)
        batch, sample = instance.batch, instance.sample
        prices = prices_of(batch, ascend(batch), LIMIT_S)
        for by, found, name in ((_exactly, solved, "solved"), (ascend, alone, "alone")):
            stream = _Stream(batch, sample, by)
            assignment = stream.placed()
            found.append(_outcome(batch, assignment, prices, stream.choosing_s))
            beside[name] = [beside[name][0] + stream.learning_s, beside[name][1] + 1 + ANEW]
        cheapest.append(_outcome(batch, _Stream(batch).placed(), prices, 0.0))
    what = f"stream of {workloads:,} workloads on {places:,} places, prices learned from another sample"
    told = f"cheapest place first: {_told(cheapest)}"
    found_rows = []
    for found, name, how in ((solved, "solved", "by HiGHS"), (alone, "alone", "by ascent alone")):
        rate = statistics.median(workloads / one.seconds for one in found)
        each = beside[name][0] / beside[name][1]
        figure = f"{_told(found)} at {rate:,.0f} decisions/s; each time {each:.2f} s beside"
        found_rows.append(Row(f"{what}, {how}", figure, told))
    return found_rows


def _exactly(problem: Problem, begin: Reals | None) -> Reals:
    """The solver's prices."""
    return prices_of(problem, ascend(problem, begin), LIMIT_S)


class _Stream:
    """Everybody in the order of arrival, at bids that are learned by the way, or at none."""

    def __init__(self, batch: Problem, sample: Problem | None = None, by: Learn = ascend) -> None:
        self._batch, self._sample, self._by = batch, sample, by
        self.choosing_s = self.learning_s = 0.0

    def placed(self) -> Assignment:
        """Where each went."""
        batch, every = self._batch, max(1, self._batch.kinds // ANEW)
        bids = Bids.of(np.zeros(batch.room.shape), batch.room, batch.room)
        at = np.full(batch.kinds, batch.places, dtype=np.int64)
        total = 0
        for arrival in range(batch.kinds):
            if self._sample is not None and arrival % every == 0:
                began = time.process_time()
                bids = bids.learned(self._sample, batch.kinds - arrival, self._by)
                self.learning_s += time.process_time() - began
            began = time.process_time()
            arcs = slice(batch.start[arrival], batch.start[arrival + 1])
            choice = bids.choose(batch.demand[arrival], batch.place[arcs], batch.cost[arcs])
            if choice == NOWHERE:
                total += int(batch.leave[arrival])
            else:
                at[arrival] = batch.place[arcs][choice]
                bids.take(int(at[arrival]), batch.demand[arrival])
                total += int(batch.cost[arcs][choice])
            self.choosing_s += time.process_time() - began
        return Assignment(at, total)


def _outcome(batch: Problem, assignment: Assignment, prices: np.ndarray, seconds: float) -> Outcome:
    assert not (wrong := assignment.violations(batch)), wrong
    placed = assignment.at < batch.places
    burst = int(batch.leave[~placed].sum())
    least = bound(replace(batch, many=placed.astype(np.int64)), prices)
    return Outcome(
        assignment.cost / bound(batch, prices) - 1,
        (assignment.cost - burst) / least - 1 if least else 0.0,
        int((~placed).sum()),
        seconds,
    )


def _told(outcomes: Sequence[Outcome]) -> str:
    over, placed = (statistics.median(getattr(one, name) for one in outcomes) * 100 for name in ("over", "placed_over"))
    burst = statistics.median(one.burst for one in outcomes)
    return f"+{over:.2f} % over the bound (placed alone +{placed:.2f} %, {burst:.0f} to burst)"


def _seconds(outcomes: Sequence[Outcome]) -> str:
    return f"{statistics.median(one.seconds for one in outcomes):.2f} s of a core"
