"""What a model server writes: one file that it appends to, kept within a bound though the server runs for years.

Offsets count every byte since the slot's first start. When `log` has grown beyond `LONGEST_BYTES` it is copied to
`log.END`, END being the offset at which that copy ends and the next byte of `log` begins, and cut to nothing: the
server keeps its open file. At most two files are kept, 8 MiB and what the server writes between two looks.

What is written between the copy and the cut is lost, and so is the copy where the disk has no room for it: a log is for
people, and the bound holds before it. After a power cut between the two, a piece may be read twice.
"""

import contextlib
import shutil
import threading
from pathlib import Path

from agents.drivers.base import ERROR_TAIL_LINES, LOG_CHUNK_BYTES, LogChunk

LONGEST_BYTES = 4 * 2**20
TAIL_BYTES = 8192


class Output:
    """The output of the slot in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.path = directory / "log"
        self._lock = threading.Lock()  # whoever reads finds both files from before the copy, or both from after

    @property
    def too_long(self) -> bool:
        return self._size() > LONGEST_BYTES

    def set_aside(self) -> None:
        """Begin anew, keeping a copy of what is there. Blocks for the copy of a few MiB."""
        with self._lock:
            before = self._copies()
            end = self._begin() + self._size()
            fresh = self._directory / "log.new"
            try:
                shutil.copyfile(self.path, fresh)
                fresh.replace(self._directory / f"log.{end}")
            except OSError:
                fresh.unlink(missing_ok=True)
            else:
                for old in before:
                    old.unlink()
            with contextlib.suppress(FileNotFoundError), self.path.open("r+b") as file:
                file.truncate()

    def read(self, offset: int) -> LogChunk:
        """A piece from `offset` on, or from the oldest byte that is kept where that one is gone.

        A piece ends with a whole line unless a line alone is longer than `LOG_CHUNK_BYTES`, or is not ended yet.
        """
        with self._lock:
            begin = self._begin()
            files = [(int(path.suffix[1:]) - path.stat().st_size, path) for path in self._copies()[-1:]]
            files.append((begin, self.path))
            if not files[0][0] <= offset <= begin + self._size():
                offset = files[0][0]
            for first, path in files:
                data = _piece(path, offset - first)
                if data:
                    return LogChunk(data.decode(errors="replace"), offset + len(data), False)
                offset = max(offset, begin)
            return LogChunk("", offset, False)

    def tail(self) -> tuple[str, ...]:
        """The last lines, at most `ERROR_TAIL_LINES`."""
        data = _piece(self.path, max(0, self._size() - TAIL_BYTES))
        return tuple(data.decode(errors="replace").splitlines()[-ERROR_TAIL_LINES:])

    def _begin(self) -> int:
        """The offset of the first byte of `log`."""
        return max((int(path.suffix[1:]) for path in self._copies()), default=0)

    def _copies(self) -> list[Path]:
        """Oldest first; two of them only where a power cut came between two steps."""
        found = [path for path in self._directory.glob("log.*") if path.suffix[1:].isdigit()]
        return sorted(found, key=lambda path: int(path.suffix[1:]))

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0


def _piece(path: Path, start: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(LOG_CHUNK_BYTES)
    except FileNotFoundError:
        return b""
    if len(data) < LOG_CHUNK_BYTES:
        return data
    return data[: data.rfind(b"\n") + 1] or data
