"""Room on one unit, by trying: every seat that another copy could have beside those that sit there."""

from dataclasses import dataclass
from itertools import combinations

from placement.fleet.facts import Copy
from tidegate.model.mig import MigProfile, table_of
from tidegate.model.quantity import Resources
from tidegate.model.site import GpuSharing, Offer
from tidegate.model.workload import Demand

ENDLESS = 1_000_000
"""Copies of nothing to a unit, as the packing has it."""


@dataclass(frozen=True)
class Need:
    """What one copy needs, with its GPUs or without."""

    gpus: int
    share: int
    profile: str
    gpu_memory: int
    cpus: int
    memory: int
    models: tuple[str, ...] = ()
    turns: bool = False
    """Whether it takes turns on a GPU that nothing divides."""

    @property
    def on_gpu(self) -> bool:
        return bool(self.gpus or self.share or self.profile)

    def copy(self, offer: str, seat: "Seating") -> Copy:
        held = Resources(self.gpus, self.gpu_memory, self.cpus, self.memory)
        return Copy("", offer, 0, held, seat.gpus, self.share, self.profile, seat.start)


@dataclass(frozen=True, order=True)
class Seating:
    """GPUs and, for a MIG instance, the slice that it begins at."""

    gpus: tuple[int, ...] = ()
    start: int = 0


def needs_of(demand: Demand) -> list[Need]:
    """What is tried, in order."""
    r = demand.resources
    first = Need(
        r.gpus,
        demand.gpu_share_milli,
        demand.mig_profile,
        r.gpu_memory_bytes,
        r.cpus_milli,
        r.memory_bytes,
        demand.gpu_models,
        demand.time_slicing,
    )
    return [first, Need(0, 0, "", 0, r.cpus_milli, r.memory_bytes)] if demand.cpu_fallback else [first]


def profile(offer: Offer, name: str) -> MigProfile | None:
    table = table_of(offer.gpu_model, offer.resources.gpu_memory_bytes)
    if offer.gpu_sharing is not GpuSharing.MIG or table is None:
        return None
    return next((one for one in table.profiles if one.name == name), None)


def gives(offer: Offer, need: Need, *, enough: bool = True) -> bool:
    """Whether this kind of offer can hold such a copy at all; with `enough` False, whatever memory its GPUs have."""
    if need.profile:
        found = profile(offer, need.profile)
        return found is not None and (not enough or found.memory_mib << 20 >= need.gpu_memory)
    if need.share:
        return offer.gpu_sharing is GpuSharing.FRACTION or (offer.gpu_sharing is GpuSharing.TIME_SLICING and need.turns)
    return not enough or offer.resources.gpu_memory_bytes >= need.gpu_memory


def fits_model(offer: Offer, need: Need) -> bool:
    return not need.models or offer.gpu_model in need.models


def fixed(offer: Offer, gpu: int) -> list[tuple[MigProfile, int]]:
    """The instances that stand on a GPU for good; what overlaps earlier ones or cannot be is left out."""
    kept: list[tuple[MigProfile, int]] = []
    for one in offer.mig_layout:
        found = profile(offer, one.profile)
        possible = one.gpu == gpu and found is not None and one.start in found.starts
        if possible and not any(_overlap(offer, found, one.start, other, start) for other, start in kept):
            kept.append((found, one.start))
    return kept


def _overlap(offer: Offer, one: MigProfile, at: int, other: MigProfile, start: int) -> bool:
    table = table_of(offer.gpu_model, offer.resources.gpu_memory_bytes)
    assert table is not None
    exclusive = [p.name.endswith("+me") or p.size == table.size for p in (one, other)]
    return (at < start + other.size and start < at + one.size) or all(exclusive)


def free_for(offer: Offer, copies: list[Copy], gpu: int, need: Need) -> list[int]:
    """Where on a GPU a share (0) or an instance could begin."""
    there = [copy for copy in copies if gpu in copy.gpus]
    if any(copy.resources.gpus for copy in there):
        return []
    if need.share:
        size = offer.resources.gpu_memory_bytes
        compute = 1000 - sum(copy.gpu_share_milli for copy in there)
        memory = size - sum(copy.resources.gpu_memory_bytes for copy in there if copy.gpu_share_milli)
        return [0] if compute >= need.share and memory >= need.gpu_memory else []
    wanted = profile(offer, need.profile)
    if wanted is None:
        return []
    layout = fixed(offer, gpu)
    starts = [start for start in wanted.starts if not layout or (wanted, start) in layout]
    for copy in there:
        other = profile(offer, copy.mig_profile)
        if other is None:
            return []
        starts = [start for start in starts if not _overlap(offer, wanted, start, other, copy.mig_start)]
    return starts


def whole_gpus(offer: Offer, copies: list[Copy]) -> list[int]:
    """GPUs that a copy could have to itself."""
    taken = {gpu for copy in copies for gpu in copy.gpus}
    return [gpu for gpu in range(offer.resources.gpus) if gpu not in taken and not fixed(offer, gpu)]


def seats(offer: Offer, copies: list[Copy], need: Need) -> list[Seating]:
    """Every seat that one more copy could have on a unit of the offer; none where the offer is not of the kind."""
    if not gives(offer, need) or left(offer, copies)[0] < need.cpus or left(offer, copies)[1] < need.memory:
        return []
    if need.gpus:
        return [Seating(gpus) for gpus in combinations(whole_gpus(offer, copies), need.gpus)]
    if need.on_gpu:
        return [Seating((g,), s) for g in range(offer.resources.gpus) for s in free_for(offer, copies, g, need)]
    return [Seating()]


def left(offer: Offer, copies: list[Copy]) -> tuple[int, int]:
    """CPUs and memory that nobody has."""
    r = offer.resources
    cpus = r.cpus_milli - sum(copy.resources.cpus_milli for copy in copies)
    return cpus, r.memory_bytes - sum(copy.resources.memory_bytes for copy in copies)


def memory_left(offer: Offer, copies: list[Copy], gpu: int) -> int:
    """Bytes of one GPU that shares could have; none of one that somebody has whole."""
    there = [copy for copy in copies if gpu in copy.gpus]
    if any(copy.resources.gpus for copy in there):
        return 0
    taken = sum(copy.resources.gpu_memory_bytes for copy in there if copy.gpu_share_milli)
    return offer.resources.gpu_memory_bytes - taken


def most(offer: Offer, copies: list[Copy], need: Need) -> int:
    """How many more copies the unit could take, found by seating them one after the other in every way."""
    if not gives(offer, need):
        return 0
    cpus, memory = left(offer, copies)
    bounds = [max(have, 0) // want for have, want in ((cpus, need.cpus), (memory, need.memory)) if want]
    if not need.on_gpu:
        return min(bounds, default=ENDLESS)
    bare = Need(need.gpus, need.share, need.profile, need.gpu_memory, 0, 0, turns=need.turns)
    if need.gpus:
        on_gpus = len(whole_gpus(offer, copies)) // need.gpus
    else:
        on_gpus = sum(_most_on(offer, copies, gpu, bare, Seating()) for gpu in range(offer.resources.gpus))
    return min([on_gpus, *bounds])


def _most_on(offer: Offer, copies: list[Copy], gpu: int, need: Need, after: Seating) -> int:
    """On one GPU, later seats after earlier ones, so that no set of seats is tried twice; shares are all alike."""
    if need.share:
        free = 1000 - sum(copy.gpu_share_milli for copy in copies if gpu in copy.gpus)
        often = [free // need.share]
        often += [memory_left(offer, copies, gpu) // need.gpu_memory] if need.gpu_memory else []
        return max(min(often), 0) if free_for(offer, copies, gpu, need) else 0
    best = 0
    for start in free_for(offer, copies, gpu, need):
        seat = Seating((gpu,), start)
        if seat >= after:
            best = max(best, 1 + _most_on(offer, [*copies, need.copy(offer.name, seat)], gpu, need, seat))
    return best
