"""Files addressed by their content: `artifacts/<sha256>` when whole and verified, `<sha256>.part` until then.

A sender asks how much is here and goes on from there, however often the link breaks. A part counts only when its size
and digest are as promised; how it then becomes whole is told in `tidegate.arrivals`. Where a part from before was gone
on with, a wrong digest may be a power cut's doing and not the sender's: it is asked to send all of it again.

The log is on the same disk, so a file is taken only where `RESERVE_BYTES` stay free after it.

Blocking work runs in a thread. Limits: 64 GiB a file, one sender of a file at a time, 1 MiB a chunk.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from broker.log.sqlite import RESERVE_BYTES
from tidegate.arrivals import Arrivals
from tidegate.files import FileSystem, RealFiles, fault
from tidegate.model.errors import Conflict, NotFound, Refused, Unavailable
from tidegate.model.registry import Artifact
from tidegate.wire.channel import CHUNK_BYTES

MOST_BYTES = 64 * 2**30
CHUNKS_A_PIECE = 8
LEAST_CHUNK_BYTES = 4 * 1024
RETRY_FULL_MS = 10_000


class Contents:
    """The files of one data directory."""

    def __init__(
        self, directory: Path, *, free: Callable[[Path], int] | None = None, files: FileSystem | None = None
    ) -> None:
        self._directory = directory
        self._files = here = files or RealFiles()
        self._free = free or (lambda path: here.free(str(path)))
        try:
            self._files.make_directory(str(directory))
        except OSError as error:
            raise fault("making the directory", str(directory), error) from error
        self._receiving: set[str] = set()
        self._arrivals = Arrivals(self._files, directory)

    def held(self, digest: str) -> tuple[int, bool]:
        """Bytes held from the start, and whether that is all of it, verified."""
        try:
            return self._arrivals.held(digest)
        except OSError as error:
            raise Unavailable(f"the file cannot be looked at: {error}", retry_after_ms=RETRY_FULL_MS) from error

    async def receive(self, artifact: Artifact, offset: int, chunks: AsyncIterator[bytes]) -> tuple[int, bool]:
        """Take chunks from `offset` on; what is held then, as `held` says.

        Conflict where the offset is not where this file stands. Refused where the content is not what it was called.
        Unavailable where the disk has no room for it; what came before stays.
        """
        part = self._arrivals.part(artifact.digest)
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
            await asyncio.to_thread(self._adopt, artifact.digest, bool(offset))
            return held, True
        except OSError as error:
            raise Unavailable(f"the file cannot be kept: {error}", retry_after_ms=RETRY_FULL_MS) from error
        finally:
            self._receiving.discard(artifact.digest)

    async def send(self, digest: str, offset: int, most_bytes: int = 0) -> AsyncIterator[tuple[int, bytes, int]]:
        """Offset, data and whole size, chunk by chunk, from `offset` on. NotFound where it is not here whole.

        Where only so much is asked for (0: all), it comes in several chunks still: each that arrives is a sign of life.
        """
        whole = self._arrivals.whole(digest)
        if not self._files.exists(whole):
            raise NotFound("no such file", field="digest", found=digest)
        size = self._files.size(whole)
        if not 0 <= offset <= size:
            raise Refused("is out of bounds", field="offset", found=offset, wanted=f"0 to {size}")
        if most_bytes < 0:
            raise Refused("is out of bounds", field="most_bytes", found=most_bytes, wanted="0 or more")
        end = min(size, offset + most_bytes) if most_bytes else size
        chunk = max(LEAST_CHUNK_BYTES, most_bytes // CHUNKS_A_PIECE) if most_bytes else CHUNK_BYTES
        with await asyncio.to_thread(Path(whole).open, "rb") as file:
            file.seek(offset)
            while data := await asyncio.to_thread(file.read, min(chunk, CHUNK_BYTES, end - offset)):
                yield offset, data, size
                offset += len(data)
            if offset == 0:
                yield 0, b"", 0

    def _adopt(self, digest: str, resumed: bool) -> None:
        """The part under its own name, durable; or gone, where it is not what it was called."""
        found = self._arrivals.finish(digest)
        if found != digest and resumed:
            raise Unavailable("what was here of the file was damaged; send it again", retry_after_ms=500)
        if found != digest:
            raise Refused("the content is not what it was called", field="artifact.digest", found=found, wanted=digest)
