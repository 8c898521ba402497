"""Packing a pool of GPU nodes: how much stays unallocated, and how fast a stream of work is placed.

    python -m tests.bench packing                      all seventeen mixes, ten seeds each (5 minutes); the stream
    python -m tests.bench packing --default            the default trace, and the stream
    python -m tests.bench packing --variants 3         the mixes drawn anew under another seed, never tuned on
    python -m tests.bench packing --only cpu250        one mix
    python -m tests.bench packing --pods FILE          a list of tasks of your own, in the trace's format
    python -m tests.bench packing --parts              what each part of the ranking is worth

Every quality row is ten seeds of the published protocol (`trace`), each policy on the same arrivals and the same order
of nodes; the ranking is tuned beforehand on draws of its own, from the mix that FGD too is told. FGD here is the
published rule, rounding and tie order (`placement.pool.gradient`), so its figures must lie near the published ones
printed beside; seeds cannot match one to one, since the generator is another.
"""

import csv
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from broker.solver.bid_prices import FLAT, GENTLE, STEEP, Steps, bid_prices
from placement.pool.exhaustive import Exhaustive
from placement.pool.indexed import Indexed
from placement.pool.nouns import WHOLE
from placement.pool.popularity import Popularity
from placement.pool.rollout import race
from placement.pool.scoring import Scoring, fgd, house
from tests.bench.measure import Row, quantile
from tests.bench.trace import DATA, PERCENTS, SEEDS, Trace, draw, load, unallocated
from tests.bench.variants import NAMES, variant

PROGRAMMES: tuple[tuple[Steps, float], ...] = ((GENTLE, 1.0), (STEEP, 1.0), (FLAT, 1.15))
"""Slopes, and how many of the GPUs that there are the work asks for."""
LEANS_MILLI = (0, 20, 50)
BANDS_MICROS = (10_000, 20_000)
TUNING_SEED = 7
"""Of the arrivals that rankings are tuned on; their generator is another than the protocol's."""
SIZES = (1_213, 10_000)
"""Nodes of the stream: the trace as it is, and more of the same."""
SOLVED_FIRST, SOLVED_EVERY = 200, 1_000
"""Arrivals after which a pool that learns solves for prices: the first time, and again."""
SCANNED = 200
"""Decisions of the exhaustive scan that are timed, and compared."""


def rows(options: Sequence[str] = ()) -> Iterable[Row]:
    """The table; see the module for options."""
    if "--pods" in options:
        path = Path(options[list(options).index("--pods") + 1])
        return quality(path.name, load(path))
    if "--parts" in options:
        return parts()
    asked = dict(zip(options[::2], options[1::2], strict=False))
    if "--default" in options:
        return [*quality("default", load()), *(row for nodes in SIZES for row in stream(nodes))]
    if "--variants" in options or "--only" in options:
        names = (asked["--only"],) if "--only" in options else NAMES
        return variants(names, int(asked.get("--variants", 0)))
    return chain(variants(), (row for nodes in SIZES for row in stream(nodes)))


def variants(names: Sequence[str] = NAMES, seed: int = 0) -> Iterator[Row]:
    """One mix after another, drawn under this seed, and how often the house's ranking was behind FGD's."""
    behind, lost, draws = [], [0] * len(PERCENTS), 0
    for name in names:
        row, ahead = _compared(name, variant(name, seed))
        yield row
        draws += len(ahead)
        for column in range(len(PERCENTS)):
            lost[column] += int((ahead[:, column] < 0).sum())
        if (ahead.mean(axis=0) < 0).any():
            behind.append(name)
    told = ", ".join(behind) or "none"
    counted = f"{lost[0]} / {lost[1]} of {draws} draws at {PERCENTS[0]} / {PERCENTS[1]} % of arrivals"
    yield Row("packing, all of these: mixes whose mean is worse than FGD's", told, f"worse than FGD in {counted}")


def tuned(trace: Trace) -> Scoring:
    """The ranking for this mix: prices solved, candidates raced; FGD where none is better."""
    gpus = trace.gpu_milli / WHOLE
    worths = [bid_prices(trace.mix, trace.fleet, steps, gpus * demand).worths for steps, demand in PROGRAMMES]
    candidates = [fgd(trace.mix, trace.kinds)]
    candidates += [
        house(trace.mix, trace.kinds, worth, lean_milli=lean, band_micros=band)
        for worth in worths
        for lean in LEANS_MILLI
        for band in BANDS_MICROS
    ]
    order = np.random.default_rng(TUNING_SEED).permutation(trace.order)
    return candidates[race(candidates, order.tolist(), trace.mix, seed=TUNING_SEED).candidate]


def figures(trace: Trace, scoring: Scoring, seeds: Sequence[int] = SEEDS) -> NDArray[np.float64]:
    """Per cent unallocated; shape (seeds, 2): at 100 % and at 130 % of arrivals."""
    found = []
    for seed in seeds:
        drawn = draw(trace, seed)
        pool = Indexed(drawn.order.tolist(), scoring)
        classes = np.array([pool.class_of(wanted.ask) for wanted in trace.mix])
        seats = pool.place_classes(classes[drawn.arrivals])
        found.append(unallocated(trace, drawn.arrivals, seats[:, 0] >= 0))
    return np.array(found)


def quality(name: str, trace: Trace) -> list[Row]:
    """One row: FGD and the house's ranking on the same ten draws."""
    return [_compared(name, trace)[0]]


def _compared(name: str, trace: Trace) -> tuple[Row, NDArray[np.float64]]:
    """The row, and by how many points the house is ahead of FGD; shape (seeds, 2), as `figures`."""
    began = time.process_time()
    ours = tuned(trace)
    took = time.process_time() - began
    theirs = figures(trace, fgd(trace.mix, trace.kinds))
    found = figures(trace, ours)
    ahead = theirs - found
    wins = [int((ahead[:, column] > 0).sum()) for column in range(len(PERCENTS))]
    beside = f"FGD here {_pair(theirs)}, {wins[0]} / {wins[1]} wins of {len(SEEDS)}, "
    beside += f"worst draw {ahead[:, 0].min():+.2f} / {ahead[:, 1].min():+.2f} points ahead"
    known = published().get(name)
    if known:
        beside += f"; published FGD {known['fgd_100']} / {known['fgd_130']}, BestFit {known['bestfit_100']} / "
        beside += f"{known['bestfit_130']}, DotProd {known['dotprod_100']} / {known['dotprod_130']}; "
        beside += f"proven bound {known['bound_100']}"
    chosen = "FGD itself" if ours.published else f"lean {ours.lean_milli}, band {ours.band_micros // 1000}"
    beside += f"; tuned beforehand in {took:.0f} s: {chosen}"
    return Row(f"packing {name}: % of GPUs unallocated at 100 / 130 % arrivals", _pair(found), beside), ahead


def parts() -> list[Row]:
    """The default trace under rankings that each leave something out."""
    trace = load()
    worths = bid_prices(trace.mix, trace.fleet).worths
    rankings = {
        "FGD as published": fgd(trace.mix, trace.kinds),
        "FGD with exact scores": house(trace.mix, trace.kinds, band_micros=1),
        "the gradient alone, in bands (no prices yet)": house(trace.mix, trace.kinds),
        "prices alone, exact": house(trace.mix, trace.kinds, worths, lean_milli=0, band_micros=1),
        "prices alone, in bands": house(trace.mix, trace.kinds, worths, lean_milli=0),
        "prices and a share of the gradient, exact": house(trace.mix, trace.kinds, worths, band_micros=1),
        "prices and a share of the gradient, in bands": house(trace.mix, trace.kinds, worths),
    }
    found = [Row(name, _pair(figures(trace, scoring))) for name, scoring in rankings.items()]
    learnt = np.array([learning(trace, seed) for seed in SEEDS])
    return [*found, Row("the same, its mix and prices learnt from what was asked", _pair(learnt))]


def learning(trace: Trace, seed: int) -> tuple[float, ...]:
    """As `figures` for one seed, by a pool that knows nothing beforehand and solves for prices now and then."""
    drawn, popularity = draw(trace, seed), Popularity()
    asks = [trace.mix[task].ask for task in drawn.arrivals]
    pool = Indexed(drawn.order.tolist(), house((), trace.kinds))
    placed: list[bool] = []
    while len(placed) < len(asks):
        some = asks[len(placed) : len(placed) + (SOLVED_EVERY if placed else SOLVED_FIRST)]
        placed += [seat is not None for seat in pool.place_all(some)]
        popularity.asked(some)
        worths = bid_prices(popularity.mix, trace.fleet).worths
        pool.use(house(popularity.mix, trace.kinds, worths))
    return unallocated(trace, drawn.arrivals, np.array(placed))


def stream(nodes: int) -> list[Row]:
    """The trace over so many nodes, placed one after another on one core."""
    trace = load().over(nodes)
    drawn = draw(trace, SEEDS[0])
    scoring = house(trace.mix, trace.kinds, bid_prices(trace.mix, trace.fleet).worths)
    asks = [trace.mix[task].ask for task in drawn.arrivals]
    Indexed(drawn.order.tolist(), scoring).place(asks[0])  # compiled, or read from disk
    whole = Indexed(drawn.order.tolist(), scoring)
    classes = np.array([whole.class_of(wanted.ask) for wanted in trace.mix])
    began = time.process_time()
    whole.place_classes(classes[drawn.arrivals])
    per_second = len(asks) / (time.process_time() - began)
    single = Indexed(drawn.order.tolist(), scoring)
    single.know([wanted.ask for wanted in trace.mix])
    taken, seats = [], []
    for ask in asks:
        began_ns = time.perf_counter_ns()
        seats.append(single.place(ask))
        taken.append((time.perf_counter_ns() - began_ns) / 1000)
    scan = Exhaustive(drawn.order.tolist(), scoring)
    began = time.process_time()
    differ = sum(scan.place(ask) != seat for ask, seat in zip(asks[:SCANNED], seats, strict=False))
    scanned = SCANNED / (time.process_time() - began)
    return [
        Row(
            f"stream over {len(trace.order):,} nodes, {len(asks):,} decisions, one core",
            f"{per_second:,.0f}/s; one by one p50 {quantile(taken, 0.5):.0f} us, p99 {quantile(taken, 0.99):.0f} us",
            f"exhaustive scan {scanned:,.0f}/s, {differ} of {SCANNED} placements differ",
        )
    ]


def published() -> dict[str, dict[str, str]]:
    """The published means by trace, and the bound."""
    with (DATA / "published.csv").open() as file:
        return {row["trace"]: row for row in csv.DictReader(file)}


def _pair(found: NDArray[np.float64]) -> str:
    mean, deviation = found.mean(axis=0), found.std(axis=0, ddof=1)
    return " / ".join(f"{m:.2f} (sd {d:.2f})" for m, d in zip(mean, deviation, strict=True))
