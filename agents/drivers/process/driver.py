"""The driver: one service is one model server process at a time, two while a new model takes over.

Blue and green: each configuration has a slot named by its digest. `start` brings up the slot of the newest one;
`observe` lets the one before go on until the new one answers, and then asks it to end. Requests under way are
finished by the server itself. A server that died is `ABSENT`, and the agent's core starts it again, with backoff.

`current.json` in the task's folder is `{"slot": NAME, "stopped": whether it was asked to stop}`.

`close` leaves every server running: that the agent goes away is no reason for predictions to stop.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import re
import shutil
import stat
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from agents.drivers.base import (
    InferenceSpec,
    LogChunk,
    Observation,
    Task,
    TaskEndpoint,
    TaskPhase,
)
from agents.drivers.process.server import ServerSlot, read_json, stop
from tidegate.files import FileSystem, RealFiles, put
from tidegate.model.errors import Refused, Unavailable

log = logging.getLogger(__name__)

READY_PATH = "/v2/health/ready"
READY_SECONDS = 2.0
GRACE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ServingHost:
    """What every server of this site shares."""

    site: str
    spool: Path
    sockets: Path
    """A folder with a short name: a Unix socket's path has at most 107 bytes."""
    listen_host: str = "127.0.0.1"
    module: str = "edge.serving"
    python: str = sys.executable
    working_dir: Path = Path()
    """Where the module is found: the root of the checkout or the image."""
    insecure_listen: bool = False


class ProcessDriver:
    """Implements `agents.drivers.base.Driver` for inference services."""

    def __init__(self, host: ServingHost, files: FileSystem | None = None) -> None:
        """`files` is where each task's folder lies: what must survive a power cut is written there."""
        self._host = host
        self._files = files or RealFiles()
        self._slots: dict[Path, ServerSlot] = {}
        self._http = httpx.AsyncClient(timeout=READY_SECONDS, trust_env=False)

    async def prepare(self, task: Task) -> None:
        """Write the configuration of the slot. Refused where the model is not one that the server can load."""
        spec = _spec(task)
        if spec.model_format != "onnx":
            raise Refused("cannot be served here", field="model.format", found=spec.model_format, wanted="onnx")
        name = _slot_name(task, spec)
        slot = self._slot(task.data_dir / "slots" / name)
        try:
            slot.configure(self._config(task, spec, name))
        except OSError as error:
            raise Unavailable(f"the model server's configuration was not written: {error}") from error

    async def start(self, task: Task) -> None:
        await self.prepare(task)
        name = _slot_name(task, _spec(task))
        try:
            self._point(task, name)
        except OSError as error:
            raise Unavailable(f"the model server did not start: {error}") from error
        slot = self._slot(task.data_dir / "slots" / name)
        await asyncio.to_thread(slot.start, self._host.working_dir, _spec(task).env)

    async def observe(self, task: Task) -> Observation:
        for slot in self._all(task):
            if slot.output.too_long:
                await asyncio.to_thread(slot.output.set_aside)
        current = self._current(task)
        if current is None:
            return Observation(TaskPhase.ABSENT, "no model server was started")
        if await self._answers(current):
            for old in self._all(task):
                if old.directory != current.directory and old.process() is not None:
                    old.signal_stop()
            return self._observation(TaskPhase.READY, current, "")
        # Clients keep an address: the one that still answers, or the one where this server will answer again.
        serving = await self._answering(task)
        meanwhile = "; the model before serves meanwhile" if serving is not None else ""
        if current.process() is not None:
            detail = f"the model server does not answer yet{meanwhile}"
            return self._observation(TaskPhase.STARTING, serving or current, detail)
        if serving is None and self._pointer(task).get("stopped"):
            return self._observation(TaskPhase.STOPPED, current, "stopped on request")
        gone = self._observation(TaskPhase.ABSENT, serving or current, f"no model server runs{meanwhile}")
        return replace(gone, error_tail=current.output.tail())

    async def stop(self, task: Task, grace_s: float) -> None:
        if name := self._pointer(task).get("slot"):
            with contextlib.suppress(OSError):  # a full disk keeps nothing running: it is `ABSENT` then
                self._point(task, str(name), stopped=True)
        running = [slot for slot in self._all(task) if slot.process() is not None]
        await asyncio.gather(*(asyncio.to_thread(stop, slot, grace_s, log.warning) for slot in running))

    async def remove(self, task: Task) -> None:
        await self.stop(task, 0.0)
        for slot in self._all(task):
            self._slots.pop(slot.directory, None)
            if told := slot.config().get("unix"):
                Path(told).unlink(missing_ok=True)  # a killed server leaves its socket behind
        await asyncio.to_thread(shutil.rmtree, task.data_dir, True)

    async def logs(self, task: Task, offset: int) -> LogChunk:
        """The current server's log, its earlier starts included; another model's server has a log of its own."""
        current = self._current(task)
        if current is None:
            return LogChunk("", offset, False)
        return await asyncio.to_thread(current.output.read, offset)

    async def outputs(self, task: Task) -> list[Path]:
        return []

    async def close(self) -> None:
        await self._http.aclose()
        with contextlib.suppress(OSError):  # there is none, or servers go on listening in it
            self._host.sockets.rmdir()

    def _config(self, task: Task, spec: InferenceSpec, slot: str) -> dict[str, Any]:
        host = self._host.listen_host
        key = hashlib.sha256(f"{task.id}/{slot}".encode()).hexdigest()[:12]
        _own_folder(self._host.sockets)
        return {
            "service": task.name,
            "site": self._host.site,
            "http": f"{host}:0",
            "grpc": f"{host}:0",
            "unix": str(self._host.sockets / f"{key}.sock"),
            "spool": str(self._host.spool),
            "stream": f"serving-{re.sub(r'[^a-z0-9._-]', '-', task.name.lower())[:80]}-{key}",
            "audit": spec.options.get("audit", "sampled"),
            "insecure_listen": self._host.insecure_listen,
            "models": [
                {
                    "name": spec.model_name,
                    "version": spec.model_version,
                    "path": str(spec.model_path),
                    "digest": spec.model_digest,
                    "generation": task.generation,
                    "traceparent": task.traceparent,
                }
            ],
        }

    def _observation(self, phase: TaskPhase, slot: ServerSlot, detail: str) -> Observation:
        ready, config = slot.ready(), slot.config()
        endpoints = tuple(
            TaskEndpoint(protocol, str(ready.get(protocol) or config[protocol]))
            for protocol in ("http", "grpc", "unix")
            if config.get(protocol)
        )
        measured = {
            key: int(value)
            for model in ready.get("models", ())[:1]
            for key, value in model.items()
            if key.endswith("_us")
        }
        return Observation(phase, detail, attempt=1, endpoints=endpoints, measurements=measured)

    async def _answering(self, task: Task) -> ServerSlot | None:
        for slot in self._all(task):
            if slot.process() is not None and await self._answers(slot):
                return slot
        return None

    async def _answers(self, slot: ServerSlot) -> bool:
        if not slot.ready():
            return False
        try:
            answer = await self._http.get(f"http://{slot.config()['http']}{READY_PATH}")
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK

    def _current(self, task: Task) -> ServerSlot | None:
        name = self._pointer(task).get("slot")
        return self._slot(task.data_dir / "slots" / str(name)) if name else None

    def _pointer(self, task: Task) -> dict[str, Any]:
        return read_json(self._files, task.data_dir / "current.json")

    def _point(self, task: Task, slot: str, *, stopped: bool = False) -> None:
        """Which slot serves. OSError where it was not written: the one before still does."""
        told = json.dumps({"slot": slot, "stopped": stopped}).encode()
        put(self._files, str(task.data_dir / "current.json"), [told])

    def _all(self, task: Task) -> list[ServerSlot]:
        folder = task.data_dir / "slots"
        return [self._slot(folder / name) for name in sorted(self._files.names(str(folder)))]

    def _slot(self, directory: Path) -> ServerSlot:
        if directory not in self._slots:
            self._slots[directory] = ServerSlot(directory, self._host.python, self._host.module, self._files)
        return self._slots[directory]


def _spec(task: Task) -> InferenceSpec:
    if not isinstance(task.spec, InferenceSpec):
        raise Refused("only services run as processes", field="task.kind", found=task.kind.value, wanted="inference")
    return task.spec


def _own_folder(path: Path) -> None:
    """Made, and ours alone: its name can be guessed, and whoever owns it could stand in for the servers."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise Refused("belongs to somebody else", field="sockets", found=str(path), wanted=f"user {os.geteuid()}'s")


def _slot_name(task: Task, spec: InferenceSpec) -> str:
    """What makes a server another one: its model, how it audits and its GPUs, not the generation that asks for it."""
    told: tuple[object, ...] = (spec.model_name, spec.model_version, spec.model_digest, sorted(spec.options.items()))
    told = (*told, sorted(spec.env.items())) if spec.env else told
    return hashlib.sha256(repr(told).encode()).hexdigest()[:12]
