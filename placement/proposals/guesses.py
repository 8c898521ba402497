"""Guesses: at which amounts something changes at a site, so that few have to be tried.

An amount of a copy matters where some number of copies would just fill a unit with it; a promise, where an offer would
just keep it. A guess that is wrong costs a trial or two and nothing else: `amounts.boundary` finds the number anyway.
"""

import numpy as np

from placement.fleet.columns import Numbers
from placement.gpu.unit import MILLI
from placement.proposals.amounts import CPUS, GPU_MEMORY, LATENCY, MEMORY, SHARE, Amount
from placement.proposals.trial import Place
from placement.rules.latency import UNREACHED, Arrivals, Measured
from placement.verdicts import Verdicts
from tidegate.model.workload import Spread

MOST_COPIES = 16
"""Amounts are guessed for as many copies on a unit."""


def guesses(place: Place, amount: Amount, far: Verdicts) -> tuple[int, ...]:
    """The likeliest first. `far`: what the rules say all the way, where each offer that could be meant has room."""
    if amount is LATENCY:
        return answers(place)
    left, units, most = _left(place, amount, far)
    workload = place.first.workload
    copies = np.arange(1, min(workload.copies, MOST_COPIES) + 1)
    found: Numbers = np.unique(left[:, None] // copies)[::-1]
    found = found[(found > 0) & (found < amount.of(place.first))]
    if not len(found):
        return ()
    often = left // found[:, None]
    often = np.minimum(often, 1 if workload.spread in (Spread.NODE, Spread.ZONE) else most)
    likely = int(((often * units).sum(axis=1) >= workload.copies).argmax())
    return (int(found[likely]), *found.tolist())


def answers(place: Place) -> tuple[int, ...]:
    """When offers answer that are too late, in whole milliseconds; in microseconds."""
    workload, question = place.first.workload, place.question
    measured = Measured.at(workload, place.alone, question.model_digest, question.now)
    late = Arrivals.of(measured, place.alone.columns).us.tolist()
    promised = LATENCY.of(place.first)
    return tuple(sorted({-(-us // LATENCY.step) * LATENCY.step for us in late if promised < us != UNREACHED}))


def _left(place: Place, amount: Amount, far: Verdicts) -> tuple[Numbers, Numbers, Numbers]:
    """How much of it units have, of offers that have room otherwise; of how many units; and for how many copies each.

    Shapes (kinds of unit,). Empty for what no unit has an amount of.
    """
    columns = place.alone.columns
    units, rooms = columns.units, far.packing.rooms
    everywhere = np.ones(len(columns), dtype=np.bool_)
    fits = np.any([room.counted(everywhere, now=True, apart=False).has > 0 for room in rooms], axis=0)
    each = np.max([room.each.take(columns.build) for room in rooms], axis=0)
    rows, offers = units.in_use()
    rows, offers = rows[fits[offers]], offers[fits[offers]]
    gpus = np.flatnonzero(np.isin(units.gpu_unit, rows))
    gpu_offers = units.offer[units.gpu_unit[gpus]]
    fresh = np.where(fits, columns.fresh, 0)
    whole, used, on = {
        CPUS.field: (columns.cpus, units.cpus[rows], offers),
        MEMORY.field: (columns.memory, units.memory[rows], offers),
        GPU_MEMORY.field: (columns.gpu_memory, units.gpu_bytes[gpus], gpu_offers),
        SHARE.field: (np.full(len(fresh), MILLI), units.gpu_milli[gpus], gpu_offers),
    }.get(amount.field, (fresh[:0], fresh[:0], fresh[:0]))
    fresh, bare = fresh[: len(whole)], each[: len(whole)]
    return (
        np.concatenate((whole[fresh > 0], used)),
        np.concatenate((fresh[fresh > 0], np.ones(len(used), dtype=np.int64))),
        np.concatenate((bare[fresh > 0], each[on])),
    )
