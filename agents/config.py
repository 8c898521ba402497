"""What an agent is told on its command line, checked whole before anything starts."""

import argparse
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tidegate.model.errors import Refused
from tidegate.model.site import Engine
from tidegate.wire.channel import DEFAULT_BROKER

DEFAULT_SPOOL_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """One agent. `advertise` is where others measure the round trip to this site: an address in front of it."""

    site: str
    broker: str
    data_dir: Path
    engines: tuple[Engine, ...]
    ready_file: Path | None = None
    advertise: str = ""
    location: str = ""
    """The origin that stands here; empty means the site's name."""
    listen_host: str = "127.0.0.1"
    """Where the model servers and the responder to probes listen."""
    serving_host: str = ""
    """The host that clients reach this site's endpoints by, where it is not `listen_host`."""
    serving_module: str = "edge.serving"
    spool_bytes: int = DEFAULT_SPOOL_BYTES
    stop_services_on_exit: bool = False
    insecure_listen: bool = False
    ray_max_workers: int = 2
    ray_worker_cpus: int = 1
    ray_idle_seconds: float = 15.0


def parse(arguments: Sequence[str], program: str, engines: str) -> AgentConfig:
    """The configuration. Refused names the flag; argparse ends the process with status 2 for what it does not know."""
    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("--site", required=True)
    parser.add_argument("--broker", default=DEFAULT_BROKER, help="host:port that is dialled")
    parser.add_argument("--data-dir", required=True, type=Path)
    parser.add_argument("--engines", default=engines, help="comma-separated: ray, process")
    parser.add_argument("--ready-file", type=Path)
    parser.add_argument("--advertise", default="", help="host:port that others measure the round trip to")
    parser.add_argument("--location", default="", help="the origin of requests that stands here")
    parser.add_argument("--listen-host", default="127.0.0.1")
    parser.add_argument("--serving-host", default="")
    parser.add_argument("--serving-module", default="edge.serving")
    parser.add_argument("--spool-bytes", type=int, default=DEFAULT_SPOOL_BYTES)
    parser.add_argument("--stop-services-on-exit", action="store_true", help="or else they go on serving")
    parser.add_argument("--insecure-listen", action="store_true", help="listen beyond this machine without identity")
    parser.add_argument("--ray-max-workers", type=int, default=2)
    parser.add_argument("--ray-worker-cpus", type=int, default=1)
    parser.add_argument("--ray-idle-seconds", type=float, default=15.0)
    given = vars(parser.parse_args(arguments))
    given["engines"] = tuple(_engine(name) for name in given["engines"].split(",") if name)
    config = AgentConfig(**given)
    if not (config.insecure_listen or _loopback(config.listen_host)):
        raise Refused(
            "anyone could call it",
            field="--listen-host",
            found=config.listen_host,
            wanted="a loopback address, or --insecure-listen",
        )
    return config


def _engine(name: str) -> Engine:
    if name not in (Engine.RAY, Engine.PROCESS):
        raise Refused("no such engine here", field="--engines", found=name, wanted="ray or process")
    return Engine(name)


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
