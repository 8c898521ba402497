"""Files addressed by their content: `artifacts/<sha256>` when whole and verified, `<sha256>.part` until then.

A sender asks how much is here and goes on from there, however often the link breaks. A part counts only when its size
and digest are as promised: it is then synced, renamed, and the directory synced. A part that turns out wrong is
thrown away.

The log is on the same disk, so a file is taken only where `RESERVE_BYTES` stay free after it.

Blocking work runs in a thread. Limits: 64 GiB a file, one sender of a file at a time, 1 MiB a chunk.
"""

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from broker.log.disk import sync_directory
from broker.log.sqlite import RESERVE_BYTES, free_bytes
from tidegate.model.errors import Conflict, NotFound, Refused, Unavailable
from tidegate.model.registry import Artifact
from tidegate.wire.channel import CHUNK_BYTES

MOST_BYTES = 64 * 2**30
RETRY_FULL_MS = 10_000
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Contents:
    """The files of one data directory."""

    def __init__(self, directory: Path, *, free: Callable[[Path], int] = free_bytes) -> None:
        self._directory = directory
        self._free = free
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._receiving: set[str] = set()

    def held(self, digest: str) -> tuple[int, bool]:
        """Bytes held from the start, and whether that is all of it, verified."""
        whole, part = self._paths(digest)
        if whole.exists():
            return whole.stat().st_size, True
        return (part.stat().st_size, False) if part.exists() else (0, False)

    async def receive(self, artifact: Artifact, offset: int, chunks: AsyncIterator[bytes]) -> tuple[int, bool]:
        """Take chunks from `offset` on; what is held then, as `held` says.

        Conflict where the offset is not where this file stands. Refused where the content is not what it was called.
        Unavailable where the disk has no room for it; what came before stays.
        """
        whole, part = self._paths(artifact.digest)
        if not 0 <= artifact.size_bytes <= MOST_BYTES:
            wanted = f"0 to {MOST_BYTES}"
            raise Refused("is out of bounds", field="artifact.size_bytes", found=artifact.size_bytes, wanted=wanted)
        if whole.exists():
            return whole.stat().st_size, True
        missing = artifact.size_bytes - offset
        if self._free(self._directory) - missing < RESERVE_BYTES:
            raise Unavailable("too little free space", field="artifact.size_bytes", retry_after_ms=RETRY_FULL_MS)
        if artifact.digest in self._receiving:
            raise Unavailable("somebody else is sending this file", field="artifact.digest", retry_after_ms=500)
        self._receiving.add(artifact.digest)
        try:
            with part.open("ab") as file:
                if file.tell() != offset:
                    raise Conflict("not where this file stands", field="offset", found=offset, wanted=str(file.tell()))
                async for chunk in chunks:
                    if file.tell() + len(chunk) > artifact.size_bytes:
                        raise Refused("is longer than promised", field="data", wanted=f"{artifact.size_bytes} bytes")
                    await asyncio.to_thread(file.write, chunk)
                file.flush()
                held = file.tell()
            if held < artifact.size_bytes:
                return held, False
            await asyncio.to_thread(_adopt, part, whole, artifact.digest)
            return held, True
        except OSError as error:
            raise Unavailable(f"the file cannot be kept: {error}", retry_after_ms=RETRY_FULL_MS) from error
        finally:
            self._receiving.discard(artifact.digest)

    async def send(self, digest: str, offset: int) -> AsyncIterator[tuple[int, bytes, int]]:
        """Offset, data and whole size, chunk by chunk, from `offset` on. NotFound where it is not here whole."""
        whole, _ = self._paths(digest)
        if not whole.exists():
            raise NotFound("no such file", field="digest", found=digest)
        size = whole.stat().st_size
        if not 0 <= offset <= size:
            raise Refused("is out of bounds", field="offset", found=offset, wanted=f"0 to {size}")
        with whole.open("rb") as file:
            file.seek(offset)
            while data := await asyncio.to_thread(file.read, CHUNK_BYTES):
                yield offset, data, size
                offset += len(data)
            if offset == 0:
                yield 0, b"", 0

    def _paths(self, digest: str) -> tuple[Path, Path]:
        if not _DIGEST.fullmatch(digest):
            raise Refused("is not a digest", field="digest", found=digest[:80], wanted="64 hex digits (SHA-256)")
        return self._directory / digest, self._directory / f"{digest}.part"


def _adopt(part: Path, whole: Path, digest: str) -> None:
    """The part under its own name, durable; or gone, where it is not what it was called."""
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != digest:
            part.unlink()
            raise Refused("the content is not what it was called", field="artifact.digest", found=found, wanted=digest)
        os.fsync(file.fileno())
    part.rename(whole)
    sync_directory(whole.parent)
