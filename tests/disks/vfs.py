"""An SQLite file system on a `Platter`, so that the real SQLite runs on a disk whose power can be cut.

It does what SQLite's own for Unix does with names: the first sync of a write-ahead log or a journal that it made also
syncs the directory, and a delete that asks for it does. The database's own name it leaves to whoever opens it.

There is no shared memory, so a database must be opened with exclusive locking.
"""

import errno
from typing import Any

import apsw

from tests.disks.platter import HalfWritten, Node, Platter, PowerGone

_WITH_DIRECTORY = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL
_CODES = {
    "make": apsw.SQLITE_CANTOPEN,
    "open": apsw.SQLITE_CANTOPEN,
    "read": apsw.SQLITE_IOERR_READ,
    "write": apsw.SQLITE_IOERR_WRITE,
    "truncate": apsw.SQLITE_IOERR_TRUNCATE,
    "sync": apsw.SQLITE_IOERR_FSYNC,
    "sync_directory": apsw.SQLITE_IOERR_DIR_FSYNC,
    "remove": apsw.SQLITE_IOERR_DELETE,
}


def failed(call: str, error: BaseException) -> BaseException:
    """What SQLite's own file system would say: no room is said of writes alone."""
    if isinstance(error, PowerGone):
        return _exception(apsw.SQLITE_IOERR)
    if isinstance(error, HalfWritten) or (
        isinstance(error, OSError) and call == "write" and error.errno == errno.ENOSPC
    ):
        return _exception(apsw.SQLITE_FULL)
    return _exception(_CODES[call])


def _exception(code: int) -> BaseException:
    wrong: BaseException = apsw.exception_for(code)
    return wrong


class PlatterVfs(apsw.VFS):  # type: ignore[misc,unused-ignore]
    """Register by making one; use its `name` as the VFS of a connection; `unregister` when done."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.platter: Platter
        """Put in before a connection is opened."""
        super().__init__(name)

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        path = name.filename() if hasattr(name, "filename") else str(name)
        found = self.platter.find(path)
        made = False
        try:
            if not isinstance(found, Node):
                if not flags[0] & apsw.SQLITE_OPEN_CREATE:
                    raise apsw.CantOpenError(path)
                found, made = Node(), True
                self.platter.make(path, found)
            else:
                self.platter.looked("open", path)
        except (OSError, PowerGone) as error:
            raise failed("open", error) from None
        flags[1] = flags[0]
        return _Open(self.platter, path, found, made and bool(flags[0] & _WITH_DIRECTORY))

    def xDelete(self, filename: str, syncdir: bool) -> None:
        try:
            self.platter.remove(filename)
            if syncdir:
                self.platter.sync_folder(filename.rpartition("/")[0])
        except (OSError, PowerGone) as error:
            raise failed("remove", error) from None

    def xAccess(self, pathname: str, flags: int) -> bool:
        return self.platter.find(pathname) is not None

    def xFullPathname(self, name: str) -> str:
        return name

    def xRandomness(self, count: int) -> bytes:
        return self.platter.chance.randbytes(count)

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

    __slots__ = ("_directory", "_node", "_path", "_platter")

    def __init__(self, platter: Platter, path: str, node: Node, with_directory: bool) -> None:
        self._platter, self._path, self._node = platter, path, node
        self._directory = path.rpartition("/")[0] if with_directory else None

    def xRead(self, amount: int, offset: int) -> bytes:
        if self._platter.dead or self._platter.faulty is not None:
            try:
                self._platter.looked("read", self._path)
            except (OSError, PowerGone) as error:
                raise failed("read", error) from None
        return bytes(self._node.data[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        try:
            self._platter.write(self._path, self._node, offset, bytes(data))
        except (OSError, PowerGone) as error:
            raise failed("write", error) from None

    def xTruncate(self, size: int) -> None:
        try:
            self._platter.truncate(self._path, self._node, size)
        except (OSError, PowerGone) as error:
            raise failed("truncate", error) from None

    def xSync(self, flags: int) -> None:
        try:
            self._platter.sync(self._path, self._node)
            if self._directory is not None:
                self._platter.sync_folder(self._directory)
                self._directory = None
        except (OSError, PowerGone) as error:
            raise failed("sync", error) from None

    def xFileSize(self) -> int:
        return len(self._node.data)

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
