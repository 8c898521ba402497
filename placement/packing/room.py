"""Room: how many copies of one demand every offer has room for, now and if nothing stood there.

Limits: a demand of nothing at all counts `MOST_PER_UNIT` to a unit.
"""

from typing import NamedTuple

import numpy as np

from placement.fleet.columns import Built, Mask, Numbers
from placement.fleet.journal import Left
from placement.gpu.count import accepts, on_empty, on_units
from placement.gpu.wanted import Wanted
from placement.lazily import lazily
from placement.packing.ground import Ground
from placement.packing.looking import MOST_PER_UNIT, best_now, counted, on_empty_units
from placement.packing.usable import Usable
from tidegate.model.site import Offer
from tidegate.model.workload import Demand

NO_MASK = np.zeros(0, dtype=np.bool_)


class Counted(NamedTuple):
    """Copies with room at some sites of the ground; units with room for one, where copies stand apart."""

    has: Numbers
    """Shape (offers,): of theirs alone, and to be read before anything else is asked."""
    sums: Numbers
    """Shape (sites,)."""
    keys: Numbers
    """Shape (sites,): the least key of their offers that have room for all copies, or `NEVER`."""


class Room:
    """What one demand finds on every offer of some ground (`placement.packing.looking`)."""

    def __init__(self, ground: Ground, wanted: Wanted, needs: Numbers, each: Numbers, usable: Usable) -> None:
        """`needs`: as `needs_of`; `each`: shape (builds,), copies on an empty one; `usable`: of the ground's offers."""
        self.wanted, self._needs = wanted, needs
        self.each = each
        self._ground, self._usable = ground, usable

    def best_now(self, holds: Numbers, ranks: Numbers, copies: int, *, apart: bool) -> Numbers:
        """Shape (sites,): the least key of a site's offers that have room for so many copies by themselves now.

        `holds`, `ranks`: as a price list has them.
        """
        ground, keys = self._ground, np.empty(self._ground.size, dtype=np.int64)
        usable = NO_MASK if self._usable.now is None else self._usable.now
        best_now(
            ground.stops,
            ground.shape,
            ground.fresh,
            holds,
            ranks,
            usable,
            ground.unit_offer,
            ground.unit_site,
            ground.unit_shape,
            ground.unit_place,
            self._left,
            self._needs,
            copies,
            apart,
            *ground.scratch,
            keys,
        )
        return keys

    def counted(
        self,
        here: Mask,
        *,
        now: bool,
        apart: bool,
        copies: int = 1,
        ranks: Numbers | None = None,
        holds: Numbers | None = None,
    ) -> Counted:
        """What has room at these sites, now or if nothing stood there. `apart`: no two copies on one unit.

        `holds`, `ranks`: as a price list has them; keys are told where there is one.
        """
        ground, usable = self._ground, self._usable.now if now else self._usable.lasting
        if holds is None:
            holds = (np.minimum(self.each, 1) if apart else self.each).take(ground.columns.build_of_shape)
        sums, keys = np.empty((2, ground.size), dtype=np.int64)
        has, _ = ground.scratch
        counted(
            here,
            ground.stops,
            ground.shape,
            ground.fresh if now else ground.count,
            holds,
            holds if ranks is None else ranks,
            NO_MASK if usable is None else usable,
            ground.unit_offer,
            ground.unit_site,
            self._left,
            self._needs,
            copies,
            apart,
            now,
            has,
            sums,
            keys,
        )
        return Counted(has, sums, keys)

    @lazily
    def _left(self) -> tuple[Numbers, Numbers, Numbers]:
        """Shapes (units in use,): GPUs, or what these have room for of a part of one; CPUs; memory."""
        ground, wanted = self._ground, self.wanted
        gpus, cpus, memory = ground.unit_left
        if wanted.on_gpu and not wanted.gpus:
            gpus = on_units(ground.columns, wanted, ground.unit_rows)
        return gpus, cpus, memory


def room_for(ground: Ground, wanted: Wanted, demand: Demand, usable: Usable) -> Room:
    """The room for copies of `wanted` on the `usable` ones of the ground's offers; none on the others."""
    builds, a_gpu = ground.columns.builds, wanted.gpu_memory_bytes
    gpus, needs = builds.whole_gpus, needs_of(wanted)
    if wanted.on_gpu and not wanted.gpus:
        gpus, a_gpu = on_empty(builds, wanted) * accepts(builds, wanted, demand.time_slicing), 0
    each = np.empty(len(gpus), dtype=np.int64)
    on_empty_units(gpus, builds.cpus, builds.memory, needs, builds.gpu_memory, a_gpu, each)
    return Room(ground, wanted, needs, each, usable)


def needs_of(wanted: Wanted) -> Numbers:
    """Shape (3,): GPUs, or 1 of what a part of one has room for; CPUs; memory."""
    return np.array((wanted.gpus or int(wanted.on_gpu), wanted.cpus_milli, wanted.memory_bytes), dtype=np.int64)


def eligible_for(shapes: Built, wanted: Wanted, models: tuple[str, ...], demand: Demand) -> Mask:
    """Shape (shapes,): the offers that one variant of a demand may stand on, whatever is free."""
    eligible = accepts(shapes, wanted, demand.time_slicing)
    if models:
        eligible = eligible & shapes.gpu_model.where(model in models for model in shapes.gpu_model.values)
    return eligible


def may_stand(offer: Offer, wanted: Wanted, models: tuple[str, ...], demand: Demand) -> bool:
    """The same for one offer, where GPUs are wanted whole or not at all."""
    named = not models or offer.gpu_model in models
    return named and offer.resources.gpu_memory_bytes >= wanted.gpu_memory_bytes


def times(wanted: Wanted, on_gpus: Numbers | None, cpus: Numbers, memory: Numbers) -> Numbers:
    """How often `wanted` goes into what is there, `on_gpus` times into the GPUs; never below 0."""
    often = on_gpus
    for need, have in ((wanted.cpus_milli, cpus), (wanted.memory_bytes, memory)):
        if need:
            there = have // need
            often = there if often is None else np.minimum(often, there, out=there)
    if on_gpus is None:
        often = np.full(len(cpus), MOST_PER_UNIT) if often is None else np.minimum(often, MOST_PER_UNIT, out=often)
    assert often is not None
    return np.maximum(often, 0)


def often(wanted: Wanted, left: Left) -> int:
    """The same for one unit, where GPUs are wanted whole or not at all."""
    found = MOST_PER_UNIT
    needs = (wanted.gpus, wanted.cpus_milli, wanted.memory_bytes)
    for need, have in zip(needs, left, strict=True):
        if need:
            found = min(found, have // need)
    return max(found, 0)
