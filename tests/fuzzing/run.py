"""Workers started, watched and ended: what they found, and that they crashed or hung."""

import base64
import importlib.util
import json
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fuzzing.measure import ROOT, Finding

HANG_S = 180.0
"""Without an execution coming to its end, on a machine that others use; what is loaded first is in it."""
LOOK_S = 0.2


@dataclass(frozen=True)
class Outcome:
    """Of one target."""

    target: str
    engine: str
    inputs: int
    runs: int
    seconds: float
    cpu_seconds: float
    found: tuple[Finding, ...]


def best_engine() -> str:
    """Coverage-guided where atheris is installed."""
    return "coverage" if importlib.util.find_spec("atheris") else "mutations"


def fuzz(
    names: Sequence[str],
    *,
    engine: str = "mutations",
    seed: int = 0,
    runs: int = 0,
    seconds: float = 0.0,
    hear: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Each target for so many runs or seconds. Where a worker dies, its target is told and the rest goes on anew."""
    outcomes: list[Outcome] = []
    left = list(names)
    while left:
        batch = left[:1] if engine == "coverage" or seconds else left
        with tempfile.TemporaryDirectory() as folder:
            report, last = Path(folder) / "report.json", Path(folder) / "last"
            told = [str(report), str(last), engine, str(seed), str(runs), str(seconds), *batch]
            code, hung, words = _watch([sys.executable, "-m", "tests.fuzzing.worker", *told], last)
            reports = json.loads(report.read_text()) if report.exists() else []
            died = hung or (code != 0 and not (engine == "coverage" and code == 0))
            for one in reports:
                found = [
                    Finding(one["target"], each["kind"], each["where"], each["story"], base64.b64decode(each["data"]))
                    for each in one["found"]
                ]
                if died and one is reports[-1]:
                    kind = "hang" if hung else "crash"
                    found.append(Finding(one["target"], kind, f"exit code {code}", words[-2_000:], _last(last)))
                outcomes.append(
                    Outcome(
                        *(one["target"], one["engine"], one["inputs"], one["runs"], one["seconds"], one["cpu_seconds"]),
                        found=tuple(found),
                    )
                )
                hear(outcomes[-1])
            if not reports:
                outcomes.append(
                    Outcome(
                        batch[0],
                        engine,
                        0,
                        0,
                        0,
                        0,
                        (Finding(batch[0], "hang" if hung else "crash", f"exit code {code}", words, b""),),
                    )
                )
                hear(outcomes[-1])
            left = left[max(1, len(reports)) :]
    return outcomes


def _watch(command: list[str], last: Path) -> tuple[int, bool, str]:
    """The exit code, whether it hung, and its last words."""
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(command, cwd=ROOT, stdout=words, stderr=words)
        hung, seen, since, never = False, -1, time.monotonic(), threading.Event()
        try:
            while process.poll() is None:
                never.wait(LOOK_S)
                count = _count(last)
                if count != seen:
                    seen, since = count, time.monotonic()
                elif time.monotonic() - since > HANG_S:
                    hung = True
                    process.kill()
                    process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        words.seek(0)
        return process.returncode, hung, words.read().decode(errors="replace")


def _count(last: Path) -> int:
    try:
        with last.open("rb") as file:
            return int(struct.unpack("<Q", file.read(8).ljust(8, b"\0"))[0])
    except OSError:
        return 0


def _last(last: Path) -> bytes:
    data = last.read_bytes()
    (length,) = struct.unpack_from("<I", data, 8)
    return data[12 : 12 + length]
