"""Room: how many copies of one demand every offer has room for, now and if nothing stood there.

Limits: a demand of nothing at all counts `MOST_PER_UNIT` to a unit.
"""

import numpy as np
from numpy.typing import NDArray

from placement.fleet.columns import GREATEST, Described, Mask, Numbers
from placement.fleet.journal import Left
from placement.gpu.count import accepts, on_empty, on_units
from placement.gpu.wanted import Wanted
from placement.lazily import lazily
from placement.packing.ground import Ground
from placement.packing.usable import Usable
from tidegate.model.site import Offer
from tidegate.model.workload import Demand

MOST_PER_UNIT = 1_000_000


NEVER = GREATEST
"""More units than any offer has."""


class Room:
    """What one demand finds on every offer of some ground. Shapes (offers,), but where said otherwise.

    Nearly all that is asked is whether an offer has room for all copies by itself (`alone`), which takes a look at the
    units in use of few offers. How many copies have room is counted where that is not enough.
    """

    def __init__(self, ground: Ground, wanted: Wanted, of_shape: Numbers, usable: Usable) -> None:
        """`usable`: of the ground's offers."""
        self.wanted = wanted
        self._on_begun: dict[bool, NDArray[np.float64]] = {}
        self.of_shape = of_shape
        """Shape (shapes,): copies on an empty unit, where such an offer may be used at all."""
        self._ground, self._usable = ground, usable

    def alone(self, copies: int, units: Numbers, *, apart: bool) -> Mask:
        """Which offers have room for so many copies by themselves now.

        `units`, shape (shapes,): how many empty ones they take; `apart`: no two copies on one unit.
        """
        ground, usable = self._ground, self._usable.now
        if copies == 1:
            now: Mask = (self.of_shape > 0).take(ground.shape) & (ground.fresh > 0)
            begun = ground.unit_offer.take(self._open().nonzero()[0])
        else:
            now = ground.fresh >= (units | np.multiply(self.of_shape <= 0, NEVER)).take(ground.shape)
            begun, _ = self._left
            each = 1 if apart else self.of_shape.take(ground.shape.take(begun))
            enough = self._on_units(apart).take(begun) + ground.fresh.take(begun) * each >= copies
            begun = begun.take(enough.nonzero()[0])
        if usable is not None:
            now &= usable
        now[begun] = True
        return now

    def alone_empty(self, offers: Numbers, units: Numbers) -> Mask:
        """Which of these offers would have, if nothing stood there. `units` as before."""
        ground, usable = self._ground, self._usable.lasting
        shapes = ground.shape.take(offers)
        there: Mask = ground.count.take(offers) >= (units | np.multiply(self.of_shape <= 0, NEVER)).take(shapes)
        return there if usable is None else there & usable.take(offers)

    def counted(self, places: Numbers, *, now: bool, apart: bool) -> Numbers:
        """Shape (places,): copies that these offers have room for; `apart`: units that have room for one."""
        ground = self._ground
        each = self.of_shape.take(ground.shape.take(places))
        if apart:
            each = np.minimum(each, 1)
        if not now:
            return _only(ground.count.take(places) * each, self._usable.lasting, places)
        found = ground.fresh.take(places) * each + self._on_units(apart).take(places).astype(np.int64)
        return _only(found, self._usable.now, places)

    def _begun(self) -> Mask:
        """Shape (units in use,): those of offers that may be used at all."""
        ground, usable = self._ground, self._usable.now
        begun = (self.of_shape > 0).take(ground.unit_shape)
        return begun if usable is None else begun & usable.take(ground.unit_offer)

    def _open(self) -> Mask:
        """Shape (units in use,): those that have room for a copy."""
        wanted, found = self.wanted, self._begun()
        if wanted.share_milli or wanted.mig_profile:
            found &= on_units(self._ground.columns, wanted, self._ground.unit_rows) > 0
        for need, left in zip(
            (wanted.gpus, wanted.cpus_milli, wanted.memory_bytes), self._ground.unit_left, strict=True
        ):
            if need:
                found &= left >= need
        return found

    @lazily
    def _left(self) -> tuple[Numbers, Numbers]:
        """Of the units in use that may be used: their offers, and how many copies have room on each."""
        ground, wanted, places = self._ground, self.wanted, self._begun().nonzero()[0]
        _, cpus, memory = ground.unit_left
        on_gpus = on_units(ground.columns, wanted, ground.unit_rows.take(places)) if wanted.on_gpu else None
        return ground.unit_offer.take(places), times(wanted, on_gpus, cpus.take(places), memory.take(places))

    def _on_units(self, apart: bool) -> NDArray[np.float64]:
        """Shape (offers,): copies on all of an offer's units in use; `apart`: units that have room for one.

        Sums of whole numbers below 2**53, so that floats hold them exactly.
        """
        found = self._on_begun.get(apart)
        if found is None:
            offers, left = self._left
            there = np.asarray(left > 0 if apart else left, dtype=np.float64)
            found = np.asarray(np.bincount(offers, there, len(self._ground.shape)), dtype=np.float64)
            self._on_begun[apart] = found
        return found


def _only(numbers: Numbers, usable: Mask | None, places: Numbers) -> Numbers:
    return numbers if usable is None else numbers * usable.take(places)


def room_for(ground: Ground, wanted: Wanted, demand: Demand, usable: Usable) -> Room:
    """The room for copies of `wanted` on the `usable` ones of the ground's offers; none on the others."""
    shapes = ground.columns.shapes
    empty = on_empty(shapes, wanted) if wanted.on_gpu else None
    of_shape = times(wanted, empty, shapes.cpus, shapes.memory)
    if wanted.gpu_memory_bytes or wanted.share_milli or wanted.mig_profile:
        of_shape *= accepts(shapes, wanted, demand.time_slicing)
    return Room(ground, wanted, of_shape, usable)


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
