"""A folder of files named by their SHA-256.

    <root>/<digest>         whole and verified
    <root>/<digest>.part    on its way; its length says where to go on
    <root>/<digest>.d/      an archive, unpacked
    <root>/names.json       {name: [current digest, previous digest]}

How a part becomes whole is told in `tidegate.arrivals`. An archive's files are synced before its folder gets its name,
so a folder with that name is whole after a power cut too. Of each name the current and the previous file are kept, so
that going back to the model before needs no network; what no name holds any more is deleted.

A name that is gone is forgotten (`retain`), durably before its files go: a cut in between leaves files that nobody
names, which the next start clears away.

Limits: a file is refused when after it fewer than `reserve_bytes` would be free (default 256 MiB). An archive is a
.tar.gz of at most 10,000 files and folders and 4 GiB; links, and paths that leave the folder, are refused.

Errors: `Refused` for what can never come right; what the file system raises is `Unavailable`, and tried again.
"""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from agents.cache.archive import UNREADABLE, unpack
from tidegate.arrivals import Arrivals, digest_of, is_digest
from tidegate.files import UNFINISHED, FileSystem, RealFiles, put
from tidegate.model.errors import Refused, Unavailable

RESERVE_BYTES = 256 * 2**20


class ContentCache:
    """One process at a time uses it."""

    def __init__(self, root: Path, reserve_bytes: int = RESERVE_BYTES, files: FileSystem | None = None) -> None:
        """Unavailable where the folder cannot be made."""
        self._root = root
        self._reserve = reserve_bytes
        self._files = files or RealFiles()
        self._arrivals = Arrivals(self._files, root)
        self._unnamed = False
        """Whether `names.json` may be other than it looks: its last writing failed."""
        with self._disk("making"):
            self._files.make_directory(str(root))
            self._clear()

    def path(self, digest: str) -> Path:
        """Where the whole file is, or would be."""
        return Path(self._arrivals.whole(digest))

    def has(self, digest: str) -> bool:
        with self._disk("reading"):
            return self._arrivals.held(digest)[1]

    def held_bytes(self, digest: str) -> int:
        """How much of a file that is on its way is here."""
        with self._disk("reading"):
            held, whole = self._arrivals.held(digest)
            return 0 if whole else held

    def append(self, digest: str, offset: int, data: bytes, size_bytes: int) -> None:
        """Take the next bytes. Unavailable when they do not follow what is here, or the disk is too full."""
        if offset != self.held_bytes(digest):
            raise Unavailable("does not follow", field="offset", found=offset, wanted=str(self.held_bytes(digest)))
        with self._disk("filling"):
            free = self._files.free(str(self._root))
            if free - (size_bytes - offset) < self._reserve:
                raise Unavailable(
                    "too little free space", found=free, wanted=f">= {size_bytes - offset + self._reserve} bytes"
                )
            file = self._files.append(self._arrivals.part(digest))
            try:
                file.write(data)
            finally:
                file.close()

    def finish(self, digest: str) -> Path:
        """Verify the part and make it whole, durably. Unavailable when its digest differs: then it is dropped."""
        with self._disk("finishing"):
            found = self._arrivals.finish(digest)
        if found != digest:
            raise Unavailable("a file came damaged and is fetched again", field="digest", found=found, wanted=digest)
        return self.path(digest)

    def verified(self, digest: str) -> bool:
        """Whether the whole file is here and still what its name says; a damaged one is dropped, to be fetched anew."""
        path = str(self.path(digest))
        with self._disk("reading"):
            if not self._arrivals.held(digest)[1]:
                return False
            if digest_of(self._files, path) == digest:
                return True
            self._files.remove(path)
            return False

    def use(self, name: str, digest: str) -> None:
        """`digest` is the current file of `name`; what no name holds as current or previous is deleted."""
        with self._disk("naming files in"):
            names: dict[str, list[str]] = self._names()
            held = names.get(name, [])
            if held[:1] == [digest] and not self._unnamed:
                return
            names[name] = [digest, *[other for other in held if other != digest]][:2]
            self._write(names)
            kept = {digest for digests in names.values() for digest in digests}
            for dropped in sorted(set(held) - kept):
                self._drop(dropped)

    def retain(self, names: Collection[str], wanted: Collection[str]) -> None:
        """Forget every name but these, and delete all that none of them holds, whole or in part.

        The digests in `wanted` are kept as well: they are on their way to a name that is not written yet.
        """
        with self._disk("forgetting in"):
            before = self._names()
            left = {name: held for name, held in before.items() if name in names}
            if left != before or self._unnamed:
                self._write(left)
            kept = {digest for held in left.values() for digest in held} | set(wanted)
            for entry in self._files.names(str(self._root)):
                digest = entry.removesuffix(".part").removesuffix(".d")
                if is_digest(digest) and digest not in kept:
                    self._drop(digest)

    def unpacked(self, digest: str) -> Path:
        """The folder of an archive that is here whole. Refused when it is no archive, or one that is not safe."""
        folder = self._folder(digest)
        unfinished = folder + UNFINISHED
        with self._disk("unpacking in"):
            if self._files.exists(folder):
                return Path(folder)
            self._files.remove_tree(unfinished)
            try:
                unpack(self._files, self._files.pieces(str(self.path(digest))), unfinished)
            except Refused:
                self._files.remove_tree(unfinished)
                raise
            except UNREADABLE as error:
                self._files.remove_tree(unfinished)
                raise Refused(f"cannot be unpacked: {error}", field="code", found=digest, wanted="a .tar.gz") from error
            try:
                self._files.rename(unfinished, folder)
                self._files.sync_directory(str(self._root))
            except OSError:  # the name is seen and may not last: without it the next try begins anew
                self._files.rename(folder, unfinished)
                raise
        return Path(folder)

    def _drop(self, digest: str) -> None:
        """A folder loses its name, durably, before the first file in it goes: half of one must never have that name."""
        self._files.remove(str(self.path(digest)))
        self._files.remove(self._arrivals.part(digest))
        folder = self._folder(digest)
        if self._files.exists(folder):
            self._files.remove_tree(folder + UNFINISHED)
            self._files.rename(folder, folder + UNFINISHED)
            self._files.sync_directory(str(self._root))
            self._files.remove_tree(folder + UNFINISHED)

    def _clear(self) -> None:
        """What a crash left half made or half dropped: nobody else would ever delete it."""
        kept = {digest for digests in self._names().values() for digest in digests}
        for name in self._files.names(str(self._root)):
            digest = name.removesuffix(".d")
            if name.endswith(f".d{UNFINISHED}"):
                self._files.remove_tree(f"{self._root}/{name}")
            elif kept and is_digest(digest) and digest not in kept:
                self._drop(digest)

    def _folder(self, digest: str) -> str:
        return f"{self.path(digest)}.d"

    def _write(self, names: dict[str, list[str]]) -> None:
        self._unnamed = True
        put(self._files, f"{self._root}/names.json", [json.dumps(names).encode()])
        self._unnamed = False

    def _names(self) -> dict[str, list[str]]:
        try:
            names: dict[str, list[str]] = json.loads(self._files.read(f"{self._root}/names.json"))
        except (FileNotFoundError, ValueError):  # damaged: files that it alone named are kept a little too long
            return {}
        return names

    @contextmanager
    def _disk(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise Unavailable(f"{doing} {self._root} failed: {error}") from error
