"""How one GPU divides, as bits: one for each memory slice, and one for the media extensions that only one can have.

    bit 0 .. 7   memory slices, as `tidegate.model.mig` numbers them
    bit 8        media extensions (`+me`), which the undivided GPU has too

So an instance is a mask, what stands on a GPU is the union of masks, and an instance can be made exactly where its
mask meets no other: the tables' compute slices never run out before their memory slices do (a test enumerates every
layout). A GPU divides freely by its table or, where its site cannot make instances, only into those that stand.

Nothing running is moved or resized: slices that are free are given out anew, and between whole and divided a GPU
changes only while it is empty. All answers are looked up by mask, in 512 rows made once for each division and profile.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tidegate.model.mig import MigProfile, MigTable, table_of
from tidegate.model.site import GpuSharing, Offer

Numbers = NDArray[np.int64]

MEDIA = 1 << 8
MASKS = 1 << 9
"""How many masks there are."""
MOST_KEPT = 4096
"""Divisions, and profiles of them, whose answers are kept; the one asked longest ago goes first."""
EVERY_SLICE = MASKS - 1
"""The mask of a GPU that is given out whole."""


@dataclass(frozen=True, slots=True)
class Division:
    """What one GPU can be divided into."""

    table: MigTable
    standing: tuple[tuple[str, int], ...] = ()
    """Profile and start of the only instances there are; empty: any that the table allows."""


@dataclass(frozen=True, slots=True)
class Place:
    """One place that an instance can have."""

    start: int
    mask: int


@lru_cache(MOST_KEPT)
def places(division: Division, profile: str) -> tuple[Place, ...]:
    """Where an instance of the profile can lie, by start; empty where this GPU has none."""
    known = division.table.profile(profile)
    if known is None:
        return ()
    all_places = tuple(Place(start, mask_of(division.table, known, start)) for start in known.starts)
    if not division.standing:
        return all_places
    return tuple(place for place in all_places if (profile, place.start) in division.standing)


def mask_of(table: MigTable, profile: MigProfile, start: int) -> int:
    """The bits of an instance."""
    media = profile.name.endswith("+me") or profile.size == table.size
    return ((1 << profile.size) - 1) << start | (MEDIA if media else 0)


def instance_mask(division: Division | None, profile: str, start: int) -> int:
    """The bits of an instance that stands there; all of them where it cannot stand there any more.

    A site whose GPUs changed under its work keeps the work, and nothing is put beside it.
    """
    if division is None:
        return 0
    return next((place.mask for place in places(division, profile) if place.start == start), EVERY_SLICE)


@lru_cache(MOST_KEPT)
def more(division: Division, profile: str) -> Numbers:
    """Shape (512,): how many instances of the profile a GPU has room for, by the mask of what it holds.

    Places of one profile never overlap but in the media extensions, so those that are free are counted.
    """
    masks = np.arange(MASKS, dtype=np.int64)
    free = np.zeros(MASKS, dtype=np.int64)
    for place in places(division, profile):
        free += masks & place.mask == 0
    if profile.endswith("+me"):
        np.minimum(free, 1, out=free)
    free.setflags(write=False)
    return free


@lru_cache(MOST_KEPT)
def worth(division: Division) -> tuple[int, ...]:
    """By mask, what could still be made: the sum over every free place of every profile, weighed by its size.

    Seats are chosen so that this falls least, which keeps large profiles possible longest: a single slice goes to the
    end of the GPU, beside others, and not into the middle of a half that is whole.
    """
    sums = [0] * MASKS
    for known in division.table.profiles:
        for place in places(division, known.name):
            for mask in range(MASKS):
                if mask & place.mask == 0:
                    sums[mask] += known.size
    return tuple(sums)


@lru_cache(MOST_KEPT)
def divisions_of(
    gpus: int, gpu_model: str, gpu_memory_bytes: int, layout: tuple[tuple[int, str, int], ...]
) -> tuple[Division | None, ...]:
    """For each GPU of a unit, how it divides; None where its model cannot be divided.

    An instance of the layout that its GPU cannot have, or that overlaps an earlier one, counts for nothing.
    """
    table = table_of(gpu_model, gpu_memory_bytes)
    if table is None:
        return (None,) * gpus
    standing: dict[int, list[tuple[str, int]]] = {}
    taken: dict[int, int] = {}
    for gpu, name, start in layout:
        profile = table.profile(name)
        if profile is None or start not in profile.starts or not 0 <= gpu < gpus:
            continue
        mask = mask_of(table, profile, start)
        if taken.get(gpu, 0) & mask == 0:
            taken[gpu] = taken.get(gpu, 0) | mask
            standing.setdefault(gpu, []).append((name, start))
    return tuple(Division(table, tuple(standing.get(gpu, ()))) for gpu in range(gpus))


def offer_divisions(offer: Offer) -> tuple[Division | None, ...]:
    """For each GPU of a unit of the offer; all None where it does not share by MIG."""
    if offer.gpu_sharing is not GpuSharing.MIG:
        return (None,) * offer.resources.gpus
    layout = tuple((one.gpu, one.profile, one.start) for one in offer.mig_layout)
    return divisions_of(offer.resources.gpus, offer.gpu_model, offer.resources.gpu_memory_bytes, layout)
