"""GPU discovery through NVIDIA's own binding, over a small libnvidia-ml of ours. It proves our calls only."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agents.gpu.nvml import Gpu, discover, offers

CHECKOUT = Path(__file__).resolve().parents[3]

STUB = r"""
#include <string.h>
#include <stdlib.h>
typedef void *device;
typedef struct { unsigned long long total, free, used; } memory;
static int kind(device d) { return (int)(long)d; }   /* 1, 2: whole GPUs; 3: one with MIG; 31: a slice of it */
int nvmlInitWithFlags(unsigned flags) { return getenv("STUB_NO_DRIVER") ? 9 : 0; }
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return "stub"; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 3; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, device *d) { *d = (device)(long)(index + 1); return 0; }
int nvmlDeviceGetName(device d, char *name, unsigned length) {
  strcpy(name, kind(d) == 31 ? "NVIDIA A100 MIG 1g.5gb" : kind(d) == 3 ? "NVIDIA A100" : "NVIDIA L4"); return 0; }
int nvmlDeviceGetUUID(device d, char *uuid, unsigned length) {
  strcpy(uuid, "GPU-0"); uuid[4] = '0' + kind(d) % 10; return 0; }
int nvmlDeviceGetMemoryInfo(device d, memory *m) {
  m->total = kind(d) == 31 ? 5368709120ULL : 25769803776ULL; m->free = m->total; m->used = 0; return 0; }
int nvmlDeviceGetMigMode(device d, unsigned *current, unsigned *pending) {
  if (kind(d) != 3) return 3; *current = *pending = 1; return 0; }
int nvmlDeviceGetMaxMigDeviceCount(device d, unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetMigDeviceHandleByIndex(device d, unsigned index, device *slice) {
  if (index) return 6; *slice = (device)31L; return 0; }
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


def test_whole_devices_and_the_slices_of_a_divided_one(library: Path) -> None:
    assert eval(discovered(library), {"Gpu": Gpu}) == (
        Gpu("NVIDIA L4", "GPU-1", 25769803776),
        Gpu("NVIDIA L4", "GPU-2", 25769803776),
        Gpu("NVIDIA A100 MIG 1g.5gb", "GPU-1", 5368709120, mig=True),
    )


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
