"""Seating by the pool's ranking: among the units of one offer, the one whose leftovers stay of most use.

The mix of work and the bid prices come in with the policy; the fleet's columns say what each unit has left. What the
copy would take of each GPU is what `placement.gpu.unit` would give it: whole GPUs that are free, or for a share the GPU
that is shared already and has the least left.

Where the ranking has nothing to say the tightest fit chooses, as it does without a mix: units without GPUs or with more
than the pool knows of, and MIG instances, whose places are worth what the division's own table says.
"""

import numpy as np

from placement.fleet.columns import Columns, Mask, Numbers
from placement.gpu.unit import MILLI
from placement.gpu.wanted import Wanted
from placement.packing.seating import Among, TightestFit
from placement.pool.choosing import Chooser
from placement.pool.nouns import MOST_GPUS, Ask, Shape


class Pooled:
    """A policy of seating (`placement.seating.Policy`)."""

    def __init__(self, chooser: Chooser) -> None:
        self._chooser = chooser
        self._else = TightestFit()

    def pick(self, among: Among, columns: Columns, offer: int, wanted: Wanted) -> int:
        """The place of the unit; the first of the best band, in the order of the units' numbers."""
        gpus = int(columns.gpus[offer])
        if len(among) == 1 or not 0 < gpus <= MOST_GPUS or wanted.mig_profile:
            return self._else.pick(among, columns, offer, wanted)
        model = str(columns.gpu_model.values[columns.gpu_model.codes[offer]])
        shape = Shape(int(columns.cpus[offer]), int(columns.memory[offer]), gpus, model)
        asked = Ask(wanted.cpus_milli, wanted.memory_bytes)
        idle, room = _gpus(among, columns, offer, gpus, wanted)
        return self._chooser.choose(asked, shape, among.cpus, among.memory, idle, _taken(idle, room, wanted))

    def is_tightest(self, columns: Columns, offer: int, wanted: Wanted) -> bool:
        """Where there is nothing to rank."""
        return not 0 < int(columns.gpus[offer]) <= MOST_GPUS or bool(wanted.mig_profile)


def _gpus(among: Among, columns: Columns, offer: int, gpus: int, wanted: Wanted) -> tuple[Numbers, Mask]:
    """Shapes (units, GPUs): thousandths of each GPU left, 0 where it is divided; and where the copy has room."""
    units, rows = columns.units, columns.units.rows_of(offer)
    idle = np.full((len(among), gpus), MILLI, dtype=np.int64)
    memory = np.full((len(among), gpus), int(columns.gpu_memory[offer]), dtype=np.int64)
    used = [place for place, number in enumerate(among.numbers.tolist()) if number in rows]
    if used:
        at = units.gpu_rows(offer, np.array([rows[int(among.numbers[place])] for place in used], dtype=np.int64))
        idle[used] = np.where(units.gpu_mask[at] > 0, 0, np.maximum(units.gpu_milli[at], 0))
        memory[used] = units.gpu_bytes[at]
    if wanted.share_milli:
        return idle, (idle >= wanted.share_milli) & (memory >= wanted.gpu_memory_bytes)
    return idle, (idle == MILLI) & (memory == columns.gpu_memory[offer])


def _taken(idle: Numbers, room: Mask, wanted: Wanted) -> Numbers:
    """Shape (units, GPUs): thousandths that the copy would take of each GPU."""
    if not wanted.share_milli:
        return np.where(room & (room.cumsum(axis=1) <= wanted.gpus), MILLI, 0)
    taken = np.zeros_like(idle)
    tightest = np.where(room, idle, MILLI + 1).argmin(axis=1)
    places = np.arange(len(idle))
    taken[places, tightest] = np.where(room[places, tightest], wanted.share_milli, 0)
    return taken
