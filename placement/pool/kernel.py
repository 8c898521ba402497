"""The compiled part of `indexed`: scores kept per class and node, and the first best of them found by index.

Nothing is decided here that `exhaustive` does not decide the same; tests hold the two together. Everything is a loop
over int64 arrays, since that is what compiles; `indexed` owns the arrays and says what each row is. Importing this
module loads the compiler (numba, a second or two; the code itself is kept on disk), so only those who want the index
import it.

Ranks lie in three tiers, each entry the least of the `FAN` below it, so finding the first best reads 3 x FAN entries
and a changed node touches one of each tier, however many nodes there are (up to FAN^3 = 262,144). Which nodes changed
since a class was last asked for is a list of nodes by last change, the newest first: a class walks it back to where it
was, and scores each changed node once however often it changed.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Function = TypeVar("Function", bound=Callable[..., Any])
Ints = NDArray[np.int64]
Ranks = NDArray[np.int32]
Bytes = NDArray[np.int8]

FAN = 64
NEVER = 2**31 - 1
"""The rank of a node that has no room."""
WHOLE = 1000
GRAIN = 10
MEMORY_SHIFT = 20
TOP = 100
CPUS, MEMORY, GPUS, PER_GPU, SHARED, MODELS, SEEN = range(7)
"""Columns of a class. MODELS: a bit for each model that will do. SEEN: the clock when it was last asked for."""
SHAPE, MODEL, FREE, VALUE, SPOILT, STAMP, NEWER, OLDER = range(8)
"""Columns of a node, beside what is free on it."""
CLOCK, PUBLISHED, LEAN, BAND, TOTAL = range(5)
"""The numbers of a pool."""


def compiled(function: Function) -> Function:
    """With types kept; the machine code lies beside the source, under `__pycache__`."""
    return cast(Function, numba.njit(cache=True)(function))


def inlined(function: Function) -> Function:
    """As `compiled`, and copied to where it is called: handing over a dozen arrays costs as much as the loops."""
    return cast(Function, numba.njit(cache=True, inline="always")(function))


@inlined
def reached(steps: Ints, amount: int) -> int:
    """How many of the ascending `steps` are not above `amount`."""
    low, high = 0, len(steps)
    while low < high:
        middle = (low + high) // 2
        if steps[middle] <= amount:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def note(
    node: int, cpus: Ints, memory: Ints, gpus: Ints, notes: Ints, base: Ints, numbers: Ints, tables: tuple[Ints, ...]
) -> None:
    """A node changed: work out its own sums again, and put it first in the list of changes."""
    narrow, price, part, whole, steps, bucket, weight, free_weight, _ = tables
    shape, model = notes[node, SHAPE], notes[node, MODEL]
    step = reached(steps, cpus[node])
    free, spoilt = 0, 0
    for gpu in range(gpus.shape[1]):
        idle = gpus[node, gpu]
        if idle == WHOLE:
            free += 1
        elif idle > 0:
            spoilt += weight[model, step, bucket[idle]] * idle
    least = np.int64(2**62)
    amount = memory[node] >> MEMORY_SHIFT if narrow[shape] else cpus[node]
    for level in range(price.shape[1]):
        total = whole[shape, level, free]
        for gpu in range(gpus.shape[1]):
            if 0 < gpus[node, gpu] < WHOLE:
                total += part[shape, level, gpus[node, gpu] // GRAIN]
        base[node, level] = total
        least = min(least, total + price[shape, level] * amount)
    notes[node, FREE], notes[node, VALUE] = free, least
    notes[node, SPOILT] = spoilt + free_weight[model, step, free]
    numbers[CLOCK] += 1
    notes[node, STAMP] = numbers[CLOCK]
    last = len(notes) - 1  # the list's own row: NEWER is its tail, OLDER its head
    notes[notes[node, NEWER], OLDER] = notes[node, OLDER]
    notes[notes[node, OLDER], NEWER] = notes[node, NEWER]
    head = notes[last, OLDER]
    notes[last, OLDER], notes[node, NEWER] = node, last
    notes[node, OLDER], notes[head, NEWER] = head, node


@inlined
def score(
    ask: Ints,
    node: int,
    cpus: Ints,
    memory: Ints,
    gpus: Ints,
    notes: Ints,
    base: Ints,
    numbers: Ints,
    tables: tuple[Ints, ...],
) -> tuple[int, int]:
    """The rank of a node for a class, and the GPU that a share would get there (0 for other work)."""
    narrow, price, part, whole, steps, bucket, weight, free_weight, thresholds = tables
    left = cpus[node] - ask[CPUS]
    if left < 0 or memory[node] < ask[MEMORY]:
        return NEVER, 0
    shape, model, free, need = notes[node, SHAPE], notes[node, MODEL], notes[node, FREE], ask[PER_GPU]
    if not (ask[MODELS] >> model) & 1 or (not ask[SHARED] and free < ask[GPUS]):
        return NEVER, 0
    step = reached(steps, left)
    amount = (memory[node] - ask[MEMORY]) >> MEMORY_SHIFT if narrow[shape] else left
    spoils = np.int64(0)
    for gpu in range(gpus.shape[1]):
        idle = gpus[node, gpu]
        if 0 < idle < WHOLE:
            spoils += weight[model, step, bucket[idle]] * idle
    best, where = np.int64(2**62), -1
    for gpu in range(gpus.shape[1] if ask[SHARED] else 1):
        idle, rest, then = np.int64(0), np.int64(0), free - ask[GPUS]
        if ask[SHARED]:
            idle = gpus[node, gpu]
            if idle < need:
                continue
            before = False
            for other in range(gpu):
                before = before or gpus[node, other] == idle
            if before:
                continue
            rest = idle - need
            then = free - 1 if idle == WHOLE else free
        used = idle // GRAIN if idle < WHOLE else 0
        least = np.int64(2**62)
        for level in range(price.shape[1]):
            total = base[node, level] - part[shape, level, used] + part[shape, level, rest // GRAIN]
            total += whole[shape, level, then] - whole[shape, level, free] + price[shape, level] * amount
            least = min(least, total)
        after = spoils + weight[model, step, bucket[rest]] * rest + free_weight[model, step, then]
        if idle < WHOLE:
            after -= weight[model, step, bucket[idle]] * idle
        spoiled = after - notes[node, SPOILT]
        if numbers[PUBLISHED]:
            cost = np.int64(TOP - reached(thresholds, -spoiled))
        else:
            cost = notes[node, VALUE] - least + numbers[LEAN] * spoiled // numbers[TOTAL]
        if cost < best:
            best, where = cost, gpu
    if where < 0:
        return NEVER, 0
    return min(best // numbers[BAND], NEVER - 1), where


@inlined
def put(rank: int, node: int, low: Ranks, mid: Ranks, top: Ranks) -> None:
    """A node's new rank, and what follows from it in the tiers above. Nothing does where neither rank is the least."""
    before, low[node] = low[node], rank
    row = node // FAN
    least = mid[row]
    if rank < least:
        mid[row] = rank
    elif before == least:
        mid[row] = low[row * FAN : row * FAN + FAN].min()
    if mid[row] == least:
        return
    above = row // FAN
    if mid[row] < top[above]:
        top[above] = mid[row]
    elif least == top[above]:
        top[above] = mid[above * FAN : above * FAN + FAN].min()


@inlined
def first(low: Ranks, mid: Ranks, top: Ranks) -> int:
    """The first node of the least rank, or -1 where all are NEVER."""
    row = np.argmin(top)
    if top[row] == NEVER:
        return -1
    row = row * FAN + np.argmin(mid[row * FAN : row * FAN + FAN])
    return int(row * FAN + np.argmin(low[row * FAN : row * FAN + FAN]))


@compiled
def renew(
    wanted: Ints,
    asks: Ints,
    cpus: Ints,
    memory: Ints,
    gpus: Ints,
    notes: Ints,
    base: Ints,
    numbers: Ints,
    tables: tuple[Ints, ...],
    ranks: tuple[Ranks, Ranks, Ranks],
    chosen: Bytes,
) -> None:
    """Bring the classes `wanted` up to date with every change since each was last asked for."""
    low, mid, top = ranks
    end = len(notes) - 1
    for kind in wanted:
        ask, node = asks[kind], notes[end, OLDER]
        while node != end and notes[node, STAMP] > ask[SEEN]:
            rank, gpu = score(ask, node, cpus, memory, gpus, notes, base, numbers, tables)
            chosen[kind, node] = gpu
            if low[kind, node] != rank:
                put(rank, node, low[kind], mid[kind], top[kind])
            node = notes[node, OLDER]
        ask[SEEN] = numbers[CLOCK]


@compiled
def place(
    wanted: Ints,
    out: Ints,
    asks: Ints,
    cpus: Ints,
    memory: Ints,
    gpus: Ints,
    notes: Ints,
    base: Ints,
    numbers: Ints,
    tables: tuple[Ints, ...],
    ranks: tuple[Ranks, Ranks, Ranks],
    chosen: Bytes,
) -> None:
    """Place one after another of the classes `wanted`; into `out` (n, 2) the node, or -1, and its GPUs as bits."""
    low, mid, top = ranks
    for index in range(len(wanted)):
        kind = wanted[index]
        ask = asks[kind]
        renew(wanted[index : index + 1], asks, cpus, memory, gpus, notes, base, numbers, tables, ranks, chosen)
        node = first(low[kind], mid[kind], top[kind])
        out[index, 0], out[index, 1] = node, 0
        if node < 0:
            continue
        cpus[node] -= ask[CPUS]
        memory[node] -= ask[MEMORY]
        if ask[SHARED]:
            gpus[node, chosen[kind, node]] -= ask[PER_GPU]
            out[index, 1] = 1 << chosen[kind, node]
        else:
            missing = ask[GPUS]
            for gpu in range(gpus.shape[1]):
                if missing > 0 and gpus[node, gpu] == WHOLE:
                    gpus[node, gpu] = 0
                    out[index, 1] |= 1 << gpu
                    missing -= 1
        note(node, cpus, memory, gpus, notes, base, numbers, tables)
