"""A disk in memory with a volatile cache: what is written is seen at once, and survives a power cut only when synced.

It models what a disk and a file system may do, not what one of them does:

- Of what was written to a file and not synced, any part survives, in any order: each sector is kept, lost, torn at any
  byte, or (its size written, its data not) there as zeros or as rubbish. Sectors are of 512 or 4,096 bytes, drawn anew
  for each cut, as is how much is lost. Bytes outside what was written never change.
- Of the names made, renamed and removed in a directory and not synced, any subset survives, in their order. A file that
  is synced while its name is not may be lost with its name. A rename is atomic.
- A sync that fails forgets what it should have written: it stays to be seen, is called clean, and is gone at the next
  cut (what Linux does, and why a second sync proves nothing).
- `lie` makes syncs do nothing. No promise of Tidegate's holds on such a disk; what happens is only written down.

Not modelled: damage to what was synced (`rot` does that on request) and misdirected writes.

`step` is asked before each call that changes something, and counts them. There the power goes (`gone_at`, a number of
that count): the call is done or not by chance, everything after it raises `PowerGone`. There `faulty`, which hears of
each call, may make it fail. `doing` is a word of the caller's for what it is about; `cut_in` then says where the power
went. `room` bounds all bytes; `largest` is the most that ever lay there at once, where there is a bound.

Longer than other files, since a disk is one thing: each call is read beside what a cut does to it.
"""

import errno
import os
from collections.abc import Callable
from random import Random

SECTORS = (512, 4096)
MUCH = 2**40
"""Free bytes of a disk without a bound."""

Faulty = Callable[[str, str], int]
"""From a call and a path to the errno it fails with, or 0. Negative: a write does half of it first."""


class PowerGone(BaseException):
    """The process ends here. No code under test can take it for an error of the disk."""


class HalfWritten(OSError):
    """A write that ended early."""


class Node:
    """A file: what is seen, what is sure to survive, and the changes between, in order."""

    __slots__ = ("data", "pending", "synced")

    def __init__(self) -> None:
        self.data = bytearray()
        self.synced = bytearray()
        self.pending: list[tuple[int, bytes | int]] = []
        """(position, bytes written), or (-1, the size it was cut to)."""


class Folder:
    """A directory: the names that are seen, those sure to survive, and the changes between, in order."""

    __slots__ = ("names", "pending", "synced")

    def __init__(self) -> None:
        self.names: dict[str, Node | Folder] = {}
        self.synced: dict[str, Node | Folder] = {}
        self.pending: list[tuple[str, str, Node | Folder | None]] = []
        """(name that goes or "", name that comes or "", what it names)."""


class Platter:
    """See the module. Paths are absolute; `/` is there and durable."""

    def __init__(self, chance: Random, *, room: int | None = None) -> None:
        self.chance = chance
        self.room = room
        self.lie = False
        self.doing = ""
        self.calls = 0
        self.syncs = 0
        self.gone_at = 0
        self.dead = False
        self.cut_in = ("", "", "")
        self.before = ("", "")
        """The last call that was done, and its path."""
        self.faulty: Faulty | None = None
        self.locks: set[str] = set()
        self.largest = 0
        self._root = Folder()
        self._known: dict[str, Folder] = {"": self._root, "/": self._root}

    # For the test.

    def cut(self, keep: float | None = None) -> None:
        """The power goes, and comes back: the disk is what survived. What was under way is over.

        `keep` is the share of what was not synced that survives (0.0: all that may be lost is), drawn where not given.
        """
        chance = self.chance
        if keep is None:
            keep = chance.choice((0.0, 0.1, 0.5, 0.5, 0.9, 1.0))
        harm = chance.choice((0.0, 0.1, 0.5))
        self._settle(self._root, keep, harm, chance.choice(SECTORS))
        self._known = {"": self._root, "/": self._root}
        self.killed()
        self.faulty = None

    def killed(self) -> None:
        """The process ends and the power stays: what was written stays, locks go."""
        self.locks.clear()
        self.dead = False
        self.gone_at = 0

    def fail(self, call: str, number: int) -> None:
        """The next such call fails with that errno; those after it do not."""

        def faulty(each: str, path: str) -> int:
            if each != call:
                return 0
            self.faulty = None
            return number

        self.faulty = faulty

    def rot(self, path: str, offset: int, length: int = 1) -> None:
        """Flip the bits of some bytes, also of what survives."""
        node = self.node(path)
        for at in range(offset, min(offset + length, len(node.data))):
            node.data[at] ^= 0xFF
        node.synced = bytearray(node.data)
        node.pending = []

    def occupied(self) -> int:
        """Bytes of all files that are seen."""
        return sum(len(node.data) for _, node in self.files())

    def files(self) -> list[tuple[str, Node]]:
        """Every file that is seen, with its path."""
        found: list[tuple[str, Node]] = []
        waiting = [("", self._root)]
        while waiting:
            path, folder = waiting.pop()
            for name, each in folder.names.items():
                if isinstance(each, Folder):
                    waiting.append((f"{path}/{name}", each))
                else:
                    found.append((f"{path}/{name}", each))
        return found

    # What happens at each call.

    def step(self, call: str, path: str) -> bool:
        """Whether the power goes in this call, once it is done. Raises where it went, or where the call fails."""
        if self.dead:
            raise PowerGone
        self.calls += 1
        if self.faulty is not None:
            self._fault(call, path)
        if self.calls != self.gone_at:
            self.before = (call, path)
            return False
        self.dead = True
        self.cut_in = (self.doing, call, path)
        if call in ("sync", "sync_directory") or self.chance.random() < 0.5:
            raise PowerGone
        return True

    def looked(self, call: str, path: str) -> None:
        """A call that changes nothing. The power can be gone by then, and it can fail."""
        if self.dead:
            raise PowerGone
        if self.faulty is not None:
            self._fault(call, path)

    def _fault(self, call: str, path: str) -> None:
        assert self.faulty is not None
        number = self.faulty(call, path)
        if number:
            kind = HalfWritten if number < 0 else OSError
            raise kind(abs(number), os.strerror(abs(number)), path)

    # Files.

    def folder(self, path: str) -> Folder:
        """FileNotFoundError where it is not."""
        found = self._known.get(path)
        if found is None:
            parent, _, name = path.rpartition("/")
            each = self.folder(parent).names.get(name)
            if not isinstance(each, Folder):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            found = self._known[path] = each
        return found

    def find(self, path: str) -> Node | Folder | None:
        """What stands under the name, None for nothing."""
        parent, _, name = path.rpartition("/")
        try:
            return self.folder(parent).names.get(name)
        except FileNotFoundError:
            return None

    def node(self, path: str) -> Node:
        """FileNotFoundError where no file is."""
        found = self.find(path)
        if not isinstance(found, Node):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return found

    def make(self, path: str, made: "Node | Folder") -> bool:
        """A new name. Whether the power goes."""
        parent, _, name = path.rpartition("/")
        going = self.step("make", path)
        self._name(self.folder(parent), "", name, made)
        return self.end(going)

    def write(self, path: str, node: Node, offset: int, data: bytes) -> None:
        """At a place in a file; a hole before it reads as zeros. ENOSPC where there is no room, after what fits."""
        try:
            going = self.step("write", path)
        except HalfWritten:
            self._put(node, offset, data[: len(data) // 2])
            raise
        if self.room is not None:
            growth = max(0, offset + len(data) - len(node.data))
            free = max(0, self.room - self.occupied())
            if growth > free:
                self._put(node, offset, data[: max(0, len(data) - growth + free)])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        self._put(node, offset, data)
        self.end(going)

    def truncate(self, path: str, node: Node, size: int) -> None:
        going = self.step("truncate", path)
        _resize(node.data, size)
        node.pending.append((-1, size))
        self.end(going)

    def sync(self, path: str, node: Node) -> None:
        try:
            self.step("sync", path)
        except OSError:
            node.pending = []  # still to be seen, and called clean
            raise
        self.syncs += 1
        if self.lie:
            return
        for offset, change in node.pending:
            if isinstance(change, int):
                _resize(node.synced, change)
            else:
                _lay(node.synced, offset, change)
        node.pending = []

    def sync_folder(self, path: str) -> None:
        folder = self.folder(path)
        try:
            self.step("sync_directory", path)
        except OSError:
            folder.pending = []
            raise
        if self.lie:
            return
        for change in folder.pending:
            _rename(folder.synced, *change)
        folder.pending = []

    def rename(self, source: str, target: str) -> None:
        going = self.step("rename", source)
        parent, _, old = source.rpartition("/")
        other, _, new = target.rpartition("/")
        assert parent == other, "only within one directory"
        folder = self.folder(parent)
        if old not in folder.names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), source)
        self._name(folder, old, new, folder.names[old])
        self.end(going)

    def remove(self, path: str) -> None:
        """Harmless where nothing is."""
        going = self.step("remove", path)
        parent, _, name = path.rpartition("/")
        try:
            folder = self.folder(parent)
        except FileNotFoundError:
            return
        if name in folder.names:
            self._name(folder, name, "", None)
        self.end(going)

    def end(self, going: bool) -> bool:
        """After a call was done: the power goes now, if it goes in it."""
        if going:
            raise PowerGone
        return going

    def _put(self, node: Node, offset: int, data: bytes) -> None:
        if data:
            _lay(node.data, offset, data)
            node.pending.append((offset, bytes(data)))
            if self.room is not None:
                self.largest = max(self.largest, self.occupied())

    def _name(self, folder: Folder, old: str, new: str, what: "Node | Folder | None") -> None:
        moved = folder.names.get(old) if old else None
        _rename(folder.names, old, new, what)
        folder.pending.append((old, new, what))
        if isinstance(what, Folder) or isinstance(moved, Folder):
            self._known = {"": self._root, "/": self._root}

    # What survives.

    def _settle(self, folder: Folder, keep: float, harm: float, sector: int) -> None:
        if folder.pending:
            whole = self.chance.random() < 0.3  # as a journal would: a prefix of the changes, no other subset
            for named in folder.pending:
                if keep == 1.0 or self.chance.random() < keep:
                    _rename(folder.synced, *named)
                elif whole:
                    break
            folder.pending = []
        folder.names = dict(folder.synced)
        for each in folder.names.values():
            if isinstance(each, Folder):
                self._settle(each, keep, harm, sector)
            elif each.pending:
                for offset, change in each.pending:
                    if isinstance(change, int):
                        if self.chance.random() < keep:
                            _resize(each.synced, change)
                    else:
                        self._survive(each.synced, offset, change, keep, harm, sector)
                each.pending = []
                each.data = bytearray(each.synced)
            elif len(each.data) != len(each.synced) or each.data != each.synced:
                each.data = bytearray(each.synced)

    def _survive(self, synced: bytearray, offset: int, data: bytes, keep: float, harm: float, sector: int) -> None:
        chance = self.chance.random
        at = 0
        while at < len(data):
            end = min(len(data), at + sector - (offset + at) % sector)
            if chance() < keep:
                piece = data[at:end]
                if harm and chance() < harm:
                    piece = self._harmed(piece)
                _lay(synced, offset + at, piece)
            at = end

    def _harmed(self, piece: bytes) -> bytes:
        kept = self.chance.randrange(len(piece) + 1)
        match self.chance.randrange(4):
            case 0:
                return piece[:kept] + bytes(len(piece) - kept)
            case 1:
                return piece[:kept] + self.chance.randbytes(len(piece) - kept)
            case _:
                return piece[:kept]


def _lay(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _resize(content: bytearray, size: int) -> None:
    if size < len(content):
        del content[size:]
    else:
        content.extend(bytes(size - len(content)))


def _rename(names: "dict[str, Node | Folder]", old: str, new: str, what: "Node | Folder | None") -> None:
    if old:
        names.pop(old, None)
    if new and what is not None:
        names[new] = what
