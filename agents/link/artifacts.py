"""Files to and from the broker, by digest, in chunks, from where the last try ended.

A call is given up after `CALL_SECONDS`; what came stays in the cache, and the next call goes on there.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc

from agents.cache.cache import ContentCache
from agents.link.fault import told
from tidegate.arrivals import digest_of
from tidegate.files import RealFiles
from tidegate.model.errors import Unavailable
from tidegate.model.registry import Artifact
from tidegate.v1 import artifacts_pb2, artifacts_pb2_grpc
from tidegate.wire.channel import CHUNK_BYTES, UNARY_DEADLINE_S
from tidegate.wire.codec import to_message

CALL_SECONDS = 600.0
"""The longest that one call moves one file before it is taken up again."""


async def fetch(channel: grpc.aio.Channel, cache: ContentCache, digest: str) -> Path:
    """The file, whole and verified. Raises what the broker refused; Unavailable where a later call goes on."""
    if cache.verified(digest):
        return cache.path(digest)
    stub = artifacts_pb2_grpc.ArtifactsStub(channel)
    held = cache.held_bytes(digest)
    size = -1
    with told():
        call = stub.Fetch(artifacts_pb2.FetchRequest(digest=digest, offset=held), timeout=CALL_SECONDS)
        async for piece in call:
            size = piece.size_bytes
            if piece.data:
                cache.append(digest, piece.offset, piece.data, size)
    if size >= 0 and cache.held_bytes(digest) < size:
        raise Unavailable("the file ended early", field="digest", found=cache.held_bytes(digest), wanted=str(size))
    if cache.held_bytes(digest) == 0:
        raise Unavailable("nothing came", field="digest", found=digest)
    return cache.finish(digest)


async def push(channel: grpc.aio.Channel, path: Path) -> Artifact:
    """Bring a file to the broker, unless it is there; its artifact."""
    artifact = Artifact(digest_of(RealFiles(), str(path)), path.stat().st_size, path.name)
    stub = artifacts_pb2_grpc.ArtifactsStub(channel)
    with told():
        there = await stub.Stat(artifacts_pb2.StatRequest(digest=artifact.digest), timeout=UNARY_DEADLINE_S)
        if there.complete:
            return artifact
        answer = await stub.Push(_pieces(path, artifact, there.held_bytes), timeout=CALL_SECONDS)
    if not answer.complete:
        raise Unavailable("the file did not arrive whole", field="digest", found=answer.held_bytes)
    return artifact


async def _pieces(path: Path, artifact: Artifact, offset: int) -> AsyncIterator[artifacts_pb2.PushRequest]:
    yield artifacts_pb2.PushRequest(artifact=to_message(artifact), offset=offset)
    while data := await asyncio.to_thread(_read, path, offset):
        yield artifacts_pb2.PushRequest(offset=offset, data=data)
        offset += len(data)


def _read(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(CHUNK_BYTES)
