"""Room: how many copies of one demand every offer has room for, now and if nothing stood there.

Limits: a demand of nothing at all counts `MOST_PER_UNIT` to a unit.
"""

from functools import cached_property

import numpy as np

from placement.fleet.columns import Described, Mask, Numbers
from placement.fleet.journal import Left
from placement.gpu.count import accepts, on_empty, on_units
from placement.gpu.wanted import Wanted
from placement.packing.ground import Ground
from tidegate.model.site import Offer
from tidegate.model.workload import Demand

MOST_PER_UNIT = 1_000_000


class Room:
    """What one demand finds on every offer of some ground. Shapes (offers,), but where said otherwise."""

    def __init__(self, ground: Ground, wanted: Wanted, of_shape: Numbers, each: Numbers) -> None:
        self.wanted = wanted
        self.of_shape = of_shape
        """Shape (shapes,): copies on an empty unit, where such an offer may be used at all."""
        self.each = each
        """The same on the offers that may be used; 0 on the others."""
        self.copies = ground.fresh * each
        """Copies that fit now."""
        self._ground = ground
        offers = ground.unit_offer
        self._left = np.zeros(0, dtype=np.int64)
        if len(offers):
            begun = on_units(ground.columns, wanted, ground.unit_rows) if wanted.on_gpu else None
            self._left = times(wanted, begun, *ground.left())
            self._left *= each.take(offers) > 0  # what does not fit on an empty unit fits on none
            np.add.at(self.copies, offers, self._left)

    @cached_property
    def units(self) -> Numbers:
        """Units that have room for one more copy."""
        units = np.where(self.each > 0, self._ground.fresh, 0)
        np.add.at(units, self._ground.unit_offer, self._left > 0)
        return units

    @cached_property
    def copies_empty(self) -> Numbers:
        """Copies that would fit if nothing stood there."""
        return self._ground.count * self.each

    @property
    def units_empty(self) -> Numbers:
        """Units that would have room if nothing stood there."""
        return np.where(self.each > 0, self._ground.count, 0)


def room_for(ground: Ground, wanted: Wanted, demand: Demand, usable: Mask | None) -> Room:
    """The room for copies of `wanted` on the `usable` offers (shape (offers,); None: all); none on the others."""
    shapes = ground.columns.shapes
    empty = on_empty(shapes, wanted) if wanted.on_gpu else None
    of_shape = times(wanted, empty, shapes.cpus, shapes.memory)
    of_shape *= accepts(shapes, wanted, demand.time_slicing)
    each = of_shape.take(ground.shape)
    if usable is not None:
        each *= usable
    return Room(ground, wanted, of_shape, each)


def eligible_for(shapes: Described, wanted: Wanted, models: tuple[str, ...], demand: Demand) -> Mask:
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
    often = np.full(len(cpus), MOST_PER_UNIT, dtype=np.int64) if on_gpus is None else on_gpus.copy()
    for need, have in ((wanted.cpus_milli, cpus), (wanted.memory_bytes, memory)):
        if need:
            np.minimum(often, have // need, out=often)
    return np.maximum(often, 0, out=often)


def often(wanted: Wanted, left: Left) -> int:
    """The same for one unit, where GPUs are wanted whole or not at all."""
    found = MOST_PER_UNIT
    needs = (wanted.gpus, wanted.cpus_milli, wanted.memory_bytes)
    for need, have in zip(needs, left, strict=True):
        if need:
            found = min(found, have // need)
    return max(found, 0)
