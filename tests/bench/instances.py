"""Batches of real demand on real prices: tasks of a production trace on cloud instances, at what a price list asks.

Real are what each task asks for (the trace), which instance types there are, what they have and what they cost where
(the price book). Drawn under a seed are: which tasks, and which rows of the price list are the places; how many units
each has (log-normal, together so many that `ASKED` of every amount is asked for); how long a task runs (1 to 24 hours);
how much of it runs faster on a faster GPU; and which third of the tasks may go only to some 5 to 30 % of the places.

What stands nowhere goes to a burst place, which has room without end at 1.5 times the dearest price that the task has
anywhere. Costs are micros for the whole run.
"""

import csv
import gzip
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from placement.batch.problem import Problem
from tests.bench.trace import DATA
from tidegate import manifests
from tidegate.model.money import Price, PriceBook

PRICES = Path(__file__).parents[2] / "deploy" / "prices" / "aws-on-demand.yaml"
ASKED = 0.75
BURST = 1.5
SPEED = {
    "T4": 1.0,
    "L4": 1.6,
    "A10G": 1.9,
    "V100": 2.4,
    "L40S": 3.6,
    "A100-40GB": 4.5,
    "A100-80GB": 4.9,
    "H100": 9.0,
    "H200": 10.0,
}
"""Roughly how training speeds of these models compare; only the spread matters here."""
MIB = 2**20
CPUS_PER_GPU, MIB_PER_GPU = 12_000, 96 * 1024
"""What goes with a GPU in these instance types, for the price of tasks that ask for more of it."""

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Instance:
    """Two samples of work, drawn alike, for the same places: what comes, and what prices are learned from."""

    batch: Problem
    sample: Problem


@cache
def tasks() -> NDArray[np.int64]:
    """Shape (tasks, 3): thousandths of a GPU, thousandths of a CPU, MiB."""
    with gzip.open(DATA / "pods.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    return np.array(
        [[int(r["num_gpu"]) * int(r["gpu_milli"]), int(r["cpu_milli"]), int(r["memory_mib"])] for r in rows]
    )


@cache
def price_rows() -> tuple[Price, ...]:
    """Every row of the price list that says what a unit has."""
    books = [noun for noun in manifests.load_files([PRICES]) if isinstance(noun, PriceBook)]
    return tuple(p for book in books for p in book.prices if p.resources.gpus and p.gpu_model in SPEED)


def drawn(seed: int, workloads: int = 1_000, places: int = 100) -> Instance:
    """One instance; the same seed draws the same."""
    chance = np.random.Generator(np.random.PCG64(seed))
    demand = tasks()[chance.integers(0, len(tasks()), 2 * workloads)]
    listed = price_rows()
    chosen = [listed[i] for i in chance.choice(len(listed), places, replace=places > len(listed))]
    room = _room(chance, chosen, demand[:workloads])
    cost = _costs(chance, chosen, demand)
    allowed = chance.random((len(demand), places)) < chance.uniform(0.05, 0.3, len(demand))[:, None]
    allowed |= (chance.random(len(demand)) >= 1 / 3)[:, None]
    allowed &= (demand[:, None, :] <= room[None]).all(axis=2)
    burst = np.ceil(BURST * cost.max(axis=1) * 1e6).astype(np.int64)
    whole = _problem(demand, room, np.ceil(cost * 1e6).astype(np.int64), allowed, burst)
    return Instance(_half(whole, slice(0, workloads)), _half(whole, slice(workloads, 2 * workloads)))


def _room(chance: np.random.Generator, chosen: list[Price], demand: NDArray[np.int64]) -> NDArray[np.int64]:
    """Shape (places, 3). Every amount is scaled by itself, so that none is left over for want of another."""
    unit = np.array(
        [[p.resources.gpus * 1000, p.resources.cpus_milli, p.resources.memory_bytes // MIB] for p in chosen]
    )
    room = chance.lognormal(0, 0.7, len(chosen))[:, None] * unit / unit[:, :1]
    return np.floor(room * (demand.sum(axis=0) / ASKED / room.sum(axis=0))).astype(np.int64)


def _costs(chance: np.random.Generator, chosen: list[Price], demand: NDArray[np.int64]) -> Reals:
    """Shape (tasks, places): dollars for the whole run."""
    per_gpu_hour = np.array([price.hourly / 1e6 / price.resources.gpus for price in chosen])
    speed = np.array([SPEED[price.gpu_model] for price in chosen])
    gpus, cpus, memory = demand[:, 0] / 1000, demand[:, 1] / CPUS_PER_GPU, demand[:, 2] / MIB_PER_GPU
    hours = np.exp(chance.uniform(0, np.log(24), len(demand)))
    faster = np.where(gpus > 0, chance.uniform(0.3, 1.0, len(demand)), 0.0)
    share = np.maximum(gpus, np.maximum(cpus, memory) / 2) * hours
    return np.outer(share, per_gpu_hour) * (1 - faster[:, None] + faster[:, None] * speed.mean() / speed[None])


def _problem(
    demand: NDArray[np.int64],
    room: NDArray[np.int64],
    cost: NDArray[np.int64],
    allowed: NDArray[np.bool_],
    burst: NDArray[np.int64],
) -> Problem:
    kind, place = np.nonzero(allowed)
    start = np.concatenate([[0], np.cumsum(allowed.sum(axis=1))])
    return Problem(demand, np.ones(len(demand), np.int64), burst, start, place, cost[kind, place], room)


def _half(whole: Problem, part: slice) -> Problem:
    arcs = slice(int(whole.start[part.start]), int(whole.start[part.stop]))
    return replace(
        whole,
        demand=whole.demand[part],
        many=whole.many[part],
        leave=whole.leave[part],
        start=whole.start[part.start : part.stop + 1] - whole.start[part.start],
        place=whole.place[arcs],
        cost=whole.cost[arcs],
    )
