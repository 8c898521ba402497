"""Which driver runs what: training jobs on Ray, services as processes of this machine."""

import hashlib
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from agents.clock import Clock
from agents.config import AgentConfig
from agents.drivers.base import Driver
from agents.drivers.process.driver import ProcessDriver, ServingHost
from agents.telemetry import SpanRecorder, Timed
from tidegate.model.errors import Refused
from tidegate.model.quantity import Resources
from tidegate.model.site import Engine
from tidegate.model.workload import WorkloadKind

CHECKOUT = Path(__file__).resolve().parents[1]
WORKER_MEMORY_BYTES = 2 * 2**30


def drivers(config: AgentConfig, spans: SpanRecorder, clock: Clock) -> dict[WorkloadKind, Driver]:
    """The driver of each kind of workload that this site can run."""
    found: dict[WorkloadKind, Driver] = {}
    if Engine.RAY in config.engines:
        found[WorkloadKind.TRAINING_JOB] = ray_driver(config, spans, clock)
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


def ray_driver(config: AgentConfig, spans: SpanRecorder, clock: Clock) -> Driver:
    """Ray is loaded only where it is asked for: most sites do not have it installed."""
    try:
        local = import_module("agents.drivers.ray.local")
        ray = import_module("agents.drivers.ray.driver")
    except ImportError as error:
        raise Refused(f"Ray is not installed: {error}", field="--engines", found="ray") from error
    room = Resources(cpus_milli=config.ray_worker_cpus * 1000, memory_bytes=WORKER_MEMORY_BYTES)
    shapes = [local.WorkerShape("worker", room, config.ray_max_workers)]
    provider = local.LocalProvider(config.data_dir.resolve() / "ray", shapes)

    def told(name: str, start_ns: int, end_ns: int, attributes: Mapping[str, str | int]) -> None:
        task = str(attributes.get("tidegate.task", ""))
        more = {key: str(value) for key, value in attributes.items()}
        spans.record(Timed(name, start_ns, end_ns, spans.context(task), task, attributes=more))

    driver: Driver = ray.RayDriver(provider, now_ns=clock.now_ns, idle_s=config.ray_idle_seconds, on_span=told)
    return driver
