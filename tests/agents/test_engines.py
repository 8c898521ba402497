"""What a Ray cluster on this host may be made of: the GPUs that were discovered, and workers without any."""

from dataclasses import replace
from pathlib import Path

import pytest

from agents.config import AgentConfig
from agents.engines import ray_driver, worker_kinds
from agents.gpu.nvml import Gpu, Instance
from tidegate.model.site import Engine

GIB = 2**30
CONFIG = AgentConfig("cloud", "127.0.0.1:1", Path("/nowhere"), (Engine.RAY,), ray_max_workers=4)
L4S = tuple(Gpu("NVIDIA L4", f"GPU-{letter}", 24 * GIB) for letter in "abc")
BIG = Gpu("NVIDIA H100", "GPU-h", 80 * GIB)
DIVIDED = Gpu("NVIDIA A100", "GPU-d", 40 * GIB, mig=True, instances=(Instance("1g.5gb", 0, "MIG-x"),))


def test_without_gpus_there_is_one_kind() -> None:
    assert [(kind.name, kind.resources.gpus, kind.most) for kind in worker_kinds(CONFIG, ())] == [("worker", 0, 4)]


def test_gpus_come_as_workers_with_one_two_or_four_of_a_kind() -> None:
    kinds = worker_kinds(CONFIG, (*L4S, BIG, DIVIDED))
    assert [(kind.name, kind.resources.gpus, kind.resources.gpu_memory_bytes // GIB, kind.most) for kind in kinds] == [
        ("worker", 0, 0, 4),
        ("gpu-x1", 1, 80, 1),
        ("gpu-1-x1", 1, 24, 3),
        ("gpu-1-x2", 2, 24, 1),
    ]


async def test_the_provider_gives_out_those_that_are_whole(tmp_path: Path) -> None:
    pytest.importorskip("ray")

    class Clock:
        def now_ns(self) -> int:
            return 0

    config = replace(CONFIG, data_dir=tmp_path)
    driver = ray_driver(config, None, Clock(), (*L4S, DIVIDED))  # type: ignore[arg-type]
    provider = driver._provider  # type: ignore[attr-defined]
    assert provider._gpus == ("GPU-a", "GPU-b", "GPU-c")
    assert [shape.name for shape in provider.shapes] == ["worker", "gpu-x1", "gpu-x2"]
    await driver.close()
