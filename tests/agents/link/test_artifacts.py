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
from agents.clock import SystemClock
from agents.link.artifacts import Carrier
from agents.link.pace import FIRST_BYTES, Paces
from tests.support.broker_stub import BrokerStub
from tests.support.until import until_async
from tidegate.model.errors import Refused, Unavailable
from tidegate.model.registry import Artifact
from tidegate.v1 import artifacts_pb2
from tidegate.wire.channel import CHUNK_BYTES, CLIENT_OPTIONS


def carrier(channel: grpc.aio.Channel) -> Carrier:
    return Carrier(channel, Paces(SystemClock(), 1, 1), lambda: None)


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
            await carrier(channel).fetch(cache, digest)
        again = ContentCache(tmp_path, reserve_bytes=0)
        assert await carrier(channel).fetch(again, digest)
    assert again.path(digest).read_bytes() == data
    assert broker.fetched_bytes == len(data)
    assert broker.fetched_from[:2] == [0, FIRST_BYTES], "piece by piece"


async def test_two_workloads_of_one_model_fetch_it_once(broker: BrokerStub, tmp_path: Path) -> None:
    data = os.urandom(CHUNK_BYTES)
    digest = broker.keep(data)
    cache = ContentCache(tmp_path, reserve_bytes=0)
    async with grpc.aio.insecure_channel(broker.address, options=CLIENT_OPTIONS) as channel:
        one = carrier(channel)
        await asyncio.gather(*(one.fetch(cache, digest) for _ in range(3)))
    assert cache.verified(digest)
    assert broker.fetched_bytes == len(data)


async def test_a_file_of_nothing_is_a_file(broker: BrokerStub, tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.touch()
    async with grpc.aio.insecure_channel(broker.address) as channel:
        artifact = await carrier(channel).push(path)
        cache = ContentCache(tmp_path / "cache", reserve_bytes=0)
        await carrier(channel).fetch(cache, artifact.digest)
    assert cache.path(artifact.digest).read_bytes() == b""


async def test_whoever_pushes_what_another_pushes_too_tries_again(broker: BrokerStub, tmp_path: Path) -> None:
    """A conflict is no refusal: it would fail a job whose outputs somebody else has as well."""
    path = tmp_path / "model.onnx"
    path.write_bytes(os.urandom(3 * CHUNK_BYTES))
    async with grpc.aio.insecure_channel(broker.address, options=CLIENT_OPTIONS) as channel:
        both = await asyncio.gather(*(carrier(channel).push(path) for _ in range(2)), return_exceptions=True)
        assert all(isinstance(each, Artifact | Unavailable) for each in both)
        artifact = await carrier(channel).push(path)
    assert broker.files[artifact.digest] == path.read_bytes()


async def test_a_damaged_file_is_dropped_and_never_served(broker: BrokerStub, tmp_path: Path) -> None:
    digest = broker.keep(b"right")
    broker.files[digest] = b"wrong"
    cache = ContentCache(tmp_path, reserve_bytes=0)
    async with grpc.aio.insecure_channel(broker.address) as channel:
        with pytest.raises(Unavailable):
            await carrier(channel).fetch(cache, digest)
        assert not cache.has(digest)
        assert cache.held_bytes(digest) == 0
        broker.files[digest] = b"right"
        await carrier(channel).fetch(cache, digest)
    assert cache.path(digest).read_bytes() == b"right"


async def test_a_file_that_rots_on_the_disk_is_fetched_again(broker: BrokerStub, tmp_path: Path) -> None:
    digest = broker.keep(b"model")
    cache = ContentCache(tmp_path, reserve_bytes=0)
    async with grpc.aio.insecure_channel(broker.address) as channel:
        await carrier(channel).fetch(cache, digest)
        cache.path(digest).write_bytes(b"rot")
        await carrier(channel).fetch(cache, digest)
    assert cache.path(digest).read_bytes() == b"model"


async def test_outputs_arrive_under_their_digest(broker: BrokerStub, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(os.urandom(2 * CHUNK_BYTES + 5))
    async with grpc.aio.insecure_channel(broker.address, options=CLIENT_OPTIONS) as channel:
        artifact = await carrier(channel).push(path)
    assert broker.files[artifact.digest] == path.read_bytes()
    assert artifact.name == "model.onnx"


async def test_a_push_goes_on_where_the_link_broke_and_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(os.urandom(3 * CHUNK_BYTES + 17))
    broker = BrokerStub()
    await broker.start()
    broker.break_push_after = 2 * CHUNK_BYTES
    try:
        async with grpc.aio.insecure_channel(broker.address, options=CLIENT_OPTIONS) as channel:
            with pytest.raises(Unavailable):
                await carrier(channel).push(path)
        port = broker.port
        await broker.stop()  # the broker restarts; its part of the file is on its disk
        await broker.start(port)
        async with grpc.aio.insecure_channel(broker.address, options=CLIENT_OPTIONS) as channel:
            artifact = await carrier(channel).push(path)
            assert await carrier(channel).push(path) == artifact
        assert broker.files[artifact.digest] == path.read_bytes()
        assert broker.pushed_bytes == path.stat().st_size
        assert broker.pushed_from[:2] == [0, FIRST_BYTES], "piece by piece"
    finally:
        await broker.stop()


async def test_only_what_the_broker_lacks_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"all of it")
    broker = BrokerStub()
    await broker.start()
    broker.parts[hashlib.sha256(b"all of it").hexdigest()] = b"all"
    try:
        async with grpc.aio.insecure_channel(broker.address) as channel:
            artifact = await carrier(channel).push(path)
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
                asyncio.create_task(carrier(channel).fetch(cache, "a" * 64)),
                asyncio.create_task(carrier(channel).push(path)),
            ]
            await until_async(lambda: cache.held_bytes("a" * 64) == 1)
        for task in waiting:
            with pytest.raises(Unavailable, match="session"):
                await task
        with pytest.raises(Unavailable, match="session"):
            await carrier(channel).push(path)
    finally:
        await broker.stop()


async def test_a_cancelled_task_stays_cancelled(tmp_path: Path) -> None:
    broker = await Dawdling().start()
    cache = ContentCache(tmp_path / "cache", reserve_bytes=0)
    try:
        async with grpc.aio.insecure_channel(broker.address) as channel:
            waiting = asyncio.create_task(carrier(channel).fetch(cache, "a" * 64))
            await until_async(lambda: cache.held_bytes("a" * 64) == 1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
    finally:
        await broker.stop()
