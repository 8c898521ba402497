"""Files over a real socket that breaks."""

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from agents.cache import ContentCache
from agents.link.artifacts import fetch, push
from tests.support.broker_stub import BrokerStub
from tests.support.until import until_async
from tidegate.model.errors import Refused, Unavailable
from tidegate.v1 import artifacts_pb2
from tidegate.wire.channel import CHUNK_BYTES, CLIENT_OPTIONS


@pytest.fixture
async def broker() -> AsyncIterator[BrokerStub]:
    stub = await BrokerStub().start()
    yield stub
    await stub.stop()


async def test_a_fetch_goes_on_where_the_link_broke(broker: BrokerStub, tmp_path: Path) -> None:
    data = os.urandom(3 * CHUNK_BYTES + 17)
    digest = broker.keep(data)
    broker.break_fetch_after = 2 * CHUNK_BYTES
    cache = ContentCache(tmp_path, reserve_bytes=0)
    async with grpc.aio.insecure_channel(broker.address, options=CLIENT_OPTIONS) as channel:
        with pytest.raises(Unavailable):
            await fetch(channel, cache, digest)
        again = ContentCache(tmp_path, reserve_bytes=0)
        path = await fetch(channel, again, digest)
    assert path.read_bytes() == data
    assert broker.fetched_from == [0, 2 * CHUNK_BYTES]


async def test_a_damaged_file_is_dropped_and_never_served(broker: BrokerStub, tmp_path: Path) -> None:
    digest = broker.keep(b"right")
    broker.files[digest] = b"wrong"
    cache = ContentCache(tmp_path, reserve_bytes=0)
    async with grpc.aio.insecure_channel(broker.address) as channel:
        with pytest.raises(Unavailable):
            await fetch(channel, cache, digest)
        assert not cache.has(digest)
        assert cache.held_bytes(digest) == 0
        broker.files[digest] = b"right"
        assert (await fetch(channel, cache, digest)).read_bytes() == b"right"


async def test_a_file_that_rots_on_the_disk_is_fetched_again(broker: BrokerStub, tmp_path: Path) -> None:
    digest = broker.keep(b"model")
    cache = ContentCache(tmp_path, reserve_bytes=0)
    async with grpc.aio.insecure_channel(broker.address) as channel:
        path = await fetch(channel, cache, digest)
        path.write_bytes(b"rot")
        assert (await fetch(channel, cache, digest)).read_bytes() == b"model"


async def test_outputs_arrive_under_their_digest(broker: BrokerStub, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(os.urandom(2 * CHUNK_BYTES + 5))
    async with grpc.aio.insecure_channel(broker.address, options=CLIENT_OPTIONS) as channel:
        artifact = await push(channel, path)
    assert broker.files[artifact.digest] == path.read_bytes()
    assert artifact.name == "model.onnx"


class PartKeeper(BrokerStub):
    """A broker that keeps what came of a file whose push broke, as the real one does."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: dict[str, bytes] = {}
        self.pushed_from: list[int] = []
        self.break_push_after = -1
        """Bytes held at which the next push breaks; -1 for never."""

    async def Stat(self, request: Any, context: Any) -> Any:
        whole = request.digest in self.files
        held = self.files[request.digest] if whole else self.parts.get(request.digest, b"")
        return artifacts_pb2.StatResponse(held_bytes=len(held), complete=whole)

    async def Push(self, request_iterator: AsyncIterator[Any], context: Any) -> Any:
        first = await anext(aiter(request_iterator))
        digest, size = first.artifact.digest, first.artifact.size_bytes
        self.pushed_from.append(first.offset)
        held = self.parts.get(digest, b"")
        assert len(held) == first.offset, "it goes on exactly where this file stands"
        held += first.data
        async for request in request_iterator:
            if 0 <= self.break_push_after <= len(held):
                self.break_push_after = -1
                await context.abort(grpc.StatusCode.UNAVAILABLE, "the link broke")
            assert request.offset == len(held)
            held += request.data
            self.parts[digest] = held
        if len(held) == size:
            assert self.keep(self.parts.pop(digest)) == digest
        return artifacts_pb2.PushResponse(held_bytes=len(held), complete=len(held) == size)


async def test_a_push_goes_on_where_the_link_broke_and_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(os.urandom(3 * CHUNK_BYTES + 17))
    broker = PartKeeper()
    await broker.start()
    broker.break_push_after = 2 * CHUNK_BYTES
    try:
        async with grpc.aio.insecure_channel(broker.address, options=CLIENT_OPTIONS) as channel:
            with pytest.raises(Unavailable):
                await push(channel, path)
        port = broker.port
        await broker.stop()  # the broker restarts; its part of the file is on its disk
        await broker.start(port)
        async with grpc.aio.insecure_channel(broker.address, options=CLIENT_OPTIONS) as channel:
            artifact = await push(channel, path)
            assert await push(channel, path) == artifact
        assert broker.files[artifact.digest] == path.read_bytes()
        assert broker.pushed_from == [0, 2 * CHUNK_BYTES]
    finally:
        await broker.stop()


async def test_only_what_the_broker_lacks_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"all of it")
    broker = PartKeeper()
    await broker.start()
    broker.parts[hashlib.sha256(b"all of it").hexdigest()] = b"all"
    try:
        async with grpc.aio.insecure_channel(broker.address) as channel:
            artifact = await push(channel, path)
        assert broker.files[artifact.digest] == b"all of it"
        assert broker.pushed_from == [3]
    finally:
        await broker.stop()


def test_a_short_disk_refuses_and_two_files_of_a_name_are_kept(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        ContentCache(tmp_path, reserve_bytes=2**62).append("a" * 64, 0, b"x", 1)
    cache = ContentCache(tmp_path, reserve_bytes=0)
    digests = []
    for data in (b"1", b"2", b"3"):
        digest = hashlib.sha256(data).hexdigest()
        cache.append(digest, 0, data, 1)
        cache.finish(digest)
        cache.use("service", digest)
        digests.append(digest)
    assert [cache.has(digest) for digest in digests] == [False, True, True]
    with pytest.raises(Refused):
        cache.path("../../etc/passwd")


def test_a_damaged_list_of_names_costs_no_file(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path)
    digest = hashlib.sha256(b"model").hexdigest()
    (tmp_path / digest).write_bytes(b"model")
    (tmp_path / "names.json").write_bytes(b'{"inspect": ["')
    cache.use("inspect", digest)
    assert cache.verified(digest)
    assert json.loads((tmp_path / "names.json").read_bytes()) == {"inspect": [digest]}


class Dawdling(BrokerStub):
    """Begins to answer, and never ends."""

    async def Fetch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        yield artifacts_pb2.FetchResponse(data=b"x", size_bytes=9)
        await asyncio.Event().wait()

    async def Stat(self, request: Any, context: Any) -> Any:
        await asyncio.Event().wait()


async def test_the_end_of_a_session_is_no_end_for_whoever_waits_for_a_file(tmp_path: Path) -> None:
    """gRPC cancels the calls of a closed channel; the tender that waits must hear that the world failed, and go on."""
    broker = await Dawdling().start()
    path = tmp_path / "model.onnx"
    path.write_bytes(b"a model")
    cache = ContentCache(tmp_path / "cache", reserve_bytes=0)
    try:
        async with grpc.aio.insecure_channel(broker.address) as channel:
            waiting = [
                asyncio.create_task(fetch(channel, cache, "a" * 64)),
                asyncio.create_task(push(channel, path)),
            ]
            await until_async(lambda: cache.held_bytes("a" * 64) == 1)
        for task in waiting:
            with pytest.raises(Unavailable, match="session"):
                await task
        with pytest.raises(Unavailable, match="session"):
            await push(channel, path)
    finally:
        await broker.stop()


async def test_a_cancelled_task_stays_cancelled(tmp_path: Path) -> None:
    broker = await Dawdling().start()
    cache = ContentCache(tmp_path / "cache", reserve_bytes=0)
    try:
        async with grpc.aio.insecure_channel(broker.address) as channel:
            waiting = asyncio.create_task(fetch(channel, cache, "a" * 64))
            await until_async(lambda: cache.held_bytes("a" * 64) == 1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
    finally:
        await broker.stop()
