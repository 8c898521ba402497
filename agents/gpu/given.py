"""Which GPUs a workload was given, as the environment of its processes says it.

    CUDA_VISIBLE_DEVICES                the UUIDs of its GPUs or MIG instances; empty where it was given none
    CUDA_MPS_ACTIVE_THREAD_PERCENTAGE   of a share: its part of the compute, rounded down, 1 at least
    CUDA_MPS_PINNED_DEVICE_MEM_LIMIT    of a share: `0=<MiB>M`, its part of the memory

By UUID, since CUDA numbers devices otherwise than NVML does. The last two are what NVIDIA's Multi-Process Service holds
its clients to (CUDA MPS documentation, "Environment Variables"); where no such service runs, they do nothing, and the
offer should not have said `fraction`.

An assignment without seats is one from before decisions recorded them, and a host without GPUs has none to hide: then
nothing is said.
"""

from agents.gpu.nvml import Gpu, devices
from tidegate.model.assignment import Assignment
from tidegate.model.decision import Seat
from tidegate.model.errors import Refused

MIB = 2**20


def visible(assignment: Assignment, gpus: tuple[Gpu, ...]) -> dict[str, str]:
    """The environment for the assignment's processes. Refused where it names what this host does not have."""
    if not assignment.seats or not gpus:
        return {}
    by_offer = devices(gpus)
    counts = [slot.count for slot in assignment.slots]
    if sum(counts) != len(assignment.seats) or min(counts, default=0) < 0:
        raise Refused("is not one for each copy", field="seats", found=len(assignment.seats), wanted="as the slots say")
    stands = [slot.offer for slot in assignment.slots for _ in range(slot.count)]
    uuids: dict[str, None] = {}
    for offer, seat in zip(stands, assignment.seats, strict=True):
        if seat.gpus:
            uuids |= dict.fromkeys(_uuids(assignment, seat, _alike(offer, by_offer)))
    told = {"CUDA_VISIBLE_DEVICES": ",".join(uuids)}
    demand = assignment.workload.demand
    if uuids and demand.gpu_share_milli:
        told["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] = str(max(1, demand.gpu_share_milli // 10))
        if demand.resources.gpu_memory_bytes:
            told["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"] = f"0={demand.resources.gpu_memory_bytes // MIB}M"
    return told


def _alike(offer: str, by_offer: dict[str, tuple[Gpu, ...]]) -> tuple[Gpu, ...]:
    """The GPUs of an offer; of the only kind there is where the operator gave the offer a name of its own."""
    if offer in by_offer:
        return by_offer[offer]
    if len(by_offer) == 1:
        return next(iter(by_offer.values()))
    raise Refused("this host has several kinds of GPU", field="offer", found=offer, wanted=", ".join(by_offer))


def _uuids(assignment: Assignment, seat: Seat, gpus: tuple[Gpu, ...]) -> list[str]:
    for number in seat.gpus:
        if not 0 <= number < len(gpus):
            raise Refused("no such GPU on this host", field="seats.gpus", found=number, wanted=f"below {len(gpus)}")
    profile = assignment.workload.demand.mig_profile
    if not profile:
        return [gpus[number].uuid for number in seat.gpus]
    for number in seat.gpus:
        for instance in gpus[number].instances:
            if (instance.profile, instance.start) == (profile, seat.mig_start):
                return [instance.uuid]
    there = ", ".join(f"{one.profile} at {one.start}" for gpu in gpus for one in gpu.instances) or "none"
    raise Refused(
        "no such MIG instance on this host",
        field="seats.mig_start",
        found=f"{profile} at {seat.mig_start}",
        wanted=there,
    )
