"""A disk in memory whose power can be cut: the spool's `FileSystem`, simulated.

It keeps, beside what a running process sees, what the platter is sure to have. `cut` goes from the one to the other the
way a real disk may: of what was not synced, a chosen part survives.

- File contents: of the unsynced writes to one file a prefix survives, the last of them torn at any byte.
- Names: of the unsynced makes, renames and removes in one directory any subset survives, in their order.
- A file that is synced while its name is not may be lost with its name.

Faults: `fail(operation, errno)` makes the next call of that operation raise; `room` bounds all bytes (ENOSPC, with the
part that fits written); `lie` makes file syncs do nothing. `largest` is the most bytes that ever lay there at once, for
holding a bound against. `before` is called with the name of each operation that changes something: raise there to stop
a process right then.
"""

import errno
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

Choice = Callable[[int], int]


class PowerCut(Exception):
    """The process ends here: raised from `before` by a test."""


@dataclass(slots=True)
class _Inode:
    """`data` is what a process sees; `synced` what survives for sure; `pending` the changes between, in order."""

    data: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    pending: list[tuple[int, bytes]] = field(default_factory=list)  # at offset; an empty write truncates there


@dataclass(slots=True)
class _Directory:
    names: dict[str, _Inode] = field(default_factory=dict)
    synced: dict[str, _Inode] = field(default_factory=dict)
    pending: list[Callable[[dict[str, _Inode]], object]] = field(default_factory=list)


class SimulatedDisk:
    """See the module. Paths are `directory/name`; every directory is durable from the start."""

    def __init__(self, room: int | None = None) -> None:
        self.room = room
        self.largest = 0
        self.lie = False
        self.before: Callable[[str], None] = lambda operation: None
        self._directories: dict[str, _Directory] = {}
        self._below: dict[str, list[str]] = {}
        self._locks: set[str] = set()
        self._faults: dict[str, int] = {}

    # For the test

    def cut(self, choose: Choice) -> None:
        """Cut the power. `choose(n)` picks a number in 0..n; picking 0 always loses all that may be lost."""
        for directory in self._directories.values():
            for change in directory.pending:
                if choose(1):
                    change(directory.synced)
            directory.pending = []
            directory.names = dict(directory.synced)
            for inode in set(map(id, directory.names.values())):
                self._settle(next(each for each in directory.names.values() if id(each) == inode), choose)
        self._locks.clear()
        self._faults.clear()

    def killed(self) -> None:
        """End the process and keep the power: what was written stays, locks go."""
        self._locks.clear()

    def fail(self, operation: str, number: int) -> None:
        """The next `operation` (write, sync, sync_directory, rename, append, read) raises OSError(number)."""
        self._faults[operation] = number

    def occupied(self) -> int:
        return sum(len(inode.data) for each in self._directories.values() for inode in each.names.values())

    def damage(self, path: str, offset: int) -> None:
        """Flip the bits of one byte, on the platter too."""
        inode = self._inode(path)
        inode.data[offset] ^= 0xFF
        inode.synced = bytes(inode.data)
        inode.pending = []

    @staticmethod
    def _settle(inode: _Inode, choose: Choice) -> None:
        survived = bytearray(inode.synced)
        count = choose(len(inode.pending)) if inode.pending else 0
        for index, (offset, data) in enumerate(inode.pending[:count]):
            torn = data[: choose(len(data))] if data and index + 1 == count else data
            if data:
                survived[offset : offset + len(torn)] = torn
            else:
                del survived[offset:]
        inode.data, inode.synced, inode.pending = survived, bytes(survived), []

    # The port

    def make_directory(self, path: str) -> None:
        if path not in self._directories:
            self._directories[path] = _Directory()
            above, name = _parted(path)
            self._below.setdefault(above, []).append(name)

    def names(self, directory: str) -> list[str]:
        files = self._directories[directory].names if directory in self._directories else {}
        return [*files, *self._below.get(directory, ())]

    def size(self, path: str) -> int:
        return len(self._inode(path).data)

    def read(self, path: str) -> bytes:
        self._fault("read")
        return bytes(self._inode(path).data)

    def append(self, path: str) -> "_Open":
        self._step("append")
        directory, name = self._place(path)
        if name not in directory.names:
            inode = _Inode()
            self._change(directory, lambda names: names.__setitem__(name, inode))
        return _Open(self, directory.names[name])

    def overwrite(self, path: str, data: bytes) -> None:
        file = self.append(path)
        self._step("overwrite")
        file.put(0, data)

    def rename(self, source: str, target: str) -> None:
        self._step("rename")
        directory, old = self._place(source)
        new = _parted(target)[1]
        inode = self._inode(source)

        def change(names: dict[str, _Inode]) -> None:
            names.pop(old, None)
            names[new] = inode

        self._change(directory, change)

    def remove(self, path: str) -> None:
        self._step("remove")
        directory, name = self._place(path)
        if name in directory.names:
            self._change(directory, lambda names: names.pop(name, None))

    def sync_directory(self, path: str) -> None:
        self._step("sync_directory")
        directory = self._directories[path]
        directory.synced = dict(directory.names)
        directory.pending = []

    def lock(self, path: str) -> "_Lock":
        if path in self._locks:
            raise AssertionError(f"would wait for ever for {path}")
        return _Lock(self._locks, path)

    def try_lock(self, path: str) -> AbstractContextManager[None] | None:
        return None if path in self._locks else _Lock(self._locks, path)

    def _step(self, operation: str) -> None:
        self.before(operation)
        self._fault(operation)

    def _fault(self, operation: str) -> None:
        number = self._faults.pop(operation, 0)
        if number:
            raise OSError(number, os.strerror(number))

    def _place(self, path: str) -> tuple[_Directory, str]:
        above, name = _parted(path)
        return self._directories[above], name

    def _inode(self, path: str) -> _Inode:
        directory, name = self._place(path)
        if name not in directory.names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return directory.names[name]

    @staticmethod
    def _change(directory: _Directory, change: Callable[[dict[str, _Inode]], object]) -> None:
        change(directory.names)
        directory.pending.append(change)

    def measure(self) -> None:
        self.largest = max(self.largest, self.occupied())


def _parted(path: str) -> tuple[str, str]:
    """The directory and the name in it; paths here are written in one way only, so no library has to read them."""
    above, _, name = path.rpartition("/")
    return above or ".", name


class _Open:
    def __init__(self, disk: SimulatedDisk, inode: _Inode) -> None:
        self._disk = disk
        self._inode = inode

    def put(self, offset: int, data: bytes) -> None:
        free = len(data) if self._disk.room is None else max(0, self._disk.room - self._disk.occupied())
        written = data if offset < len(self._inode.data) else data[:free]
        self._inode.data[offset : offset + len(written)] = written
        if written:
            self._inode.pending.append((offset, bytes(written)))
        self._disk.measure()
        if len(written) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write(self, data: bytes) -> None:
        self._disk._step("write")
        self.put(len(self._inode.data), data)

    def sync(self) -> None:
        self._disk._step("sync")
        if self._disk.lie:
            return
        self._inode.synced = bytes(self._inode.data)
        self._inode.pending = []

    def truncate(self, size: int) -> None:
        self._disk._step("truncate")
        del self._inode.data[size:]
        self._inode.pending.append((size, b""))

    def close(self) -> None:
        return None


class _Lock:
    def __init__(self, held: set[str], path: str) -> None:
        self._held = held
        self._path = path
        held.add(path)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._held.discard(self._path)
