"""Files addressed by their content: `artifacts/<sha256>` when whole and verified, `<sha256>.part` until then.

A sender asks how much is here and goes on from there, however often the link breaks. A part counts only when its size
and digest are as promised: it is then synced, renamed, and the directory synced. A part that turns out wrong is
thrown away; so is one whose sync failed, since a second sync might be told that all is well. Where a part from before
was gone on with, a wrong digest may be a power cut's doing and not the sender's: it is asked to send all of it again.

The log is on the same disk, so a file is taken only where `RESERVE_BYTES` stay free after it.

Blocking work runs in a thread. Limits: 64 GiB a file, one sender of a file at a time, 1 MiB a chunk.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from broker.log.sqlite import RESERVE_BYTES, free_bytes
from tidegate.files import FileSystem, RealFiles, fault
from tidegate.model.errors import Conflict, NotFound, Refused, Unavailable
from tidegate.model.registry import Artifact
from tidegate.wire.channel import CHUNK_BYTES

MOST_BYTES = 64 * 2**30
RETRY_FULL_MS = 10_000
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Contents:
    """The files of one data directory."""

    def __init__(
        self, directory: Path, *, free: Callable[[Path], int] = free_bytes, files: FileSystem | None = None
    ) -> None:
        self._directory = directory
        self._free = free
        self._files = files or RealFiles()
        try:
            self._files.make_directory(str(directory))
        except OSError as error:
            raise fault("making the directory", str(directory), error) from error
        self._receiving: set[str] = set()
        self._lost: set[str] = set()
        """Digests of which a sync failed and nothing was deleted yet: what is seen of them is not on the disk."""

    def held(self, digest: str) -> tuple[int, bool]:
        """Bytes held from the start, and whether that is all of it, verified."""
        whole, part = self._paths(digest)
        try:
            self._forget_lost()
            if self._files.exists(whole):
                return self._files.size(whole), True
            return (self._files.size(part), False) if self._files.exists(part) else (0, False)
        except OSError as error:
            raise Unavailable(f"the file cannot be looked at: {error}", retry_after_ms=RETRY_FULL_MS) from error

    async def receive(self, artifact: Artifact, offset: int, chunks: AsyncIterator[bytes]) -> tuple[int, bool]:
        """Take chunks from `offset` on; what is held then, as `held` says.

        Conflict where the offset is not where this file stands. Refused where the content is not what it was called.
        Unavailable where the disk has no room for it; what came before stays.
        """
        whole, part = self._paths(artifact.digest)
        if not 0 <= artifact.size_bytes <= MOST_BYTES:
            wanted = f"0 to {MOST_BYTES}"
            raise Refused("is out of bounds", field="artifact.size_bytes", found=artifact.size_bytes, wanted=wanted)
        there, complete = self.held(artifact.digest)
        if complete:
            return there, True
        missing = artifact.size_bytes - offset
        if self._free(self._directory) - missing < RESERVE_BYTES:
            raise Unavailable("too little free space", field="artifact.size_bytes", retry_after_ms=RETRY_FULL_MS)
        if artifact.digest in self._receiving:
            raise Unavailable("somebody else is sending this file", field="artifact.digest", retry_after_ms=500)
        self._receiving.add(artifact.digest)
        try:
            held, _ = self.held(artifact.digest)
            if held != offset:
                raise Conflict("not where this file stands", field="offset", found=offset, wanted=str(held))
            file = self._files.append(part)
            try:
                async for chunk in chunks:
                    if held + len(chunk) > artifact.size_bytes:
                        raise Refused("is longer than promised", field="data", wanted=f"{artifact.size_bytes} bytes")
                    await asyncio.to_thread(file.write, chunk)
                    held += len(chunk)
            finally:
                file.close()
            if held < artifact.size_bytes:
                return held, False
            await asyncio.to_thread(self._adopt, part, whole, artifact.digest, bool(offset))
            return held, True
        except OSError as error:
            raise Unavailable(f"the file cannot be kept: {error}", retry_after_ms=RETRY_FULL_MS) from error
        finally:
            self._receiving.discard(artifact.digest)

    async def send(self, digest: str, offset: int) -> AsyncIterator[tuple[int, bytes, int]]:
        """Offset, data and whole size, chunk by chunk, from `offset` on. NotFound where it is not here whole."""
        whole, _ = self._paths(digest)
        if not self._files.exists(whole):
            raise NotFound("no such file", field="digest", found=digest)
        size = self._files.size(whole)
        if not 0 <= offset <= size:
            raise Refused("is out of bounds", field="offset", found=offset, wanted=f"0 to {size}")
        with await asyncio.to_thread(Path(whole).open, "rb") as file:
            file.seek(offset)
            while data := await asyncio.to_thread(file.read, CHUNK_BYTES):
                yield offset, data, size
                offset += len(data)
            if offset == 0:
                yield 0, b"", 0

    def _adopt(self, part: str, whole: str, digest: str, resumed: bool) -> None:
        """The part under its own name, durable; or gone, where it is not what it was called."""
        summed = hashlib.sha256()
        for piece in self._files.pieces(part):
            summed.update(piece)
        found = summed.hexdigest()
        if found != digest:
            self._files.remove(part)
            if resumed:
                raise Unavailable("what was here of the file was damaged; send it again", retry_after_ms=500)
            raise Refused("the content is not what it was called", field="artifact.digest", found=found, wanted=digest)
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
            self._forget_lost()
            raise

    def _forget_lost(self) -> None:
        """Delete what is seen and is not on the disk. OSError where even that fails: then it is tried again."""
        for digest in sorted(self._lost):
            for path in self._paths(digest):
                self._files.remove(path)
            self._lost.discard(digest)

    def _paths(self, digest: str) -> tuple[str, str]:
        if not _DIGEST.fullmatch(digest):
            raise Refused("is not a digest", field="digest", found=digest[:80], wanted="64 hex digits (SHA-256)")
        return str(self._directory / digest), str(self._directory / f"{digest}.part")
