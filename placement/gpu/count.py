"""How many copies GPUs have room for, over every offer and every unit in use at once.

The same rules as `placement.gpu.unit`, as columns: a copy wants whole GPUs of one unit, or a share or an instance of
one GPU, so a unit has room for the sum over its GPUs. Copies of one demand do not stand in each other's way otherwise,
so the count is what seating them one by one reaches (a property test holds it).
"""

import numpy as np

from placement.fleet.columns import Built, Columns, Mask, Numbers
from placement.gpu.division import MASKS, more
from placement.gpu.unit import MILLI
from placement.gpu.wanted import Wanted
from tidegate.model.site import GpuSharing


def accepts(columns: Built, wanted: Wanted, time_slicing: bool) -> Mask:
    """Shape (offers,): True where the offer's GPUs can be given out as wanted, whatever is free.

    Whole GPUs always can. `time_slicing`: whether a share will do that nothing holds to its part.
    """
    if wanted.mig_profile:
        return columns.sharing.where(
            table is not None
            and (profile := table.profile(wanted.mig_profile)) is not None
            and profile.memory_mib * 2**20 >= wanted.gpu_memory_bytes
            for _, table in columns.sharing.values
        )
    if wanted.share_milli:
        kinds = {GpuSharing.FRACTION, GpuSharing.TIME_SLICING} if time_slicing else {GpuSharing.FRACTION}
        return columns.sharing.where(sharing in kinds for sharing, _ in columns.sharing.values)
    return columns.gpu_memory >= wanted.gpu_memory_bytes


def on_empty(columns: Built, wanted: Wanted) -> Numbers:
    """Shape (offers,): copies that the GPUs of an empty unit have room for, where the offer `accepts` them at all."""
    if wanted.mig_profile:
        return columns.gpu_divisions.numbers(
            sum(int(more(one, wanted.mig_profile)[0]) for one in divisions if one is not None)
            for divisions in columns.gpu_divisions.values
        )
    if wanted.share_milli:
        by_memory = columns.gpu_memory // wanted.gpu_memory_bytes if wanted.gpu_memory_bytes else MILLI
        return columns.gpus * np.minimum(MILLI // wanted.share_milli, by_memory)
    return columns.whole_gpus // wanted.gpus


def on_used(columns: Columns, wanted: Wanted) -> Numbers:
    """Shape (units,): copies that the GPUs of each unit in use have room for; never below 0."""
    units = columns.units
    if wanted.gpus:
        return np.maximum(units.gpus // wanted.gpus, 0)
    rows = units.gpu_unit
    used = np.flatnonzero(rows >= 0)
    sums = np.zeros(len(units.offer), dtype=np.int64)
    np.add.at(sums, rows[used], _on_gpus(columns, wanted, used))
    return sums


def on_units(columns: Columns, wanted: Wanted, rows: Numbers) -> Numbers:
    """Shape (rows,): the same for some units in use, whatever offers they are of."""
    if wanted.gpus:
        return np.maximum(columns.units.gpus.take(rows) // wanted.gpus, 0)
    return on_used(columns, wanted).take(rows)


def most_by_unit(columns: Columns, gpus: Numbers) -> Numbers:
    """Shape (units,): the greatest number among the GPUs of each unit in use; 0 where it has none."""
    rows = columns.units.gpu_unit
    used = (rows >= 0).nonzero()[0]
    most = np.zeros(len(columns.units.offer), dtype=np.int64)
    np.maximum.at(most, rows[used], gpus[used])
    return most


def on_rows(columns: Columns, wanted: Wanted, offer: int, rows: Numbers) -> tuple[Numbers, Numbers]:
    """Shapes (rows,): the same for some units in use of one offer; and 1 where only a GPU that is free would do."""
    units = columns.units
    if wanted.gpus:
        return np.maximum(units.left(rows)[0] // wanted.gpus, 0), np.zeros(len(rows), dtype=np.int64)
    gpus = units.gpu_rows(offer, rows)
    each: Numbers = _on_gpus(columns, wanted, gpus)
    begun = (units.gpu_milli[gpus] < MILLI) | (units.gpu_mask[gpus] > 0)
    if wanted.share_milli:
        begun |= units.gpu_bytes[gpus] < columns.gpu_memory[offer]
    opens = ~((each > 0) & begun).any(axis=1)
    return np.asarray(each.sum(axis=1), dtype=np.int64), np.asarray(opens, dtype=np.int64)


def _on_gpus(columns: Columns, wanted: Wanted, gpus: Numbers) -> Numbers:
    """Copies of a share or an instance that the GPUs in these rows have room for, each for itself; never below 0."""
    units = columns.units
    if wanted.share_milli:
        times = units.gpu_milli[gpus] // wanted.share_milli
        if wanted.gpu_memory_bytes:
            times = np.minimum(times, units.gpu_bytes[gpus] // wanted.gpu_memory_bytes)
        return np.maximum(times, 0)
    nothing = np.zeros(MASKS, dtype=np.int64)
    tables = np.stack([*(more(one, wanted.mig_profile) for one in units.divisions), nothing])  # -1: does not divide
    return tables[units.gpu_division[gpus], units.gpu_mask[gpus]]
