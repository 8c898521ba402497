"""Files that are whole or absent: written beside, synced, renamed, and the directory synced.

A name that a reader sees is therefore always a finished file, and after a crash an unfinished one is a `.new` that
nobody reads. `Directory` is the port; `DiskDirectory` is the real one, simulated ones keep the same promises.
"""

import contextlib
from pathlib import Path
from typing import Protocol

from tidegate.files import UNFINISHED, FileSystem, RealFiles, put

_BEFORE = ".part"
"""What an unfinished file's name ended with before."""


class Directory(Protocol):
    """A flat set of named files."""

    def names(self) -> list[str]:
        """Finished files, sorted."""

    def read(self, name: str) -> bytes:
        """The whole file. FileNotFoundError where there is none; OSError where it cannot be read."""

    def write(self, name: str, parts: list[bytes]) -> None:
        """Durable under that name when this returns, replacing what was there. OSError: the old file still stands."""

    def remove(self, name: str) -> None:
        """Gone, or never there."""


class DiskDirectory:
    """A real directory, made with the first file, readable by its owner alone."""

    def __init__(self, path: Path, files: FileSystem | None = None) -> None:
        """What a crash left unfinished goes: a large one would hold its room for ever."""
        self.path = path
        self._files = files or RealFiles()
        with contextlib.suppress(OSError):
            for name in self._files.names(str(path)):
                if name.endswith((UNFINISHED, _BEFORE)):
                    self._files.remove(f"{path}/{name}")

    def names(self) -> list[str]:
        return sorted(name for name in self._files.names(str(self.path)) if not name.endswith((UNFINISHED, _BEFORE)))

    def read(self, name: str) -> bytes:
        return self._files.read(f"{self.path}/{name}")

    def write(self, name: str, parts: list[bytes]) -> None:
        self._files.make_directory(str(self.path))
        put(self._files, f"{self.path}/{name}", parts)

    def remove(self, name: str) -> None:
        self._files.remove(f"{self.path}/{name}")
