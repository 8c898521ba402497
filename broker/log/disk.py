"""Files that are whole or absent: written beside, synced, renamed, and the directory synced.

A name that a reader sees is therefore always a finished file, and after a crash an unfinished one is a `.part` that
nobody reads. `Directory` is the port; `DiskDirectory` is the real one, simulated ones keep the same promises.
"""

import os
from pathlib import Path
from typing import Protocol

PART = ".part"


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
    """A real directory, made where it is missing, readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True, mode=0o700)

    def names(self) -> list[str]:
        return sorted(entry.name for entry in self.path.iterdir() if entry.is_file() and entry.suffix != PART)

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def write(self, name: str, parts: list[bytes]) -> None:
        unfinished = self.path / (name + PART)
        with open(unfinished, "wb", opener=_private) as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self.path / name)
        sync_directory(self.path)

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)


def sync_directory(path: Path) -> None:
    """Make renames and new names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
