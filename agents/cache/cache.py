"""A folder of files named by their SHA-256.

    <root>/<digest>         whole and verified
    <root>/<digest>.part    on its way; its length says where to go on
    <root>/<digest>.d/      an archive, unpacked
    <root>/names.json       {name: [current digest, previous digest]}

A part becomes whole by: all bytes there, digest right, fsync, rename, fsync of the folder. A part whose digest is wrong
is deleted: it would never come right. Of each name the current and the previous file are kept, so that going back to
the model before needs no network; what no name holds any more is deleted.

Limits: a file is refused when after it fewer than `reserve_bytes` would be free (default 256 MiB). An archive is a
.tar.gz of at most 10,000 members and 4 GiB; links and paths that leave the folder are refused (tarfile's data filter).
"""

import hashlib
import json
import os
import shutil
import tarfile
from pathlib import Path

from agents.store import write_whole
from tidegate.model.errors import Refused, Unavailable

RESERVE_BYTES = 256 * 2**20
MAX_MEMBERS = 10_000
MAX_UNPACKED_BYTES = 4 * 2**30
_READ = 1024 * 1024


class ContentCache:
    """One process at a time uses it."""

    def __init__(self, root: Path, reserve_bytes: int = RESERVE_BYTES) -> None:
        self._root = root
        self._reserve = reserve_bytes
        root.mkdir(parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        """Where the whole file is, or would be."""
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise Refused("not a SHA-256", field="digest", found=digest, wanted="64 hex digits")
        return self._root / digest

    def has(self, digest: str) -> bool:
        return self.path(digest).exists()

    def held_bytes(self, digest: str) -> int:
        """How much of a file that is on its way is here."""
        part = self._part(digest)
        return part.stat().st_size if part.exists() else 0

    def append(self, digest: str, offset: int, data: bytes, size_bytes: int) -> None:
        """Take the next bytes. Unavailable when they do not follow what is here, or the disk is too full."""
        if offset != self.held_bytes(digest):
            raise Unavailable("does not follow", field="offset", found=offset, wanted=str(self.held_bytes(digest)))
        free = shutil.disk_usage(self._root).free
        if free - (size_bytes - offset) < self._reserve:
            raise Unavailable(
                "too little free space", found=free, wanted=f">= {size_bytes - offset + self._reserve} bytes"
            )
        with self._part(digest).open("ab") as file:
            file.write(data)

    def finish(self, digest: str) -> Path:
        """Verify the part and make it whole, durably. Unavailable when its digest differs: then it is dropped."""
        part = self._part(digest)
        found = digest_of(part)
        if found != digest:
            part.unlink()
            raise Unavailable("a file came damaged and is fetched again", field="digest", found=found, wanted=digest)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(self.path(digest))
        folder = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return self.path(digest)

    def verified(self, digest: str) -> bool:
        """Whether the whole file is here and still what its name says; a damaged one is dropped, to be fetched anew."""
        path = self.path(digest)
        if not path.exists():
            return False
        if digest_of(path) == digest:
            return True
        path.unlink()
        return False

    def use(self, name: str, digest: str) -> None:
        """`digest` is the current file of `name`; what no name holds as current or previous is deleted."""
        names: dict[str, list[str]] = self._names()
        held = names.get(name, [])
        if held[:1] == [digest]:
            return
        names[name] = [digest, *[other for other in held if other != digest]][:2]
        write_whole(self._root / "names.json", json.dumps(names).encode())
        kept = {digest for digests in names.values() for digest in digests}
        for dropped in set(held) - kept:
            self.path(dropped).unlink(missing_ok=True)
            shutil.rmtree(self._folder(dropped), ignore_errors=True)

    def unpacked(self, digest: str) -> Path:
        """The folder of an archive that is here whole. Refused when it is no archive, or one that is not safe."""
        folder = self._folder(digest)
        if folder.exists():
            return folder
        unfinished = folder.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            with tarfile.open(self.path(digest), "r:*") as archive:
                members = archive.getmembers()
                if len(members) > MAX_MEMBERS or sum(each.size for each in members) > MAX_UNPACKED_BYTES:
                    raise Refused("too large an archive", field="code", found=f"{len(members)} members")
                archive.extractall(unfinished, members, filter="data")
        except (tarfile.TarError, OSError) as error:
            raise Refused(f"cannot be unpacked: {error}", field="code", found=digest, wanted="a .tar.gz") from error
        unfinished.replace(folder)
        return folder

    def _part(self, digest: str) -> Path:
        return self.path(digest).with_suffix(".part")

    def _folder(self, digest: str) -> Path:
        return self.path(digest).with_suffix(".d")

    def _names(self) -> dict[str, list[str]]:
        try:
            names: dict[str, list[str]] = json.loads((self._root / "names.json").read_bytes())
        except (FileNotFoundError, ValueError):  # damaged: files that it alone named are kept a little too long
            return {}
        return names


def digest_of(path: Path) -> str:
    """SHA-256 of a file's content, hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(_READ):
            digest.update(data)
    return digest.hexdigest()
