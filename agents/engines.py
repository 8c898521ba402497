"""Which driver runs what: training jobs on Ray, services as processes of this machine."""

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from agents.clock import Clock
from agents.config import AgentConfig
from agents.drivers.base import Driver
from agents.drivers.process.driver import ProcessDriver, ServingHost
from agents.gpu.nvml import Gpu, devices
from agents.telemetry import SpanRecorder, Timed
from tidegate.model.errors import Refused
from tidegate.model.quantity import Resources
from tidegate.model.site import Engine
from tidegate.model.workload import WorkloadKind

CHECKOUT = Path(__file__).resolve().parents[1]
WORKER_MEMORY_BYTES = 2 * 2**30


def drivers(
    config: AgentConfig, spans: SpanRecorder, clock: Clock, gpus: tuple[Gpu, ...] = ()
) -> dict[WorkloadKind, Driver]:
    """The driver of each kind of workload that this site can run; `gpus` are this host's."""
    found: dict[WorkloadKind, Driver] = {}
    if Engine.RAY in config.engines:
        found[WorkloadKind.TRAINING_JOB] = ray_driver(config, spans, clock, gpus)
    if Engine.PROCESS in config.engines:
        found[WorkloadKind.INFERENCE_SERVICE] = process_driver(config)
    return found


def process_driver(config: AgentConfig) -> ProcessDriver:
    """Model servers under `<data-dir>/tasks`; their sockets in a folder whose name is short enough for one."""
    key = hashlib.sha256(str(config.data_dir.resolve()).encode()).hexdigest()[:12]
    return ProcessDriver(
        ServingHost(
            site=config.site,
            spool=config.data_dir.resolve() / "spool",
            sockets=Path(tempfile.gettempdir()) / f"tidegate-{key}",
            listen_host=config.listen_host,
            module=config.serving_module,
            working_dir=CHECKOUT,
            insecure_listen=config.insecure_listen,
        )
    )


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of worker: its name, what one has, and how many there may be."""

    name: str
    resources: Resources
    most: int


def worker_kinds(config: AgentConfig, gpus: tuple[Gpu, ...]) -> tuple[Kind, ...]:
    """Of a cluster on this host: one without GPUs, for what needs none; then those with 1, 2, 4, ... alike.

    A GPU that is divided is left out: Ray would take one of its instances for the whole.
    """
    cpus, memory = config.ray_worker_cpus * 1000, WORKER_MEMORY_BYTES
    kinds = [Kind("worker", Resources(cpus_milli=cpus, memory_bytes=memory), config.ray_max_workers)]
    for name, alike in devices(whole(gpus), "gpu").items():
        size = 1
        while size <= len(alike):
            has = Resources(size, alike[0].memory_bytes, cpus, memory)
            kinds.append(Kind(f"{name}-x{size}", has, len(alike) // size))
            size *= 2
    return tuple(kinds)


def whole(gpus: tuple[Gpu, ...]) -> tuple[Gpu, ...]:
    """Those that are not divided."""
    return tuple(gpu for gpu in gpus if not gpu.mig)


def ray_driver(config: AgentConfig, spans: SpanRecorder, clock: Clock, gpus: tuple[Gpu, ...] = ()) -> Driver:
    """Ray is loaded only where it is asked for: most sites do not have it installed."""
    try:
        local = import_module("agents.drivers.ray.local")
        ray = import_module("agents.drivers.ray.driver")
    except ImportError as error:
        raise Refused(f"Ray is not installed: {error}", field="--engines", found="ray") from error
    shapes = [local.WorkerShape(kind.name, kind.resources, kind.most) for kind in worker_kinds(config, gpus)]
    uuids = tuple(gpu.uuid for gpu in whole(gpus))
    provider = local.LocalProvider(config.data_dir.resolve() / "ray", shapes, gpus=uuids)

    def told(name: str, start_ns: int, end_ns: int, attributes: Mapping[str, str | int]) -> None:
        task = str(attributes.get("tidegate.task", ""))
        more = {key: str(value) for key, value in attributes.items()}
        spans.record(Timed(name, start_ns, end_ns, spans.context(task), task, attributes=more))

    driver: Driver = ray.RayDriver(provider, now_ns=clock.now_ns, idle_s=config.ray_idle_seconds, on_span=told)
    return driver
