"""GPUs and MIG instances by NVML, through NVIDIA's own binding. No driver, no library, no device: an empty answer.

A GPU on which MIG is enabled is not itself given out: its instances are, and the agent makes no others (that takes
root, and is the operator's to do). One without instances gives out nothing, so it is left out.

Where an instance lies on its GPU, NVML says to root alone. To others the instances of a GPU are laid out in the order
of their ids, each at the first place that is free: nothing here depends on the true place, since an instance is found
again by its id; what the broker needs is one place each.

Devices that are alike in model, memory and MIG mode make one offer, since what is asked of an offer is asked of any of
its GPUs. Within it, GPUs count from 0 in NVML's order.
"""

import os
import platform
from dataclasses import dataclass

import psutil
import pynvml

from tidegate.model.mig import MigTable, table_of
from tidegate.model.quantity import Resources
from tidegate.model.site import GpuSharing, MigInstance, Offer

NOWHERE = -1
"""The start of an instance of which NVML would not say where it lies."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One MIG instance that stands."""

    profile: str
    start: int
    """The memory slice that it begins at."""
    uuid: str


@dataclass(frozen=True, slots=True)
class Gpu:
    """One device."""

    model: str
    uuid: str
    memory_bytes: int
    mig: bool = False
    """Whether MIG is enabled: then its instances are given out, and it is not."""
    instances: tuple[Instance, ...] = ()


def discover() -> tuple[Gpu, ...]:
    """The devices of this host that have something to give, in NVML's order."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        found = tuple(_gpu(handle) for handle in handles)
        return tuple(gpu for gpu in found if gpu.instances or not gpu.mig)
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()


def offers(gpus: tuple[Gpu, ...], host: str = "host") -> tuple[Offer, ...]:
    """What this host can give, as observed: its GPUs by kind, and itself where it has none."""
    cpus, memory = (os.cpu_count() or 1) * 1000, psutil.virtual_memory().total
    if not gpus:
        machine = _short(platform.machine())
        return (Offer(host, Resources(0, 0, cpus, memory), device_class=f"cpu-{machine}"),)
    by_name = devices(gpus, host)
    return tuple(
        Offer(
            name,
            Resources(len(alike), alike[0].memory_bytes, cpus // len(by_name), memory // len(by_name)),
            gpu_model=alike[0].model,
            device_class=f"gpu-{alike[0].model.lower().removeprefix('nvidia ').replace(' ', '-')}",
            gpu_sharing=GpuSharing.MIG if alike[0].mig else GpuSharing.NONE,
            mig_layout=tuple(
                MigInstance(number, one.profile, one.start) for number, gpu in enumerate(alike) for one in gpu.instances
            ),
        )
        for name, alike in by_name.items()
    )


def devices(gpus: tuple[Gpu, ...], host: str = "host") -> dict[str, tuple[Gpu, ...]]:
    """The GPUs behind each offer, in the order in which the offer counts them."""
    kinds = sorted({(gpu.model, gpu.memory_bytes, gpu.mig) for gpu in gpus})
    return {
        f"{host}-{index}" if index else host: tuple(
            gpu for gpu in gpus if (gpu.model, gpu.memory_bytes, gpu.mig) == kind
        )
        for index, kind in enumerate(kinds)
    }


def _gpu(handle: object) -> Gpu:
    model, uuid = pynvml.nvmlDeviceGetName(handle), pynvml.nvmlDeviceGetUUID(handle)
    memory = int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)
    try:
        current, _ = pynvml.nvmlDeviceGetMigMode(handle)
        if current != pynvml.NVML_DEVICE_MIG_ENABLE:
            return Gpu(model, uuid, memory)
        count = pynvml.nvmlDeviceGetMaxMigDeviceCount(handle)
    except pynvml.NVMLError:
        return Gpu(model, uuid, memory)  # a device, or a driver, without MIG
    found: list[tuple[int, Instance]] = []
    for index in range(count):
        try:
            part = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
        except pynvml.NVMLError_NotFound:
            continue  # that slice is not made
        number = int(pynvml.nvmlDeviceGetGpuInstanceId(part))
        profile = str(pynvml.nvmlDeviceGetName(part)).rpartition("MIG ")[2]
        found.append((number, Instance(profile, _start(handle, number), pynvml.nvmlDeviceGetUUID(part))))
    table = table_of(model, memory)
    ordered = [instance for _, instance in sorted(found, key=lambda one: one[0])]
    return Gpu(model, uuid, memory, mig=True, instances=laid_out(table, ordered) if table else ())


def _start(handle: object, instance: int) -> int:
    try:
        info = pynvml.nvmlGpuInstanceGetInfo(pynvml.nvmlDeviceGetGpuInstanceById(handle, instance))
    except pynvml.NVMLError:
        return NOWHERE
    return int(info.placement.start)


def laid_out(table: MigTable, instances: list[Instance]) -> tuple[Instance, ...]:
    """The instances with a place each, by start. Those of a profile that the table does not know are left out."""
    placed: list[Instance] = []
    taken = 0
    for one in sorted(instances, key=lambda each: each.start == NOWHERE):
        profile = table.profile(one.profile)
        places = zip(profile.starts, profile.masks, strict=True) if profile else ()
        for start, mask in places:
            if one.start in (NOWHERE, start) and not taken & mask:
                taken |= mask
                placed.append(Instance(one.profile, start, one.uuid))
                break
    return tuple(sorted(placed, key=lambda each: each.start))


def _short(machine: str) -> str:
    return {"x86_64": "x86", "aarch64": "arm"}.get(machine, machine)
