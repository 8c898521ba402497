"""The configuration that Ray's autoscaler (version 2, Ray 2.60) wants for raylets of ours. No I/O.

Ray fills in defaults for its own providers only; for `type: external` each key must be there, or the monitor dies in
silence. The three `disable` and `use` keys keep it from logging in to workers over SSH.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.drivers.ray.provider import WorkerShape

PROVIDER_CLASS = "agents.drivers.ray.raylets.RayletProvider"
HEAD_SHAPE = "head"
UPSCALING_SPEED = 1000.0
"""High enough that a gang's workers are all asked for at once."""

EMPTY_MAPS = ("auth", "docker", "file_mounts")
EMPTY_LISTS = (
    "cluster_synced_files",
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
    "rsync_exclude",
    "rsync_filter",
)


@dataclass(frozen=True, slots=True)
class Ground:
    """What the raylets stand on."""

    ray: str
    """Absolute path of the `ray` command."""
    gcs_address: str
    node_ip: str
    temp_dir: str
    object_store_bytes: int
    gpus: tuple[str, ...] = ()
    """UUIDs of the GPUs or MIG instances of this machine that raylets share out; empty: each sees what there is."""


def ray_resources(shape: WorkerShape) -> dict[str, int]:
    """A shape in Ray's names. Whole CPUs only; GPUs only where the site declares them."""
    amounts = {
        "CPU": shape.resources.cpus_milli // 1000,
        "GPU": shape.resources.gpus,
        "memory": shape.resources.memory_bytes,
    }
    return {name: amount for name, amount in {**amounts, **shape.custom}.items() if amount}


def configuration(
    cluster_name: str, shapes: Sequence[WorkerShape], worker_idle_s: float, ground: Ground
) -> dict[str, Any]:
    """The whole document; a worker leaves after `worker_idle_s` without work."""
    workers = {
        shape.name: {
            "resources": ray_resources(shape),
            "node_config": {},
            "min_workers": 0,
            "max_workers": shape.max_workers,
        }
        for shape in shapes
    }
    head: dict[str, Any] = {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0}
    nothing: dict[str, Any] = {**{key: {} for key in EMPTY_MAPS}, **{key: [] for key in EMPTY_LISTS}}
    return {
        **nothing,
        "cluster_name": cluster_name,
        "max_workers": sum(shape.max_workers for shape in shapes),
        "upscaling_speed": UPSCALING_SPEED,
        "idle_timeout_minutes": worker_idle_s / 60,
        "file_mounts_sync_continuously": False,
        "head_node_type": HEAD_SHAPE,
        "available_node_types": {HEAD_SHAPE: head, **workers},
        "provider": {
            "type": "external",
            "module": PROVIDER_CLASS,
            "use_node_id_as_ip": True,
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
            "ray": ground.ray,
            "gcs_address": ground.gcs_address,
            "node_ip": ground.node_ip,
            "temp_dir": ground.temp_dir,
            "object_store_bytes": ground.object_store_bytes,
            "gpus": list(ground.gpus),
        },
    }
