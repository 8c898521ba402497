"""A gang is whole or refused, with numbers."""

from dataclasses import replace
from pathlib import Path

import pytest

from agents.drivers.base import TrainingSpec
from agents.drivers.ray import gang
from agents.drivers.ray.provider import WorkerShape
from tidegate.model.errors import Refused
from tidegate.model.quantity import Resources

GIB = 1024**3
SMALL = WorkerShape("small", Resources(cpus_milli=2500, memory_bytes=4 * GIB), max_workers=3)
GPU = WorkerShape("gpu", Resources(gpus=4, gpu_memory_bytes=80 * GIB, cpus_milli=8000, memory_bytes=64 * GIB), 1)


def spec(workers: int, **worker: int) -> TrainingSpec:
    return TrainingSpec("python train.py", Path("code"), Resources(**worker), workers)


def test_a_bundle_names_only_what_is_asked_for():
    assert gang.bundle(spec(1, cpus_milli=500, memory_bytes=GIB)) == {"CPU": 0.5, "memory": GIB}
    assert gang.bundle(spec(1, gpus=2)) == {"GPU": 2.0}


def test_a_worker_that_asks_for_nothing_gets_a_cpu():
    assert gang.bundle(spec(1)) == {"CPU": 1.0}


def test_fractions_of_a_logical_cpu_are_not_offered():
    assert gang.holds(SMALL, spec(1, cpus_milli=1000)) == 2
    assert gang.holds(SMALL, spec(1, cpus_milli=2500)) == 0


def test_gpu_memory_does_not_pool_across_devices():
    assert gang.holds(GPU, spec(1, gpus=1, gpu_memory_bytes=80 * GIB)) == 4
    assert gang.holds(GPU, spec(1, gpus=1, gpu_memory_bytes=81 * GIB)) == 0


def test_a_gang_may_fill_the_site_but_not_more():
    gang.check(spec(6, cpus_milli=1000), [SMALL])
    with pytest.raises(Refused) as refused:
        gang.check(spec(7, cpus_milli=1000), [SMALL])
    assert (refused.value.field, refused.value.found, refused.value.wanted) == ("workers", 7, "<= 6")


def test_a_worker_that_no_shape_holds_is_refused_by_shape_names():
    with pytest.raises(Refused) as refused:
        gang.check(spec(1, gpus=5), [SMALL, GPU])
    assert refused.value.wanted == "small, gpu"


def test_a_gang_of_nobody_is_refused():
    with pytest.raises(Refused):
        gang.check(spec(0, cpus_milli=1000), [SMALL])


def test_a_share_of_a_gpu_is_a_part_of_one_device_and_never_of_two():
    half = replace(spec(1), gpu_share_milli=400)
    assert gang.bundle(half) == {"GPU": 0.4}
    assert gang.holds(GPU, half) == 8


def test_workers_that_stand_apart_have_a_machine_each():
    apart = replace(spec(3, cpus_milli=1000), apart=True)
    assert (gang.strategy(apart), gang.strategy(spec(3))) == ("STRICT_SPREAD", "PACK")
    assert gang.holds(SMALL, apart) == 1
    gang.check(apart, [SMALL])
    with pytest.raises(Refused):
        gang.check(replace(apart, workers=4), [SMALL])
