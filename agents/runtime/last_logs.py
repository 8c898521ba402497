"""The logs of work that is gone from this machine: its task's folder goes when it has ended, its last words stay.

One file per workload in a folder of its own, named `WORKLOAD@BEGIN.log`, where BEGIN is the offset at which the kept
part begins. Bounds: the last `LONGEST_BYTES` of a log, of the `MOST_LOGS` workloads that ended last; at most 32 MiB.
A file is written whole under another name first. Losing one to a crash loses a log, nothing else, so nothing is synced.
"""

import logging
import os
from pathlib import Path

from agents.drivers.base import LOG_CHUNK_BYTES, Driver, LogChunk, Task
from tidegate.model.errors import Unavailable

log = logging.getLogger(__name__)

LONGEST_BYTES = 1024 * 1024
MOST_LOGS = 32


async def read_all(driver: Driver, task: Task) -> tuple[int, bytes]:
    """Where the last `LONGEST_BYTES` of a task's log begin, and these bytes. What cannot be read is left out: no
    work is kept for its log."""
    offset, kept = 0, b""
    while True:
        try:
            chunk = await driver.logs(task, offset)
        except (Unavailable, OSError):
            break
        kept = (kept + chunk.text.encode())[-LONGEST_BYTES:]
        moved, offset = chunk.next_offset > offset, chunk.next_offset
        if chunk.complete or not moved:
            break
    return max(0, offset - len(kept)), kept


class LastLogs:
    """The folder. One process writes it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, workload_id: str, begin: int, data: bytes) -> None:
        """Take a log whole, in place of an earlier one, or none; the oldest goes where there are too many."""
        if not data:
            return
        try:
            self._keep(workload_id, begin, data)
        except OSError as error:  # a full disk must not keep work from being removed: that may be what frees it
            log.warning("the log of %s is not kept: %s", workload_id, error)

    def _keep(self, workload_id: str, begin: int, data: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        before = self._of(workload_id)
        path = self._folder / f"{workload_id}@{begin}.log"
        fresh = path.with_suffix(".new")
        try:
            fresh.write_bytes(data)
            fresh.replace(path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        for old in before:
            if old != path:
                old.unlink()
        by_age = sorted(self._folder.glob("*.log"), key=lambda path: path.stat().st_mtime_ns)
        for old in by_age[: max(0, len(by_age) - MOST_LOGS)]:
            old.unlink()

    def read(self, workload_id: str, offset: int) -> LogChunk | None:
        """A piece as a driver gives it; an offset before what is kept begins there. None where nothing is kept."""
        found = self._of(workload_id)
        if not found:
            return None
        begin = int(found[-1].stem.rpartition("@")[2])
        with found[-1].open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = min(max(0, offset - begin), size)
            file.seek(start)
            data = file.read(LOG_CHUNK_BYTES)
        end = start + len(data)
        return LogChunk(data.decode(errors="replace"), max(offset, begin + end), end == size)

    def _of(self, workload_id: str) -> list[Path]:
        return [path for path in self._folder.glob("*.log") if path.stem.rpartition("@")[0] == workload_id]
