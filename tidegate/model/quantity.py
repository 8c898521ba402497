"""Whole-number resources and money: what a demand asks and an offer has.

Units: GPUs in whole devices, memory in bytes, CPUs in thousandths of a core, money in micros (a millionth of a
US dollar). Nothing here is a float, so sums are the same on every machine and in every order.
"""

from dataclasses import dataclass, fields

MICROS_PER_DOLLAR = 1_000_000
HOURS_PER_MONTH = 730
"""The cloud price lists' convention: 8,760 hours a year over 12."""


@dataclass(frozen=True, slots=True)
class Resources:
    """An amount of everything countable."""

    gpus: int = 0
    gpu_memory_bytes: int = 0
    """On each GPU, not in sum: memory does not pool across devices."""
    cpus_milli: int = 0
    memory_bytes: int = 0

    def fits(self, room: "Resources") -> bool:
        """Whether this much can be taken from `room`."""
        return not self.shortfall(room)

    def shortfall(self, room: "Resources") -> tuple[str, ...]:
        """The names of the fields in which `room` falls short."""
        return tuple(f.name for f in fields(self) if getattr(self, f.name) > getattr(room, f.name))

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(
            self.gpus + other.gpus,
            max(self.gpu_memory_bytes, other.gpu_memory_bytes),
            self.cpus_milli + other.cpus_milli,
            self.memory_bytes + other.memory_bytes,
        )

    def __sub__(self, other: "Resources") -> "Resources":
        """What is left; GPU memory is per device, so it stays as it was."""
        return Resources(
            self.gpus - other.gpus,
            self.gpu_memory_bytes,
            self.cpus_milli - other.cpus_milli,
            self.memory_bytes - other.memory_bytes,
        )

    def __mul__(self, count: int) -> "Resources":
        return Resources(self.gpus * count, self.gpu_memory_bytes, self.cpus_milli * count, self.memory_bytes * count)
