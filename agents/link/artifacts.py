"""Files to and from the broker, by digest, from where the last try ended, in pieces of a second's worth of the link.

A file that comes is asked for piece by piece (`agents.link.pace`); one that goes is pushed so, a call for each piece.
Every message of a piece that came counts as a sign of the broker's life, and stays in the cache.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc

from agents.cache.cache import ContentCache
from agents.link.fault import told
from agents.link.pace import Paces, Piece
from tidegate.arrivals import digest_of
from tidegate.files import RealFiles
from tidegate.model.errors import Conflict, Unavailable
from tidegate.model.registry import Artifact
from tidegate.v1 import artifacts_pb2, artifacts_pb2_grpc
from tidegate.wire.channel import CHUNK_BYTES, UNARY_DEADLINE_S
from tidegate.wire.codec import to_message

CALL_SECONDS = 600.0
"""The longest that one call moves one piece before it is taken up again."""


class Carrier:
    """Files over one session's channel. `heard` is told of everything that came from the broker."""

    def __init__(self, channel: grpc.aio.Channel, paces: Paces, heard: Callable[[], None]) -> None:
        self._stub = artifacts_pb2_grpc.ArtifactsStub(channel)
        self._paces = paces
        self._heard = heard

    async def fetch(self, cache: ContentCache, digest: str, wanted: Callable[[], bool] = lambda: True) -> bool:
        """Bring the file here, whole and verified; False where it was not wanted any more before it was.

        Raises what the broker refused; Unavailable where a later call goes on.
        """
        if cache.verified(digest):
            return True
        whole = False
        while not whole:
            async with self._paces.fetch.piece() as piece:
                if (there := cache.has(digest)) or not wanted():  # two workloads of one model fetch it together
                    piece.moved = 0
                    return there
                whole = await self._fetched(cache, digest, piece)
        cache.finish(digest)
        return True

    async def push(self, path: Path) -> Artifact:
        """Bring a file to the broker, unless it is there; its artifact. Unavailable where a later call goes on."""
        digest = await asyncio.to_thread(digest_of, RealFiles(), str(path))
        artifact = Artifact(digest, path.stat().st_size, path.name)
        with told():
            there = await self._stub.Stat(artifacts_pb2.StatRequest(digest=digest), timeout=UNARY_DEADLINE_S)
        held, complete = there.held_bytes, there.complete
        while not complete:
            async with self._paces.push.piece() as piece:
                held, complete = await self._pushed(path, artifact, held, piece)
        return artifact

    async def _fetched(self, cache: ContentCache, digest: str, wanted: Piece) -> bool:
        """One piece into the cache; whether that was the last."""
        held, size = cache.held_bytes(digest), -1
        asked = artifacts_pb2.FetchRequest(digest=digest, offset=held, most_bytes=wanted.bytes)
        with told():
            call = self._stub.Fetch(asked, timeout=CALL_SECONDS)
            try:
                async for message in call:
                    self._heard()
                    size = message.size_bytes
                    if message.data or not size:
                        cache.append(digest, message.offset, message.data, size)
            finally:
                call.cancel()
        now = cache.held_bytes(digest)
        if size < 0 and not held:
            raise Unavailable("nothing came", field="digest", found=digest)
        if held == now < size:
            raise Unavailable("the file ended early", field="digest", found=held, wanted=str(size))
        wanted.moved = now - held
        return now >= size

    async def _pushed(self, path: Path, artifact: Artifact, held: int, given: Piece) -> tuple[int, bool]:
        """One piece; how much is there then, and whether that is the whole."""
        end = min(held + given.bytes, artifact.size_bytes)
        try:
            with told():
                answer = await self._stub.Push(_messages(path, artifact, held, end), timeout=CALL_SECONDS)
        except Conflict as error:  # it stands elsewhere by now: whoever made the same file was quicker
            raise Unavailable(f"somebody else is sending this file: {error}") from error
        self._heard()
        if not answer.complete and answer.held_bytes <= held:
            raise Unavailable("the file did not arrive whole", field="digest", found=answer.held_bytes)
        given.moved = end - held
        return answer.held_bytes, answer.complete


async def _messages(path: Path, artifact: Artifact, offset: int, end: int) -> AsyncIterator[artifacts_pb2.PushRequest]:
    yield artifacts_pb2.PushRequest(artifact=to_message(artifact), offset=offset)
    while data := await asyncio.to_thread(_read, path, offset, end):
        yield artifacts_pb2.PushRequest(offset=offset, data=data)
        offset += len(data)


def _read(path: Path, offset: int, end: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(min(CHUNK_BYTES, end - offset))
