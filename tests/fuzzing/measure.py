"""One execution of a target: what came out of it, and what it cost.

Processor time, not the wall's: a busy machine finds nothing. An input that took too long is run again, and the least of
`AGAIN` times counts, so that a collection of garbage or a first import is not taken for slowness.
"""

import contextlib
import gc
import resource
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.fuzzing.target import Target

ROOT = Path(__file__).resolve().parents[2]
AGAIN = 5


class Spent(float):
    """Seconds of a processor, where a target has measured by itself what counts."""


@dataclass(frozen=True)
class Finding:
    """What must not be."""

    target: str
    kind: str
    """The exception's name, or `slow`, `memory`, `crash`, `hang`."""
    where: str
    """The innermost line of the project's own code, or how much it took."""
    story: str
    data: bytes

    @property
    def key(self) -> tuple[str, str, str]:
        """Two findings with one key are the same one."""
        return self.target, self.kind, self.where if self.kind not in ("slow", "memory") else ""


def execute(target: Target, data: bytes) -> Finding | None:
    """Run it, and judge."""
    spent, finding = _once(target, data)
    if finding is None and spent * 1_000 > target.cpu_ms:
        gc.collect()
        spent = min(spent, *(_once(target, data)[0] for _ in range(AGAIN)))
        if spent * 1_000 > target.cpu_ms:
            return Finding(target.name, "slow", f"{spent * 1_000:.0f} ms", f"{len(data)} bytes", data)
    return finding


def _once(target: Target, data: bytes) -> tuple[float, Finding | None]:
    began = time.process_time()
    finding = None
    try:
        told = target.run(data)
        if isinstance(told, Spent):
            return told, None
    except target.refused:
        pass
    except MemoryError as error:
        finding = Finding(target.name, "memory", _innermost(error), traceback.format_exc(limit=-8), data)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of native code is no Exception
        finding = Finding(target.name, type(error).__name__, _innermost(error), traceback.format_exc(limit=-8), data)
    return time.process_time() - began, finding


def _innermost(error: BaseException) -> str:
    """The last line of the project's own code that the error passed."""
    own = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and ".venv" not in path.parts and "fuzzing" not in path.parts:
            own = f"{path.relative_to(ROOT)}:{line}"
    return own or "outside of the project"


@contextlib.contextmanager
def bounded(extra: int) -> Iterator[None]:
    """Let this process' data grow by so much and no further. Linux."""
    gc.collect()
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (held_bytes() + extra, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def held_bytes() -> int:
    """The data of this process, as RLIMIT_DATA counts it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmData in /proc/self/status")
