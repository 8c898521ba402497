"""MIG: into which parts NVIDIA's GPUs can be divided, and where on the GPU each part may lie. Tables as data.

A GPU has slices of compute and of memory (seven and eight; the A30 four and four). An instance of a profile takes some
slices of both; it lies on whole memory slices, from one of a few starts, and no two instances overlap. So a GPU's state
is the set of memory slices taken, one byte of bits, and everything about legality follows from `starts` and `size`.
`most` bounds a profile beside that: only one instance of a GPU can have the media extensions (`+me`).

Sources. Profiles, slices and `most`: NVIDIA Multi-Instance GPU User Guide (v580), "Supported MIG Profiles", tables 5 to
9. Starts and sizes: the same guide, "Getting Started with MIG", listing of `nvidia-smi mig -lgipp` for the A100; the
same listing is published for H100 80GB and 94GB, and NVIDIA/k8s-test-infra transcribes the guide's diagrams to the same
starts for H100 and B200. (The mock tables of NVIDIA/go-nvml say otherwise for the three- and seven-slice profiles; they
count compute slices there, and are not followed.) The A30's starts: NVIDIA/go-nvml, a30.go.
`memory_mib` is what a process can have, the least that published `-lgip` listings show; it is up to a tenth below the
profile's name. For the B200 no listing was at hand: nine tenths of the name's share. What is known of a device itself
(NVML) outranks this table.

Not here: which instances exist on a device, which is an agent's to say (`Offer.mig_layout`), and GPUs that divide
otherwise (RTX PRO, whose profiles also differ in graphics).
"""

from dataclasses import dataclass
from functools import cache

GIB = 2**30


@dataclass(frozen=True, slots=True)
class MigProfile:
    """One way to cut an instance."""

    name: str
    """`<compute slices>g.<memory>gb`, as NVIDIA names it."""
    slices: int
    """Compute slices."""
    size: int
    """Memory slices."""
    starts: tuple[int, ...]
    """Memory slices that an instance may begin at."""
    most: int
    """Instances on one empty GPU."""
    memory_mib: int

    @property
    def masks(self) -> tuple[int, ...]:
        """For each start, the memory slices taken, as bits."""
        return tuple(((1 << self.size) - 1) << start for start in self.starts)


@dataclass(frozen=True, slots=True)
class MigTable:
    """One kind of GPU."""

    name: str
    family: str
    memory_gb: int
    """As in the product's name."""
    slices: int
    """Compute slices of the whole GPU."""
    size: int
    """Memory slices of the whole GPU."""
    profiles: tuple[MigProfile, ...]

    def __hash__(self) -> int:
        """A table is looked up often; its name tells it from the others."""
        return hash(self.name)

    def profile(self, name: str) -> MigProfile | None:
        """The profile of that name, if this GPU has it."""
        return next((one for one in self.profiles if one.name == name), None)


_ANYWHERE, _PAIRS, _HALVES = tuple(range(7)), (0, 2, 4), (0, 4)
_FOUR_PAIRS = (0, 2, 4, 6)


def _eighths(name: str, memory_gb: int, sizes: tuple[int, int, int, int], mib: tuple[int, int, int, int]) -> MigTable:
    """A GPU of seven compute and eight memory slices; `sizes` and `mib` of one, two, four and eight memory slices."""
    (one, two, half, full), (mib1, mib2, mib4, mib8) = sizes, mib
    return MigTable(
        name,
        name.partition("-")[0],
        memory_gb,
        7,
        8,
        (
            MigProfile(f"1g.{one}gb", 1, 1, _ANYWHERE, 7, mib1),
            MigProfile(f"1g.{one}gb+me", 1, 1, _ANYWHERE, 1, mib1),
            MigProfile(f"1g.{two}gb", 1, 2, _FOUR_PAIRS, 4, mib2),
            MigProfile(f"2g.{two}gb", 2, 2, _PAIRS, 3, mib2),
            MigProfile(f"3g.{half}gb", 3, 4, _HALVES, 2, mib4),
            MigProfile(f"4g.{half}gb", 4, 4, (0,), 1, mib4),
            MigProfile(f"7g.{full}gb", 7, 8, (0,), 1, mib8),
        ),
    )


TABLES: tuple[MigTable, ...] = (
    MigTable(
        "a30",
        "a30",
        24,
        4,
        4,
        (
            MigProfile("1g.6gb", 1, 1, (0, 1, 2, 3), 4, 5836),
            MigProfile("1g.6gb+me", 1, 1, (0, 1, 2, 3), 1, 5836),
            MigProfile("2g.12gb", 2, 2, (0, 2), 2, 11672),
            MigProfile("2g.12gb+me", 2, 2, (0, 2), 1, 11672),
            MigProfile("4g.24gb", 4, 4, (0,), 1, 23344),
        ),
    ),
    _eighths("a100-40gb", 40, (5, 10, 20, 40), (4864, 9856, 19968, 40192)),
    _eighths("a100-80gb", 80, (10, 20, 40, 80), (9728, 19968, 40192, 80384)),
    _eighths("h100-80gb", 80, (10, 20, 40, 80), (9984, 20090, 40448, 81152)),
    _eighths("h100-94gb", 94, (12, 24, 47, 94), (10874, 22016, 47226, 94842)),
    _eighths("h100-96gb", 96, (12, 24, 48, 96), (11264, 23552, 47616, 95232)),
    _eighths("h200", 141, (18, 35, 71, 141), (16384, 33280, 71475, 143360)),
    _eighths("b200", 180, (23, 45, 90, 180), (20736, 41472, 82944, 165888)),
)
"""Every kind of GPU whose parts are known here."""

NAMES: tuple[str, ...] = tuple(sorted({profile.name for table in TABLES for profile in table.profiles}))
"""Every profile there is, by name."""


def families(gpu_model: str) -> tuple[MigTable, ...]:
    """The tables that a GPU of that model may have; its memory decides which. Empty where it cannot be divided.

    `gpu_model` is as an operator or NVML writes it: `A100`, `NVIDIA A100-SXM4-80GB`, `h100`, `NVIDIA GH200 480GB`.
    """
    words = gpu_model.lower().replace("-", " ").replace("_", " ").split()
    words = ["h100" if word == "gh200" else word for word in words]
    return tuple(table for table in TABLES if table.family in words)


def table_of(gpu_model: str, memory_bytes: int) -> MigTable | None:
    """The table of a GPU by model and memory, None where it cannot be divided.

    The memory decides between products of one model, as the nearest to what is in the product's name. Names count
    thousands where NVML counts 1024s, so both readings are tried.
    """
    tables = families(gpu_model)
    if not tables:
        return None
    return min(tables, key=lambda table: min(abs(memory_bytes - table.memory_gb * unit) for unit in (GIB, 10**9)))


@cache
def gpu_milli(profile: str) -> int:
    """An instance's share of its GPU's compute, in thousandths rounded up; 0 where no GPU has such a profile."""
    for table in TABLES:
        found = table.profile(profile)
        if found is not None:
            return -(-1000 * found.slices // table.slices)
    return 0
