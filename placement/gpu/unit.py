"""The GPUs of one unit: what is left of each, and which of them the next copy gets.

A GPU is given out whole, in shares (compute in thousandths and bytes of memory, each bounded for itself), or in MIG
instances. Which of the three an offer does besides whole GPUs is its `gpu_sharing`.

Seats are chosen so as to leave what is hardest to find again, and ties go to the lowest number:
- whole GPUs: the lowest numbers that are free;
- a share: a GPU that is shared already before one that is free, then the one with the least left, compute first;
- an instance: a divided GPU before an empty one, then the place that leaves most for large profiles (`worth`).

An overcommitted GPU (a site that shrank under its work) has less than nothing left, and room for nothing.
"""

from dataclasses import dataclass

from placement.gpu.division import EVERY_SLICE, Division, instance_mask, places, worth
from placement.gpu.wanted import Wanted
from tidegate.model.site import GpuSharing

MILLI = 1000
"""A whole GPU's compute."""


@dataclass(frozen=True, slots=True)
class GpuSeat:
    """The GPUs of one copy."""

    gpus: tuple[int, ...] = ()
    mig_start: int = 0


@dataclass(slots=True)
class UnitGpus:
    """One unit's. Lists by GPU number."""

    sharing: GpuSharing
    memory_bytes: int
    """Of each GPU, when empty."""
    divisions: tuple[Division | None, ...]
    milli: list[int]
    """Compute left."""
    memory: list[int]
    """Bytes left."""
    masks: list[int]
    """MIG slices taken."""

    def __len__(self) -> int:
        return len(self.milli)

    def is_free(self, gpu: int) -> bool:
        """Whether the GPU can be given out whole: nothing is on it, and it is not divided for good."""
        division = self.divisions[gpu]
        untouched = self.milli[gpu] == MILLI and self.memory[gpu] == self.memory_bytes and not self.masks[gpu]
        return untouched and (division is None or not division.standing)

    def seat(self, wanted: Wanted) -> GpuSeat | None:
        """Which GPUs the copy gets, or None where they have no room for it. Nothing is taken.

        What the offer lets be shared is not asked here: see `count.accepts`.
        """
        if wanted.mig_profile:
            return self._seat_instance(wanted.mig_profile)
        if wanted.share_milli:
            return self._seat_share(wanted.share_milli, wanted.gpu_memory_bytes)
        if wanted.gpu_memory_bytes > self.memory_bytes and wanted.gpus:
            return None
        free: list[int] = []
        for gpu in range(len(self)):
            if len(free) == wanted.gpus:
                break
            if self.is_free(gpu):
                free.append(gpu)
        return GpuSeat(tuple(free)) if len(free) == wanted.gpus else None

    def take(self, wanted: Wanted, seat: GpuSeat) -> None:
        """Take what a copy wants where it sits; GPUs that the unit does not have are passed over."""
        for gpu in seat.gpus:
            if gpu >= len(self):
                continue
            if wanted.mig_profile:
                self.masks[gpu] |= instance_mask(self.divisions[gpu], wanted.mig_profile, seat.mig_start)
            elif wanted.share_milli:
                self.milli[gpu] -= wanted.share_milli
                self.memory[gpu] -= wanted.gpu_memory_bytes
            else:
                self.milli[gpu] -= MILLI
                self.memory[gpu] -= self.memory_bytes
                self.masks[gpu] |= EVERY_SLICE if self.divisions[gpu] else 0

    def _seat_share(self, milli: int, memory: int) -> GpuSeat | None:
        fitting = [gpu for gpu in range(len(self)) if self.milli[gpu] >= milli and self.memory[gpu] >= memory]
        if not fitting:
            return None
        best = min(fitting, key=lambda gpu: (self.milli[gpu], self.memory[gpu], gpu))
        return GpuSeat((best,))

    def _seat_instance(self, profile: str) -> GpuSeat | None:
        found: list[tuple[bool, int, int, int]] = []
        for gpu, division in enumerate(self.divisions):
            if division is None:
                continue
            before, value = self.masks[gpu], worth(division)
            for place in places(division, profile):
                if before & place.mask == 0:
                    lost = value[before] - value[before | place.mask]
                    found.append((before == 0, lost, gpu, place.start))
        if not found:
            return None
        _, _, gpu, start = min(found)
        return GpuSeat((gpu,), start)
