"""Files that arrive in parts under the SHA-256 of what is in them: a broker's artifacts, and what agents fetch of them.

    <directory>/<digest>         whole and verified
    <directory>/<digest>.part    on its way; its length says where to go on

A part becomes whole by: digest right, sync, rename, sync of the directory. One whose digest is wrong is deleted, since
it would never come right; so is one whose sync failed, since the kernel may have dropped its pages and a second sync
would be told that all is well. Whoever owns the directory says who may send, how much, and in which words it is told.

Every method may raise OSError, and is Refused where a digest is none.
"""

import hashlib
import re
from pathlib import Path

from tidegate.files import FileSystem
from tidegate.model.errors import Refused

_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_digest(name: str) -> bool:
    """Whether it is 64 hex digits."""
    return _DIGEST.fullmatch(name) is not None


def digest_of(files: FileSystem, path: str) -> str:
    """SHA-256 of a file's content, hex."""
    digest = hashlib.sha256()
    for piece in files.pieces(path):
        digest.update(piece)
    return digest.hexdigest()


class Arrivals:
    """Those of one directory, which is there. One process at a time uses it, and one caller each file."""

    def __init__(self, files: FileSystem, directory: Path) -> None:
        self._files = files
        self._directory = directory
        self._lost: set[str] = set()
        """Digests of which a sync failed and nothing was deleted yet: what is seen of them is not on the disk."""

    def whole(self, digest: str) -> str:
        """Where the whole file is, or would be."""
        if not is_digest(digest):
            raise Refused("is not a digest", field="digest", found=digest[:80], wanted="64 hex digits (SHA-256)")
        return str(self._directory / digest)

    def part(self, digest: str) -> str:
        """Where it is while it is on its way."""
        return f"{self.whole(digest)}.part"

    def held(self, digest: str) -> tuple[int, bool]:
        """Bytes that are here from the start, and whether that is all of it, verified."""
        self.forget_lost()
        whole, part = self.whole(digest), self.part(digest)
        if self._files.exists(whole):
            return self._files.size(whole), True
        return (self._files.size(part), False) if self._files.exists(part) else (0, False)

    def finish(self, digest: str) -> str:
        """Make the part whole, durably, where its digest is right; else drop it. The digest that was found."""
        self.forget_lost()
        whole, part = self.whole(digest), self.part(digest)
        found = digest_of(self._files, part)
        if found != digest:
            self._files.remove(part)
            return found
        try:
            file = self._files.append(part)
            try:
                file.sync()
            finally:
                file.close()
            self._files.rename(part, whole)
            self._files.sync_directory(str(self._directory))
        except OSError:
            self._lost.add(digest)
            self.forget_lost()
            raise
        return found

    def forget_lost(self) -> None:
        """Delete what is seen and is not on the disk; where even that fails, it is tried again."""
        for digest in sorted(self._lost):
            self._files.remove(self.part(digest))
            self._files.remove(self.whole(digest))
            self._lost.discard(digest)
