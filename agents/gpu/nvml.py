"""GPUs and MIG devices by NVML, through NVIDIA's own binding. No driver, no library, no device: an empty answer.

A GPU with MIG enabled is not itself given out: its MIG devices stand for it. Devices that are alike in model and memory
make one offer, since a demand asks for whole devices.
"""

import os
import platform
from collections import Counter
from dataclasses import dataclass

import psutil
import pynvml

from tidegate.model.quantity import Resources
from tidegate.model.site import Offer


@dataclass(frozen=True, slots=True)
class Gpu:
    """One device that a process can be given."""

    model: str
    uuid: str
    memory_bytes: int
    mig: bool = False


def discover() -> tuple[Gpu, ...]:
    """The devices of this host, in NVML's order."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        found: list[Gpu] = []
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            parts = _migs(handle)
            found.extend(parts if parts else [_gpu(handle, mig=False)])
        return tuple(found)
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()


def offers(gpus: tuple[Gpu, ...], host: str = "host") -> tuple[Offer, ...]:
    """What this host can give, as observed: its GPUs by kind, and itself where it has none."""
    cpus, memory = (os.cpu_count() or 1) * 1000, psutil.virtual_memory().total
    machine = platform.machine()
    if not gpus:
        return (Offer(host, Resources(0, 0, cpus, memory), device_class=f"cpu-{_short(machine)}"),)
    kinds = Counter((gpu.model, gpu.memory_bytes) for gpu in gpus)
    return tuple(
        Offer(
            f"{host}-{index}" if index else host,
            Resources(count, size, cpus // len(kinds), memory // len(kinds)),
            gpu_model=model,
            device_class=f"gpu-{model.lower().removeprefix('nvidia ').replace(' ', '-')}",
        )
        for index, ((model, size), count) in enumerate(sorted(kinds.items()))
    )


def _migs(handle: object) -> list[Gpu]:
    try:
        current, _ = pynvml.nvmlDeviceGetMigMode(handle)
        if current != pynvml.NVML_DEVICE_MIG_ENABLE:
            return []
        count = pynvml.nvmlDeviceGetMaxMigDeviceCount(handle)
    except pynvml.NVMLError:
        return []  # a device, or a driver, without MIG
    parts = []
    for index in range(count):
        try:
            parts.append(_gpu(pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index), mig=True))
        except pynvml.NVMLError_NotFound:
            continue  # that slice is not made
    return parts


def _gpu(handle: object, *, mig: bool) -> Gpu:
    return Gpu(
        pynvml.nvmlDeviceGetName(handle),
        pynvml.nvmlDeviceGetUUID(handle),
        int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),
        mig,
    )


def _short(machine: str) -> str:
    return {"x86_64": "x86", "aarch64": "arm"}.get(machine, machine)
