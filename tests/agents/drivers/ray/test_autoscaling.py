"""What Ray's autoscaler is told."""

from ray.autoscaler._private.util import prepare_config, validate_config

from agents.drivers.ray.autoscaling import HEAD_SHAPE, PROVIDER_CLASS, Ground, configuration, ray_resources
from agents.drivers.ray.provider import WorkerShape
from agents.drivers.ray.raylets import RayletProvider
from tidegate.model.quantity import Resources

GROUND = Ground("/venv/bin/ray", "169.254.1.2:6379", "169.254.1.2", "/tmp/tg-x", 128 << 20)
PLAIN = WorkerShape("plain", Resources(cpus_milli=4000, memory_bytes=1 << 30), 3)
GPU = WorkerShape("gpu", Resources(gpus=2, cpus_milli=2500, memory_bytes=1 << 30), 1, {"gpu_h100": 2})


def test_gpus_are_there_only_where_the_site_declares_them():
    assert ray_resources(PLAIN) == {"CPU": 4, "memory": 1 << 30}
    assert ray_resources(GPU) == {"CPU": 2, "GPU": 2, "memory": 1 << 30, "gpu_h100": 2}


def test_ray_accepts_it():
    document = prepare_config(configuration("tidegate-x", [PLAIN, GPU], 15, GROUND))
    validate_config(document)
    assert document["max_workers"] == 4
    assert document["available_node_types"][HEAD_SHAPE]["resources"] == {"CPU": 0}
    assert document["available_node_types"]["plain"]["min_workers"] == 0


def test_the_named_class_is_ours():
    assert f"{RayletProvider.__module__}.{RayletProvider.__qualname__}" == PROVIDER_CLASS
