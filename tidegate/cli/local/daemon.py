"""One daemon as a process of its own: started, known to be ready by its ready file, stopped or killed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tidegate.model.errors import Refused, Unavailable

CHECKOUT = Path(__file__).resolve().parents[3]
"""The folder that holds `broker`, `agents` and `edge`, where this is a checkout."""

POLL_S = 0.02


def require_checkout() -> None:
    """The wheel carries the SDK and the command line alone; say how to get the daemons."""
    if not (CHECKOUT / "broker" / "__main__.py").exists():
        raise Refused(
            "the daemons are not part of this installation",
            wanted="a checkout of Tidegate: run `make demo` or `tidegate up` there",
        )


class Daemon:
    """`python -m MODULE ARGUMENTS --ready-file F`, in a process group of its own, with its log in a file."""

    def __init__(self, name: str, module: str, arguments: list[str], folder: Path) -> None:
        self.name = name
        self.module = module
        self.arguments = arguments
        self.folder = folder
        self.log_path = folder / f"{name}.log"
        self.ready_path = folder / f"{name}.ready.json"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Daemon":
        """Starts it; `wait_ready` says when it is there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ready_path.unlink(missing_ok=True)
        command = [sys.executable, "-m", self.module, *self.arguments, "--ready-file", str(self.ready_path)]
        environment = os.environ | {"PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def wait_ready(self, seconds: float = 30.0) -> dict[str, Any]:
        """What the daemon wrote into its ready file. Raises `Unavailable` with the log's tail where it does not."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
                ready: dict[str, Any] = json.loads(self.ready_path.read_text(encoding="utf-8"))
                return ready
            if self._process is not None and self._process.poll() is not None:
                raise Unavailable(f"{self.name} ended with {self._process.returncode}:\n{self.log_tail()}")
            time.sleep(POLL_S)
        raise Unavailable(f"{self.name} was not ready within {seconds:.0f} s:\n{self.log_tail()}")

    @property
    def pid(self) -> int:
        """Of the running process; 0 where there is none."""
        return self._process.pid if self._process is not None else 0

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL, as a power cut would: nothing of it gets to say goodbye."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self, seconds: float = 20.0) -> None:
        """SIGTERM, then SIGKILL to the whole group where it takes too long."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def log_tail(self, lines: int = 15) -> str:
        """The last lines that it wrote."""
        try:
            return "\n".join(self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""
