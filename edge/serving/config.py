"""What one model server is told: a JSON object, checked whole before anything starts.

    {"service": "line-camera", "site": "press-7", "http": "127.0.0.1:0", "unix": "/run/tidegate/line-camera.sock",
     "spool": "/var/lib/tidegate/spool", "stream": "line-camera", "audit": "every_prediction",
     "models": [{"name": "digits", "version": "3", "path": "/var/lib/tidegate/models/ab12", "digest": "ab12...",
                 "generation": 7, "traceparent": "00-...-...-01"}]}

Every key but `service`, `models` and at least one of `http`, `grpc`, `unix` has a default; an unknown key is refused
with the nearest known one. `spool` empty keeps no telemetry and allows only `audit: off`.
"""

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from tidegate.model.errors import Refused
from tidegate.model.workload import Audit

LONGEST_UNIX_PATH = 107
"""Bytes; the operating system's own bound."""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model file and whose wish it is that it be served."""

    name: str
    path: str
    digest: str
    """SHA-256 of the file, 64 hex digits; a `sha256:` before them is taken off."""
    version: str = "1"
    format: str = "onnx"
    generation: int = 0
    """Of the assignment that asks for it."""
    traceparent: str = ""
    """The assignment's trace context; the load joins it, predictions link to it."""


@dataclass(frozen=True, slots=True)
class ServingConfig:
    """One model server. Addresses are `host:port`, port 0 for any free one; empty means: do not listen."""

    service: str
    models: tuple[ModelSource, ...]
    site: str = ""
    http: str = ""
    grpc: str = ""
    unix: str = ""
    spool: str = ""
    stream: str = "serving"
    spool_max_bytes: int = 256 * 2**20
    audit: Audit = Audit.OFF
    sample_every: int = 100
    """With `audit: sampled`, one prediction in so many is recorded, chosen by its trace id."""
    providers: tuple[str, ...] = ()
    """ONNX Runtime's execution providers, all of which must load. Empty: CUDA where it loads, else the CPU."""
    intra_op_threads: int = 1
    parallel_runs: int = 2
    """Models slower than 1 ms run on so many threads; faster ones run where the request is read."""
    warmup_runs: int = 50
    max_request_bytes: int = 64 * 2**20
    max_concurrent: int = 64
    """Predictions in the server at a time, waiting ones included; the next is told to come back."""
    drain_seconds: int = 30
    """How long a stopping server waits for the answers under way."""
    ready_file: str = ""
    insecure_listen: bool = False


_BOUNDS = {
    "spool_max_bytes": (2**20, 2**40),
    "sample_every": (1, 10**9),
    "intra_op_threads": (0, 1024),
    "parallel_runs": (1, 256),
    "warmup_runs": (0, 10_000),
    "max_request_bytes": (1024, 2**30),
    "max_concurrent": (1, 100_000),
    "drain_seconds": (0, 3600),
    "generation": (0, 2**62),
}

Built = TypeVar("Built", ModelSource, ServingConfig)


def read(path: Path) -> dict[str, Any]:
    """The configuration file as plain data. Refused when it is no JSON object."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise Refused("cannot be read", field=str(path), found=str(error), wanted="a JSON file") from error
    if not isinstance(found, dict):
        raise Refused("not an object", field=str(path), found=type(found).__name__, wanted="a JSON object")
    return found


def config_of(given: Mapping[str, Any]) -> ServingConfig:
    """The configuration that plain data stands for. Refused names the key."""
    models = given.get("models")
    if not isinstance(models, list) or not models:
        raise Refused("missing", field="models", wanted="a list of at least one model")
    sources = tuple(source_of(entry, f"models[{index}]") for index, entry in enumerate(models))
    if len({source.name for source in sources}) != len(sources):
        raise Refused("named twice", field="models", found=[source.name for source in sources], wanted="each name once")
    values = {**given, "models": sources}
    if "audit" in values and values["audit"] not in list(Audit):
        raise Refused("unknown", field="audit", found=values["audit"], wanted="one of " + ", ".join(Audit))
    if "audit" in values:
        values["audit"] = Audit(values["audit"])
    providers = values.get("providers", ())
    if not isinstance(providers, list | tuple) or not all(isinstance(name, str) for name in providers):
        raise Refused("not a list of names", field="providers", found=providers, wanted="names, or [] for any")
    values["providers"] = tuple(providers)
    config = _build(ServingConfig, values, "")
    if not (config.http or config.grpc or config.unix):
        raise Refused("nowhere to listen", field="http", wanted="one of http, grpc, unix")
    for name, address in (("http", config.http), ("grpc", config.grpc)):
        if address:
            _check_listener(address, name, insecure=config.insecure_listen)
    if len(config.unix.encode()) > LONGEST_UNIX_PATH:
        raise Refused("too long", field="unix", found=config.unix, wanted=f"at most {LONGEST_UNIX_PATH} bytes")
    if config.audit is not Audit.OFF and not config.spool:
        raise Refused("missing", field="spool", wanted=f"a directory, since audit is {config.audit.value}")
    return config


def source_of(entry: object, field: str) -> ModelSource:
    """One model's entry. Refused names the key."""
    if not isinstance(entry, dict):
        raise Refused("not a model", field=field, found=entry, wanted="an object with name, path and digest")
    digest = entry.get("digest")
    if isinstance(digest, str):
        digest = digest.removeprefix("sha256:").lower()
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise Refused("not a SHA-256", field=f"{field}.digest", found=digest, wanted="64 hex digits")
        entry = {**entry, "digest": digest}
    source = _build(ModelSource, entry, field)
    if source.format != "onnx":
        raise Refused("unknown", field=f"{field}.format", found=source.format, wanted="onnx")
    return source


def host_and_port(address: str) -> tuple[str, int]:
    """`host:port` in its parts; an IPv6 host may stand in brackets. ValueError when it is not of that form."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65_535:
        raise ValueError(address)
    return host.strip("[]"), int(port)


def _check_listener(address: str, field: str, *, insecure: bool) -> None:
    try:
        host, _ = host_and_port(address)
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError as error:
        raise Refused("not an address", field=field, found=address, wanted="IP:port, such as 127.0.0.1:0") from error
    if not loopback and not insecure:
        raise Refused(
            "anyone could call it", field=field, found=address, wanted="a loopback address, or --insecure-listen"
        )


def _build(kind: type[Built], given: Mapping[str, Any], field: str) -> Built:
    """The dataclass from the mapping, key by key: known, of the default's type, within bounds."""
    known = {item.name: item for item in fields(kind)}
    prefix = f"{field}." if field else ""
    for key, value in given.items():
        if key not in known:
            near = get_close_matches(key, known, 1)
            hint = f"{near[0]} (did you mean that?)" if near else "one of " + ", ".join(known)
            raise Refused("unknown key", field=f"{prefix}{key}", wanted=hint)
        wanted = {"str": str, "int": int, "bool": bool}.get(str(getattr(known[key].type, "__name__", known[key].type)))
        if wanted is not None and type(value) is not wanted:
            raise Refused("of another type", field=f"{prefix}{key}", found=value, wanted=wanted.__name__)
        if key in _BOUNDS and not _BOUNDS[key][0] <= value <= _BOUNDS[key][1]:
            low, high = _BOUNDS[key]
            raise Refused("out of bounds", field=f"{prefix}{key}", found=value, wanted=f"{low} to {high}")
    for key in ("service", "name", "path", "digest"):
        if key in known and not given.get(key):
            raise Refused("missing", field=f"{prefix}{key}", wanted="a value")
    return kind(**given)
