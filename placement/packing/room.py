"""Room: how many copies of one demand every offer has room for, now and if nothing stood there.

Limits: a demand of nothing at all counts `MOST_PER_UNIT` to a unit.
"""

import numpy as np

from placement.fleet.columns import Built, Mask, Numbers
from placement.fleet.journal import Left
from placement.gpu.count import accepts, on_empty, on_units
from placement.gpu.wanted import Wanted
from placement.lazily import lazily
from placement.packing.ground import Ground
from placement.packing.usable import Usable
from tidegate.model.site import Offer
from tidegate.model.workload import Demand

MOST_PER_UNIT = 1_000_000


class Room:
    """What one demand finds on every offer of some ground. Shapes (offers,), but where said otherwise.

    Nearly all that is asked is whether an offer has room for all copies by itself (`full`), which takes a look at the
    units in use of few offers. How many copies have room is counted where that is not enough.
    """

    def __init__(self, ground: Ground, wanted: Wanted, each: Numbers, usable: Usable) -> None:
        """`each`: shape (builds,), copies on an empty unit; `usable`: of the ground's offers."""
        self.wanted = wanted
        self.each = each
        self.ground, self._usable = ground, usable

    def full(self, copies: int, units: Numbers, *, apart: bool) -> Mask:
        """Shape (offers,): where an offer has no room for so many copies by itself now.

        `units`, shape (builds,): how many empty ones they take, `GREATEST` where such a unit has no room for one;
        `apart`: no two copies on one unit. For one copy such a build is not asked about, since no price list ranks it.
        """
        ground, usable = self.ground, self._usable.now
        if copies == 1:
            full: Mask = ground.fresh < 1
        else:
            full = ground.fresh < units.take(ground.build, out=ground.scratch.numbers, mode="clip")
        if usable is not None:
            full |= ~usable
        full[self.on_begun(copies, units, apart=apart)] = False
        return full

    def on_begun(self, copies: int, units: Numbers, *, apart: bool) -> Numbers:
        """The offers that have room for so many copies by themselves only if units in use are counted, in no order.

        Some more than once. `units`, and what is not asked about, as before.
        """
        ground, usable = self.ground, self._usable.now
        if copies == 1:
            enough = self._open()
        else:
            each, fresh = np.minimum(self.each, 1) if apart else self.each, ground.fresh.take(ground.unit_offer)
            enough = fresh < units.take(ground.unit_build)
            fresh *= each.take(ground.unit_build)
            enough &= self._on_units(apart).take(ground.unit_offer) + fresh >= copies
        offers = ground.unit_offer.take(enough.nonzero()[0])
        return offers if usable is None else offers.take(usable.take(offers).nonzero()[0])

    def would_hold(self, offers: Numbers, units: Numbers) -> Numbers:
        """Of these offers, those that would have, if nothing stood there. `units` as before."""
        ground, usable = self.ground, self._usable.lasting
        there = ground.count.take(offers) >= units.take(ground.build.take(offers))
        if usable is not None:
            there &= usable.take(offers)
        return offers.take(there.nonzero()[0])

    def counted(self, places: Numbers, *, now: bool, apart: bool) -> Numbers:
        """Shape (places,): copies that these offers have room for; `apart`: units that have room for one."""
        ground = self.ground
        each = self.each.take(ground.build.take(places))
        if apart:
            each = np.minimum(each, 1)
        if not now:
            return _only(ground.count.take(places) * each, self._usable.lasting, places)
        found = ground.fresh.take(places) * each + self._on_units(apart).take(places)
        return _only(found, self._usable.now, places)

    def _open(self) -> Mask:
        """Shape (units in use,): those that have what a copy wants, where no fresh one of the offer has it anyway.

        Whether it may stand on such a unit at all is not asked.
        """
        ground, wanted = self.ground, self.wanted
        found = ground.unit_spent.copy()
        if wanted.share_milli or wanted.mig_profile:
            found &= on_units(ground.columns, wanted, ground.unit_rows) > 0
        wants = (wanted.gpus, wanted.cpus_milli, wanted.memory_bytes)
        for need, left in zip(wants, ground.unit_left, strict=True):
            if need:
                found &= left >= need
        return found

    @lazily
    def _left(self) -> Numbers:
        """Shape (units in use,): the copies that have room on each."""
        ground, wanted = self.ground, self.wanted
        gpus, cpus, memory = ground.unit_left
        on_gpus = gpus // wanted.gpus if wanted.gpus else None
        if on_gpus is None and wanted.on_gpu:
            on_gpus = on_units(ground.columns, wanted, ground.unit_rows)
        left = times(wanted, on_gpus, cpus, memory)
        if wanted.is_particular:
            left *= (self.each > 0).take(ground.unit_build)
        return left

    def _on_units(self, apart: bool) -> Numbers:
        """Shape (offers,): copies on all of an offer's units in use; `apart`: units that have room for one.

        It is scratch, to be read before anything else is asked.
        """
        found = self.ground.scratch.numbers
        found.fill(0)
        np.add.at(found, self.ground.unit_offer, np.minimum(self._left, 1) if apart else self._left)
        return found


def _only(numbers: Numbers, usable: Mask | None, places: Numbers) -> Numbers:
    return numbers if usable is None else numbers * usable.take(places)


def room_for(ground: Ground, wanted: Wanted, demand: Demand, usable: Usable) -> Room:
    """The room for copies of `wanted` on the `usable` ones of the ground's offers; none on the others."""
    builds = ground.columns.builds
    empty = on_empty(builds, wanted) if wanted.on_gpu else None
    each = times(wanted, empty, builds.cpus, builds.memory)
    if wanted.is_particular:
        each *= accepts(builds, wanted, demand.time_slicing)
    return Room(ground, wanted, each, usable)


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
