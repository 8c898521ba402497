"""An SQLite file system in memory whose disk loses what was not synced, and whose calls can be made to fail.

What is written goes into a cache that reads see at once; `sync` moves a file's cache to its disk. `power_cut` throws
the cache away but for a part of it drawn by chance: of each file's unsynced writes any subset survives, a surviving
write may be torn at a 512-byte sector, and a file whose directory entry was never synced may be gone. That is what a
disk with a volatile cache may do; a disk that lies about a flush is not modelled.

`fail` is asked before every call that changes anything: it returns an SQLite result code to fail with, or 0.

There is no shared memory, so a database must be opened with exclusive locking.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import apsw

SECTOR = 512


@dataclass
class _File:
    disk: bytearray = field(default_factory=bytearray)
    cache: bytearray = field(default_factory=bytearray)
    unsynced: list[tuple[int, bytes | int]] = field(default_factory=list)
    """(position, bytes written) or (-1, size cut to), in order."""
    named: bool = False
    """Whether the directory entry is durable."""


class CrashVfs(apsw.VFS):
    """Register by making one; use its `name` as the VFS of a connection; `unregister` when done."""

    def __init__(self, name: str, fail: Callable[[str, str], int] = lambda call, path: 0) -> None:
        self.name = name
        self.files: dict[str, _File] = {}
        self.fail = fail
        super().__init__(name)

    def check(self, call: str, path: str) -> None:
        """Raise what `fail` asks for."""
        code = self.fail(call, path)
        if code:
            raise apsw.exception_for(code)

    def power_cut(self, chance: random.Random) -> None:
        """What the disk holds when the power is back. Every open connection is lost."""
        for path, file in list(self.files.items()):
            if not file.named and chance.random() < 0.5:
                del self.files[path]
                continue
            file.named = True
            for position, change in file.unsynced:
                if chance.random() < 0.5:
                    continue
                if isinstance(change, int):
                    _resize(file.disk, change)
                else:
                    _put(file.disk, position, _torn(change, chance))
            file.unsynced.clear()
            file.cache = bytearray(file.disk)

    # What SQLite calls.

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        path = name.filename() if hasattr(name, "filename") else str(name)
        if path not in self.files:
            if not flags[0] & apsw.SQLITE_OPEN_CREATE:
                raise apsw.CantOpenError(path)
            self.check("create", path)
            self.files[path] = _File()
        flags[1] = flags[0]
        return _Open(self, path)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.check("delete", filename)
        self.files.pop(filename, None)

    def xAccess(self, pathname: str, flags: int) -> bool:
        return pathname in self.files

    def xFullPathname(self, name: str) -> str:
        return name

    def xRandomness(self, count: int) -> bytes:
        return random.Random(len(self.files)).randbytes(count)

    def xSleep(self, microseconds: int) -> int:
        return microseconds

    def xCurrentTime(self) -> float:
        return 2_460_000.5

    def xCurrentTimeInt64(self) -> int:
        return 2_460_000 * 86_400_000

    def xGetLastError(self) -> tuple[int, str]:
        return 0, ""


class _Open:
    """One open file."""

    def __init__(self, vfs: CrashVfs, path: str) -> None:
        self._vfs, self._path, self._file = vfs, path, vfs.files[path]

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self._file.cache[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        self._vfs.check("write", self._path)
        _put(self._file.cache, offset, bytes(data))
        self._file.unsynced.append((offset, bytes(data)))

    def xTruncate(self, size: int) -> None:
        self._vfs.check("truncate", self._path)
        _resize(self._file.cache, size)
        self._file.unsynced.append((-1, size))

    def xSync(self, flags: int) -> None:
        self._vfs.check("sync", self._path)
        self._file.disk = bytearray(self._file.cache)
        self._file.unsynced.clear()
        for file in self._vfs.files.values():  # one directory: a sync of any file in it carries the names
            file.named = True

    def xFileSize(self) -> int:
        return len(self._file.cache)

    def xLock(self, level: int) -> None:
        pass

    def xUnlock(self, level: int) -> None:
        pass

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, op: int, pointer: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return 4096

    def xDeviceCharacteristics(self) -> int:
        return apsw.SQLITE_IOCAP_POWERSAFE_OVERWRITE

    def xClose(self) -> None:
        pass


def _put(content: bytearray, position: int, data: bytes) -> None:
    if len(content) < position:
        content.extend(bytes(position - len(content)))
    content[position : position + len(data)] = data


def _resize(content: bytearray, size: int) -> None:
    del content[size:]
    content.extend(bytes(size - len(content)))


def _torn(data: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.7:
        return data
    return data[: SECTOR * chance.randrange(len(data) // SECTOR + 1)]
