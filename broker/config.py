"""The broker's configuration: what its command line says, checked before anything is opened.

Until identity comes (mutual TLS, enrolment, roles) whoever reaches the listener may do everything. So an address that
is neither loopback nor a Unix socket is refused, unless the operator says `--insecure-listen`; that is logged at each
start.
"""

import argparse
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from tidegate.model.errors import Refused
from tidegate.wire.channel import DEFAULT_BROKER

HEARTBEAT_MS = 2_000
SNAPSHOT_EVERY = 2_000


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a broker needs to know to start."""

    data_dir: Path
    listen: str = DEFAULT_BROKER
    insecure_listen: bool = False
    ready_file: Path | None = None
    otlp_forward: str = ""
    heartbeat_ms: int = HEARTBEAT_MS
    snapshot_every: int = SNAPSHOT_EVERY
    """Events between two snapshots; a start replays at most this many, and those of a second or so more."""
    telemetry_bytes_per_s: int = 0
    log_level: str = "INFO"


def parse(arguments: list[str]) -> Config:
    """The command line as a configuration. Exits with 2 and a usage line, as programs do, where it makes no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m broker",
        description="The Tidegate broker: decides where work runs and tells the agents. No data passes through it.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data-dir", type=Path, required=True, help="where the log, snapshots, artifacts and telemetry are kept")
    add("--listen", default=DEFAULT_BROKER, help="HOST:PORT (port 0: any free one) or unix:PATH")
    add("--insecure-listen", action="store_true", help="allow an address that others can reach; anyone may do anything")
    add("--ready-file", type=Path, help="write JSON here once calls are answered: pid, address, epoch, head")
    add(
        "--otlp-forward",
        default="",
        metavar="URL",
        help="also send received spans to this OTLP collector: grpc://HOST:PORT or http://HOST:PORT/v1/traces",
    )
    add(
        "--heartbeat-ms",
        type=int,
        default=HEARTBEAT_MS,
        help="agents beat this often; three missed make a site unknown",
    )
    add("--snapshot-every", type=int, default=SNAPSHOT_EVERY, help="events between two snapshots")
    add("--telemetry-bytes-per-s", type=int, default=0, help="what one agent may send, 0: as fast as it likes")
    add("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    found = parser.parse_args(arguments)
    config = Config(**vars(found))
    try:
        check(config)
    except Refused as error:
        parser.error(str(error))
    return config


def check(config: Config) -> None:
    """Refused, naming the option, where something cannot be."""
    if not 10 <= config.heartbeat_ms <= 600_000:
        raise Refused("is out of bounds", field="--heartbeat-ms", found=config.heartbeat_ms, wanted="10 to 600000")
    if config.snapshot_every < 1:
        raise Refused("is out of bounds", field="--snapshot-every", found=config.snapshot_every, wanted="1 or more")
    if not is_local(config.listen) and not config.insecure_listen:
        wanted = "a loopback address, unix:PATH, or --insecure-listen"
        raise Refused("others could reach it", field="--listen", found=config.listen, wanted=wanted)


def is_local(listen: str) -> bool:
    """Whether only this machine can reach the address."""
    if listen.startswith("unix:"):
        return True
    host, _, port = listen.rpartition(":")
    if not port.isdecimal():
        raise Refused("is not an address", field="--listen", found=listen, wanted="HOST:PORT or unix:PATH")
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
