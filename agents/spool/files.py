"""The files port: everything the spool asks of a file system, small enough to be simulated.

The spool's promises are about what survives a power cut, and no test can cut the power of the machine that it runs on.
So the spool reaches the disk through `FileSystem` alone: `RealFiles` is the one that daemons use, and the tests put a
disk in its place that forgets unsynced bytes, tears the last write at any byte and undoes unsynced renames.

What the spool relies on, and nothing more:
- bytes written and then `sync`ed survive; bytes not synced may be lost, kept or torn;
- a name made, renamed or removed survives once its directory was synced; before that either state may come back;
- a rename over an existing name is atomic: a reader sees the old file or the new one, whole;
- a lock belongs to the process that took it and is released by its death.

Every method may raise OSError; the callers decide which family of errors that is.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol


class Appendable(Protocol):
    """One file open for appending."""

    def write(self, data: bytes) -> None:
        """Append all of `data`, or raise with any prefix of it written."""

    def sync(self) -> None:
        """Make everything written so far survive a power cut."""

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes; the next write lands there."""

    def close(self) -> None: ...


class FileSystem(Protocol):
    """Paths are plain strings with `/`; `names` and `remove` treat what is missing as empty."""

    def make_directory(self, path: str) -> None:
        """Make `path` and its parents, durably; harmless when it is there."""

    def names(self, directory: str) -> list[str]:
        """The names in a directory, in no order; empty when there is no such directory."""

    def size(self, path: str) -> int: ...

    def read(self, path: str) -> bytes:
        """The whole file. FileNotFoundError when it is missing."""

    def append(self, path: str) -> Appendable:
        """Open for appending, making the file when it is missing."""

    def overwrite(self, path: str, data: bytes) -> None:
        """Write over the first bytes in place, unsynced: for a hint that is checked when it is read."""

    def rename(self, source: str, target: str) -> None: ...

    def remove(self, path: str) -> None: ...

    def sync_directory(self, path: str) -> None: ...

    def lock(self, path: str) -> AbstractContextManager[None]:
        """Hold the lock of that name, waiting for it. Not re-entrant, not even within one thread."""

    def try_lock(self, path: str) -> AbstractContextManager[None] | None:
        """A lock already held, released when the context ends; None when another holder has it."""


class RealFiles:
    """The file system of this machine (Linux: `fdatasync` and `flock`)."""

    def make_directory(self, path: str) -> None:
        directory = Path(path)
        if directory.is_dir():
            return
        self.make_directory(str(directory.parent))
        directory.mkdir(mode=0o700, exist_ok=True)  # telemetry may hold personal data: the owner alone reads it
        self.sync_directory(str(directory.parent))

    def names(self, directory: str) -> list[str]:
        try:
            return [entry.name for entry in Path(directory).iterdir()]
        except FileNotFoundError:
            return []

    def size(self, path: str) -> int:
        return Path(path).stat().st_size

    def read(self, path: str) -> bytes:
        return Path(path).read_bytes()

    def append(self, path: str) -> Appendable:
        return _AppendedFile(path)

    def overwrite(self, path: str, data: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(descriptor, data, 0)
        finally:
            os.close(descriptor)

    def rename(self, source: str, target: str) -> None:
        Path(source).replace(target)

    def remove(self, path: str) -> None:
        Path(path).unlink(missing_ok=True)

    def sync_directory(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def lock(self, path: str) -> Iterator[None]:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def try_lock(self, path: str) -> AbstractContextManager[None] | None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return _Closing(descriptor)


class _Closing:
    """A lock already taken, as a context of which only the end is left."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


class _AppendedFile:
    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def sync(self) -> None:
        # The new size is metadata that fdatasync does write; only times are left out, and nobody reads them.
        os.fdatasync(self._descriptor)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    def close(self) -> None:
        os.close(self._descriptor)
