"""The daemons' files port on a `Platter`."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from random import Random

from tests.disks.platter import MUCH, Folder, Node, Platter
from tidegate.files import Appendable, make_durably

PIECE = 64


class PlatterFiles:
    """Implements `tidegate.files.FileSystem`."""

    def __init__(self, platter: Platter | None = None) -> None:
        """A disk of its own where none is given."""
        self.platter = platter or Platter(Random(0))

    def make_directory(self, path: str) -> None:
        make_durably(self, path)

    def is_directory(self, path: str) -> bool:
        return path in ("", "/") or isinstance(self.platter.find(path), Folder)

    def make_one(self, path: str) -> None:
        self.platter.make(path, Folder())

    def remove_one(self, path: str) -> None:
        self.platter.remove(path)

    def names(self, directory: str) -> list[str]:
        self.platter.looked("names", directory)
        try:
            return list(self.platter.folder(directory).names)
        except FileNotFoundError:
            return []

    def exists(self, path: str) -> bool:
        self.platter.looked("exists", path)
        return self.platter.find(path) is not None

    def size(self, path: str) -> int:
        self.platter.looked("size", path)
        return len(self.platter.node(path).data)

    def read(self, path: str) -> bytes:
        self.platter.looked("read", path)
        return bytes(self.platter.node(path).data)

    def pieces(self, path: str) -> Iterator[bytes]:
        data = self.platter.node(path).data
        for at in range(0, len(data), PIECE):
            self.platter.looked("read", path)
            yield bytes(data[at : at + PIECE])

    def append(self, path: str, mode: int = 0o600) -> Appendable:
        found = self.platter.find(path)
        if not isinstance(found, Node):
            found = Node()
            self.platter.make(path, found)
        else:
            self.platter.looked("open", path)
        return _Open(self.platter, path, found)

    def overwrite(self, path: str, data: bytes) -> None:
        file = self.append(path)
        assert isinstance(file, _Open)
        self.platter.write(path, file.node, 0, data)

    def rename(self, source: str, target: str) -> None:
        self.platter.rename(source, target)

    def remove(self, path: str) -> None:
        self.platter.remove(path)

    def remove_tree(self, path: str) -> None:
        found = self.platter.find(path)
        if isinstance(found, Folder):
            for name in list(found.names):
                self.remove_tree(f"{path}/{name}")
        if found is not None:
            self.platter.remove(path)

    def sync_directory(self, path: str) -> None:
        self.platter.sync_folder(path)

    def free(self, path: str) -> int:
        self.platter.looked("free", path)
        return MUCH if self.platter.room is None else max(0, self.platter.room - self.platter.occupied())

    def lock(self, path: str) -> AbstractContextManager[None]:
        if path in self.platter.locks:
            raise AssertionError(f"would wait for ever for {path}")
        return _Lock(self.platter.locks, path)

    def try_lock(self, path: str) -> AbstractContextManager[None] | None:
        return None if path in self.platter.locks else _Lock(self.platter.locks, path)


class _Open:
    __slots__ = ("node", "path", "platter")

    def __init__(self, platter: Platter, path: str, node: Node) -> None:
        self.platter, self.path, self.node = platter, path, node

    def write(self, data: bytes) -> None:
        self.platter.write(self.path, self.node, len(self.node.data), data)

    def sync(self) -> None:
        self.platter.sync(self.path, self.node)

    def truncate(self, size: int) -> None:
        self.platter.truncate(self.path, self.node, size)

    def close(self) -> None:
        return None


class _Lock:
    def __init__(self, held: set[str], path: str) -> None:
        self._held, self._path = held, path
        held.add(path)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._held.discard(self._path)
