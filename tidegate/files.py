"""The files port: everything the daemons ask of a file system, small enough to be simulated.

Their promises are about what survives a power cut, and no test can cut the power of the machine that it runs on. So
what must survive reaches the disk through `FileSystem` alone: `RealFiles` is the one that daemons use, and the tests
put a disk in its place that forgets unsynced bytes, tears writes at any byte and undoes unsynced names.

What the callers rely on, and nothing more:
- bytes written and then `sync`ed survive; bytes not synced may be lost, kept or torn;
- a name made, renamed or removed survives once its directory was synced; before that either state may come back;
- a rename over an existing name is atomic: a reader sees the old file or the new one, whole;
- a sync that failed says nothing of the next one: the kernel may have dropped the pages and call them clean. Whoever is
  told of a failure writes anew, from the start, or ends;
- a lock belongs to the process that took it and is released by its death.

Every method may raise OSError; the callers decide which family of errors that is, most by `fault`.
"""

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from tidegate.model.errors import Broken, Unavailable

UNFINISHED = ".new"
"""Ends the name of a file that is being written by `put`; after a crash it is nothing."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_READ = 2**20


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
        """Make `path` and its parents, durably, also where an earlier process made it and died before its sync."""

    def names(self, directory: str) -> list[str]:
        """The names in a directory, in no order; empty when there is no such directory."""

    def exists(self, path: str) -> bool:
        """Whether a file or a directory is there."""

    def size(self, path: str) -> int:
        """Bytes. FileNotFoundError when it is missing."""

    def read(self, path: str) -> bytes:
        """The whole file. FileNotFoundError when it is missing."""

    def pieces(self, path: str) -> Iterator[bytes]:
        """The whole file, a piece at a time: for files that no memory should hold."""

    def append(self, path: str, mode: int = 0o600) -> Appendable:
        """Open for appending, making the file when it is missing."""

    def overwrite(self, path: str, data: bytes) -> None:
        """Write over the first bytes in place, unsynced: for a hint that is checked when it is read."""

    def rename(self, source: str, target: str) -> None:
        """Within one directory; of a file or a directory."""

    def remove(self, path: str) -> None: ...

    def remove_tree(self, path: str) -> None:
        """A directory and all in it; harmless when it is missing."""

    def sync_directory(self, path: str) -> None: ...

    def free(self, path: str) -> int:
        """Bytes that the file system of `path` would still give this user."""

    def lock(self, path: str) -> AbstractContextManager[None]:
        """Hold the lock of that name, waiting for it. Not re-entrant, not even within one thread."""

    def try_lock(self, path: str) -> AbstractContextManager[None] | None:
        """A lock already held, released when the context ends; None when another holder has it."""


def put(files: FileSystem, path: str, parts: Iterable[bytes]) -> None:
    """Replace a file whole: afterwards it is there durably; a crash before, or an OSError, leaves the old one.

    Written beside, synced, renamed, and the directory synced, in that order. May be called again after an OSError,
    since it begins with a new file.
    """
    unfinished = path + UNFINISHED
    files.remove(unfinished)
    try:
        file = files.append(unfinished)
        try:
            for part in parts:
                file.write(part)
            file.sync()
        finally:
            file.close()
        files.rename(unfinished, path)
    except OSError:
        with contextlib.suppress(OSError):  # on a full disk it would hold the room that is wanted
            files.remove(unfinished)
        raise
    files.sync_directory(directory_of(path))


class Directories(Protocol):
    """What `make_durably` is made of."""

    def is_directory(self, path: str) -> bool: ...

    def make_one(self, path: str) -> None:
        """One name in a directory that is there."""

    def remove_one(self, path: str) -> None:
        """An empty directory."""

    def sync_directory(self, path: str) -> None: ...


def make_durably(files: Directories, path: str) -> None:
    """A directory with its parents, each name synced before anything is made in it.

    The name of one that is there is synced all the same: whoever made it may have died before that. One whose sync
    failed is taken away again, since the next sync might be told that all is well.
    """
    there = files.is_directory(path)
    if not there:
        make_durably(files, directory_of(path))
        files.make_one(path)
    try:
        files.sync_directory(directory_of(path))
    except OSError as error:
        if there and isinstance(error, PermissionError):
            return  # it stands where we may make nothing: then it was not us who made it
        if not there:
            with contextlib.suppress(OSError):
                files.remove_one(path)
        raise


def directory_of(path: str) -> str:
    """The directory that a path's name stands in."""
    return path.rpartition("/")[0] or "/"


def fault(doing: str, path: str, error: OSError) -> Unavailable | Broken:
    """The family of what a file system raised: no room passes, anything else does not."""
    if error.errno in NO_ROOM:
        return Unavailable(f"no room while {doing}", field=path)
    return Broken(f"{doing} failed: {error}", field=path)


class RealFiles:
    """The file system of this machine (Linux: `fdatasync` and `flock`)."""

    def make_directory(self, path: str) -> None:
        make_durably(self, path)

    def is_directory(self, path: str) -> bool:
        return Path(path).is_dir()

    def make_one(self, path: str) -> None:
        Path(path).mkdir(mode=0o700, exist_ok=True)  # telemetry may hold personal data: the owner alone reads it

    def remove_one(self, path: str) -> None:
        Path(path).rmdir()

    def names(self, directory: str) -> list[str]:
        try:
            return [entry.name for entry in Path(directory).iterdir()]
        except FileNotFoundError:
            return []

    def exists(self, path: str) -> bool:
        return Path(path).exists()

    def size(self, path: str) -> int:
        return Path(path).stat().st_size

    def read(self, path: str) -> bytes:
        return Path(path).read_bytes()

    def pieces(self, path: str) -> Iterator[bytes]:
        with Path(path).open("rb") as file:
            while data := file.read(_READ):
                yield data

    def append(self, path: str, mode: int = 0o600) -> Appendable:
        return _AppendedFile(path, mode)

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

    def remove_tree(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(path)

    def sync_directory(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free(self, path: str) -> int:
        figures = os.statvfs(path)
        return figures.f_bavail * figures.f_frsize

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
    def __init__(self, path: str, mode: int) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, mode)

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
