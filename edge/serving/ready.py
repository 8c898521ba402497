"""The ready file: how whoever started a model server, or comes after it, finds the server again.

A JSON object, renamed into place whole when the server answers, rewritten when it serves other models, removed when
it ends on request; after a kill it stays. So an agent that starts anew believes it only if `boot_id` is this boot's
and the process `pid` still has `start_ticks` (field 22 of /proc/PID/stat): then it is that very process.

    {"pid": 4711, "start_ticks": 81234, "boot_id": "c0ffee...", "service": "line-camera", "device": "cpu",
     "http": "127.0.0.1:40123", "grpc": "127.0.0.1:40124", "unix": "/run/...sock",
     "models": [{"name": "digits", "version": "3", "digest": "ab12...", "generation": 7,
                 "service_time_p50_us": 9, "service_time_p99_us": 14}]}
"""

import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from edge.serving.model import LoadedModel

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def write(path: Path, service: str, addresses: dict[str, str], models: Iterable[LoadedModel]) -> None:
    """Put the file in place. `addresses` has `http`, `grpc` and `unix`, empty where there is no listener."""
    served = list(models)
    told = {
        "pid": os.getpid(),
        "start_ticks": start_ticks(os.getpid()),
        "boot_id": _BOOT_ID.read_text().strip(),
        "service": service,
        "device": served[0].device if served else "",
        **addresses,
        "models": [
            {
                "name": model.identity.name,
                "version": model.identity.version,
                "digest": model.identity.digest,
                "generation": model.identity.generation,
                "service_time_p50_us": model.service_time.p50_ns // 1000,
                "service_time_p99_us": model.service_time.p99_ns // 1000,
            }
            for model in served
        ],
    }
    unfinished = path.with_name(path.name + ".unfinished")
    with unfinished.open("w") as file:
        json.dump(told, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def remove(path: Path) -> None:
    """Take the file away; harmless when it is gone."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def start_ticks(pid: int) -> int:
    """When the process began, in clock ticks since boot: with the pid, a process' identity within one boot."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[19])  # the name before it may hold spaces and brackets
