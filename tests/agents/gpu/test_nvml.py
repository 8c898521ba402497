"""GPU discovery through NVIDIA's own binding, over a small libnvidia-ml of ours. It proves our calls only."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agents.gpu.given import visible
from agents.gpu.nvml import Gpu, Instance, devices, discover, offers
from tests.placement.places import service
from tidegate.model.assignment import Assignment
from tidegate.model.decision import Seat, Slot
from tidegate.model.errors import Refused
from tidegate.model.quantity import Resources
from tidegate.model.site import GpuSharing, MigInstance
from tidegate.model.workload import Demand

GIB = 2**30
CHECKOUT = Path(__file__).resolve().parents[3]

STUB = r"""
#include <string.h>
#include <stdio.h>
#include <stdlib.h>
typedef void *device;
typedef struct { unsigned long long total, free, used; } memory;
typedef struct { unsigned start, size; } placement;
typedef struct { device device; unsigned id, profile; placement at; } instance;
/* 1, 2: whole; 3: MIG on; 4: MIG on and nothing made; 31, 32, 33: instances of 3, with ids 9, 5, 2 */
static int kind(device d) { return (int)(long)d; }
static const char *NAMES[] = {"NVIDIA A100-SXM4-40GB MIG 1g.5gb", "NVIDIA A100-SXM4-40GB MIG 3g.20gb",
                              "NVIDIA A100-SXM4-40GB MIG 1c.3g.20gb"};
static const unsigned IDS[] = {9, 5, 2}, STARTS[] = {6, 0, 4};
int nvmlInitWithFlags(unsigned flags) { return getenv("STUB_NO_DRIVER") ? 9 : 0; }
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return "stub"; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 4; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, device *d) { *d = (device)(long)(index + 1); return 0; }
int nvmlDeviceGetName(device d, char *name, unsigned length) {
  strcpy(name, kind(d) > 30 ? NAMES[kind(d) - 31] : kind(d) > 2 ? "NVIDIA A100-SXM4-40GB" : "NVIDIA L4"); return 0; }
int nvmlDeviceGetUUID(device d, char *uuid, unsigned length) {
  sprintf(uuid, "%s-%d", kind(d) > 30 ? "MIG" : "GPU", kind(d)); return 0; }
int nvmlDeviceGetMemoryInfo(device d, memory *m) {
  m->total = kind(d) > 2 ? 42949672960ULL : 25769803776ULL; m->free = m->total; m->used = 0; return 0; }
int nvmlDeviceGetMigMode(device d, unsigned *current, unsigned *pending) {
  if (kind(d) < 3) return 3; *current = *pending = 1; return 0; }
int nvmlDeviceGetMaxMigDeviceCount(device d, unsigned *count) { *count = 7; return 0; }
int nvmlDeviceGetMigDeviceHandleByIndex(device d, unsigned index, device *slice) {
  if (kind(d) != 3 || index > 2) return 6; *slice = (device)(long)(31 + index); return 0; }
int nvmlDeviceGetGpuInstanceId(device d, unsigned *id) { *id = IDS[kind(d) - 31]; return 0; }
int nvmlDeviceGetGpuInstanceById(device d, unsigned id, device *found) {
  if (getenv("STUB_NOT_ROOT")) return 4;
  for (int i = 0; i < 3; i++) if (IDS[i] == id) { *found = (device)(long)(31 + i); return 0; }
  return 6; }
int nvmlGpuInstanceGetInfo(device d, instance *info) {
  info->device = (device)3L; info->id = IDS[kind(d) - 31]; info->profile = 0;
  info->at.start = STARTS[kind(d) - 31]; info->at.size = 1; return 0; }
"""


@pytest.fixture
def library(tmp_path: Path) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed, so there is nothing to build the stand-in for NVML with")
    source = tmp_path / "nvml.c"
    source.write_text(STUB)
    target = tmp_path / "libnvidia-ml.so.1"
    flags = ["-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1"]
    subprocess.run(["gcc", *flags, "-o", str(target), str(source)], check=True)
    return tmp_path


def discovered(library: Path, **environment: str) -> str:
    """What a process of its own finds: the library is loaded once per process."""
    program = "from agents.gpu.nvml import discover; print(discover())"
    env = {**os.environ, "LD_LIBRARY_PATH": str(library), "PYTHONPATH": str(CHECKOUT), **environment}
    return subprocess.run([sys.executable, "-c", program], env=env, check=True, capture_output=True, text=True).stdout


A100 = "NVIDIA A100-SXM4-40GB"


def test_whole_devices_and_the_instances_of_a_divided_one(library: Path) -> None:
    found = eval(discovered(library), {"Gpu": Gpu, "Instance": Instance})
    assert found == (
        Gpu("NVIDIA L4", "GPU-1", 24 * GIB),
        Gpu("NVIDIA L4", "GPU-2", 24 * GIB),
        Gpu(A100, "GPU-3", 40 * GIB, True, (Instance("3g.20gb", 0, "MIG-32"), Instance("1g.5gb", 6, "MIG-31"))),
    )  # a GPU with MIG on and no instance gives nothing; nor does a compute instance that is no whole GPU instance


def test_where_instances_lie_is_made_up_for_who_is_not_root(library: Path) -> None:
    found = eval(discovered(library, STUB_NOT_ROOT="1"), {"Gpu": Gpu, "Instance": Instance})
    assert found[2].instances == (Instance("3g.20gb", 0, "MIG-32"), Instance("1g.5gb", 4, "MIG-31"))


def test_a_divided_gpu_makes_an_offer_of_its_own_that_names_its_instances(library: Path) -> None:
    gpus = eval(discovered(library), {"Gpu": Gpu, "Instance": Instance})
    divided, whole = offers(gpus)
    assert (divided.name, divided.gpu_sharing, divided.resources.gpus) == ("host", GpuSharing.MIG, 1)
    assert divided.mig_layout == (MigInstance(0, "3g.20gb", 0), MigInstance(0, "1g.5gb", 6))
    assert (whole.name, whole.gpu_sharing, whole.resources.gpus) == ("host-1", GpuSharing.NONE, 2)
    assert [gpu.uuid for gpu in devices(gpus)["host-1"]] == ["GPU-1", "GPU-2"]


def told(gpus: tuple[Gpu, ...], demand: Demand, *seats: Seat, offer: str = "host") -> dict[str, str]:
    """The environment of a service that has these seats on one offer."""
    work = replace(service(), demand=demand)
    slot = Slot("hall", offer, len(seats))
    assignment = Assignment("w", work, "hall", 1, offer, len(seats), slots=(slot,), seats=seats)
    return visible(assignment, gpus)


L4S = (Gpu("NVIDIA L4", "GPU-a", 24 * GIB), Gpu("NVIDIA L4", "GPU-b", 24 * GIB))
DIVIDED = (Gpu(A100, "GPU-c", 40 * GIB, True, (Instance("1g.5gb", 2, "MIG-x"), Instance("1g.5gb", 6, "MIG-y"))),)


def test_a_copy_sees_the_gpus_it_was_given_and_no_others() -> None:
    whole = Demand(Resources(gpus=1))
    assert told(L4S, whole, Seat(0, (1,))) == {"CUDA_VISIBLE_DEVICES": "GPU-b"}
    assert told(L4S, whole, Seat(0, (0,)), Seat(0, (1,))) == {"CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b"}
    assert told(L4S, whole, Seat(0)) == {"CUDA_VISIBLE_DEVICES": ""}  # it fell back on CPUs
    assert told(L4S, whole, Seat(0, (1,)), offer="node") == {"CUDA_VISIBLE_DEVICES": "GPU-b"}
    assert told(L4S, whole) == {}
    assert told((), whole, Seat(0, (1,))) == {}


def test_a_share_is_told_to_the_multi_process_service() -> None:
    assert told(L4S, Demand(Resources(gpu_memory_bytes=6 * GIB), gpu_share_milli=255), Seat(0, (0,))) == {
        "CUDA_VISIBLE_DEVICES": "GPU-a",
        "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": "25",
        "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT": "0=6144M",
    }


def test_an_instance_is_found_by_its_profile_and_place() -> None:
    one = Demand(Resources(), mig_profile="1g.5gb")
    assert told(DIVIDED, one, Seat(0, (0,), 6)) == {"CUDA_VISIBLE_DEVICES": "MIG-y"}
    with pytest.raises(Refused, match="no such MIG instance"):
        told(DIVIDED, one, Seat(0, (0,), 4))
    with pytest.raises(Refused, match="no such GPU"):
        told(DIVIDED, Demand(Resources(gpus=1)), Seat(0, (1,)))
    with pytest.raises(Refused, match="several kinds"):
        told((*L4S, *DIVIDED), one, Seat(0, (0,), 6), offer="node")


def test_no_driver_is_an_empty_answer(library: Path) -> None:
    assert discovered(library, STUB_NO_DRIVER="1").strip() == "()"


def test_a_host_without_gpus_offers_itself() -> None:
    (only,) = offers(())
    assert only.device_class.startswith("cpu-")
    assert only.resources.gpus == 0
    assert only.resources.cpus_milli >= 1000


def test_devices_that_are_alike_make_one_offer() -> None:
    l4 = Gpu("NVIDIA L4", "a", 24)
    found = offers((l4, Gpu("NVIDIA L4", "b", 24), Gpu("NVIDIA T4", "c", 16)))
    assert [(each.device_class, each.resources.gpus) for each in found] == [("gpu-l4", 2), ("gpu-t4", 1)]


def test_this_machine_answers_whatever_it_has() -> None:
    assert isinstance(discover(), tuple)


@pytest.mark.parametrize("seats", [(Seat(0, (-1,)),), (Seat(0, (2,)),)])
def test_a_gpu_that_is_not_there_is_refused(seats: tuple[Seat, ...]) -> None:
    """-1 used to be the last one: somebody else's."""
    with pytest.raises(Refused, match="no such GPU"):
        told(L4S, Demand(Resources(gpus=1)), *seats)


@pytest.mark.parametrize("count", [2**40, -1, 0])
def test_seats_that_are_not_one_for_each_copy_are_refused(count: int) -> None:
    work = replace(service(), demand=Demand(Resources(gpus=1)))
    slot = Slot("hall", "host", count)
    with pytest.raises(Refused, match="one for each copy"):
        visible(Assignment("w", work, "hall", 1, "host", 1, slots=(slot,), seats=(Seat(0, (0,)),)), L4S)
