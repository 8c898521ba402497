"""One model server process: started in a session of its own, found again after the agent died, stopped by its id.

A slot's folder holds `config.json` (what the server was told), `ready.json` (written by the server once it answers),
`process.json` (pid, start ticks and boot id: a pid alone may have been given to somebody else), and its log
(see `output`). A ready file is believed where all three are those of the process that runs. An agent may die, or its
disk be full, between a start and that record; so whoever opens a slot looks once for a server that nobody recorded.

Ports are picked once and written into `config.json`, so after a power cut clients find the service where it was. Only
where somebody else has such a port when the server is to start, another one is picked.

The server outlives the agent. Its output goes to a file of its own, so nothing breaks when the agent is gone.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from agents.drivers.process.output import Output
from tidegate.files import FileSystem, RealFiles, put
from tidegate.model.errors import Unavailable

IDENTITY = ("pid", "start_ticks", "boot_id")
"""What tells one process from all others, also from those of another boot."""


class ServerSlot:
    """The slot in `directory`. `module` is run as `python -m MODULE --config FILE --ready-file F`."""

    def __init__(self, directory: Path, python: str, module: str, files: FileSystem | None = None) -> None:
        self.directory = directory
        self._files = files or RealFiles()
        self.output = Output(directory)
        self._files_told = ["--config", str(directory / "config.json"), "--ready-file", str(directory / "ready.json")]
        self._command = [python, "-m", module, *self._files_told]
        self._child: subprocess.Popen[bytes] | None = None
        self._recorded = False
        """Whether `process.json` names every server of this slot that may run."""

    def configure(self, config: dict[str, Any]) -> None:
        """Write what the server is told, unless it was written before. Addresses with port 0 get a free port."""
        if self._files.exists(str(self.directory / "config.json")):
            return
        self._files.make_directory(str(self.directory))
        try:
            self._settle(config)
        except OSError:  # it may be seen and not last: without it the next try writes it again
            self._files.remove(str(self.directory / "config.json"))
            raise

    def _settle(self, config: dict[str, Any]) -> None:
        settled = dict(config)
        for key in ("http", "grpc"):
            host, _, port = str(settled.get(key, "")).rpartition(":")
            if port and not _can_listen(host, int(port)):
                settled[key] = f"{host}:{_free_port(host)}"
        if settled != self.config():
            put(self._files, str(self.directory / "config.json"), [json.dumps(settled, indent=1).encode()])

    def start(self, working_dir: Path, env: Mapping[str, str] | None = None) -> None:
        """Start the server unless it runs, with `env` beside ours. Unavailable when the process cannot be made."""
        if self.process() is not None:
            return
        try:
            self._files.remove(str(self.directory / "ready.json"))
            self._settle(self.config())
            with self.output.path.open("ab") as output:
                self._recorded = False
                self._child = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd=working_dir,
                    env={**os.environ, **env} if env else None,
                    start_new_session=True,
                )
            self._record(self._child.pid)
        except OSError as error:
            raise Unavailable(f"the model server did not start: {error}") from error

    def _record(self, pid: int) -> None:
        told = {"pid": pid, "start_ticks": _start_ticks(pid), "boot_id": _boot_id()}
        put(self._files, str(self.directory / "process.json"), [json.dumps(told).encode()])
        self._recorded = True

    def process(self) -> psutil.Process | None:
        """The running server, also one that an earlier agent started; None where there is none."""
        if self._child is not None:
            self._child.poll()  # reaps it
        running = self._on_record()
        if running is None and not self._recorded:
            running = _started_with(self._files_told)
            with contextlib.suppress(OSError):  # a full disk: it is looked for again
                if running is not None:
                    self._record(running.pid)
                self._recorded = True
        return running

    def _on_record(self) -> psutil.Process | None:
        found = read_json(self._files, self.directory / "process.json")
        if not found or found["boot_id"] != _boot_id():
            return None
        try:
            if _start_ticks(found["pid"]) != found["start_ticks"]:
                return None
            process = psutil.Process(found["pid"])
            alive = process.is_running() and not _is_gone(process)
        except (FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
            return None
        return process if alive else None

    def ready(self) -> dict[str, Any]:
        """What the server wrote when it began to answer; empty before."""
        if self.process() is None:
            return {}
        found = read_json(self._files, self.directory / "ready.json")
        recorded = read_json(self._files, self.directory / "process.json")
        return found if all(found.get(key) == recorded.get(key) for key in IDENTITY) else {}

    def config(self) -> dict[str, Any]:
        return read_json(self._files, self.directory / "config.json")

    def signal_stop(self) -> None:
        """Ask the server to finish what it is answering and end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def wait_gone(self, seconds: float) -> bool:
        """Whether the server is gone within that time. Blocks; callers run it in a thread."""
        process = self.process()
        if process is None:
            return True
        gone, _ = psutil.wait_procs([process], timeout=seconds)
        return bool(gone) or self.process() is None

    def _send(self, number: signal.Signals) -> None:
        process = self.process()
        if process is not None:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                return


def stop(slot: ServerSlot, grace_s: float, said: Callable[[str], None] = lambda _: None) -> None:
    """Ask, wait, then kill. Blocks up to `grace_s` and a little."""
    slot.signal_stop()
    if not slot.wait_gone(grace_s):
        said(f"model server in {slot.directory} did not end in {grace_s:g} s, killing it")
        slot.kill()
        slot.wait_gone(5.0)


def read_json(files: FileSystem, path: Path) -> dict[str, Any]:
    """The object in a file; empty where there is none yet. Unavailable where it cannot be read."""
    try:
        found = json.loads(files.read(str(path)))
    except (FileNotFoundError, ValueError):
        return {}
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error}") from error
    return found if isinstance(found, dict) else {}


def _started_with(arguments: list[str]) -> psutil.Process | None:
    """The process whose command line ends so: the paths are of one slot alone, so it is that slot's server."""
    for process in psutil.process_iter():
        try:
            if process.cmdline()[-len(arguments) :] == arguments and process.status() != psutil.STATUS_ZOMBIE:
                return process
        except psutil.Error:
            continue
    return None


def _is_gone(process: psutil.Process) -> bool:
    """Whether nothing of it is left but its number. A killed one has its ports until its last thread has ended."""
    if process.status() != psutil.STATUS_ZOMBIE:
        return False
    return len(list(Path(f"/proc/{process.pid}/task").iterdir())) <= 1


def _start_ticks(pid: int) -> int:
    """When the process began, in clock ticks since boot: it tells two processes of one pid apart."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[19])  # the name before it may hold spaces and brackets


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _can_listen(host: str, port: int) -> bool:
    """Whether a server could have this very port; never for port 0."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: closed connections may linger
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return port != 0


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
