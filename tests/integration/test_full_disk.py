"""A broker whose disk fills up under it: it says so, ends no work, loses nothing, and goes on when there is room."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest

from tests.integration.test_broker import apply, submission
from tests.support.brokers import BrokerProcess
from tests.support.builders import book, cloud, job, press, rack
from tests.support.until import until_async
from tidegate.v1 import workloads_pb2
from tidegate.v1.workloads_pb2_grpc import WorkloadsStub

SIZE = 320 * 2**20
"""Of which the broker keeps 256 MiB and a write-ahead log's 16 free for what must still be written."""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A directory with a file system of its own under `data`."""
    data = tmp_path / "data"
    data.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(data)]
    if os.geteuid() or subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield tmp_path
    subprocess.run(["umount", "-l", str(data)], check=True)


def fill(data: Path, leave: int) -> None:
    """Take all but `leave` bytes of the disk."""
    ballast = data / "ballast"
    figures = os.statvfs(data)
    with suppress(OSError), ballast.open("ab", buffering=0) as file:
        missing = figures.f_bavail * figures.f_frsize - leave
        while missing > 0:
            missing -= file.write(bytes(min(missing, 2**20)))


async def refused(call: object) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as told:
        await call  # type: ignore[misc]
    assert told.value.code() is grpc.StatusCode.UNAVAILABLE
    return str(told.value.details())


async def test_a_disk_that_fills_is_lived_through(small: Path) -> None:
    data, broker = small / "data", BrokerProcess(small, "--heartbeat-ms", "200").start()
    try:
        async with broker.channel() as channel:
            workloads = WorkloadsStub(channel)
            await apply(channel, press(), rack(), cloud(), book())
            first = await workloads.Submit(submission(job(name="first"), "k1"))
            second = await workloads.Submit(submission(job(name="second"), "k2"))

            fill(data, 200 * 2**20)
            await until_async(lambda: _told(workloads, "nearly full"))
            await workloads.Cancel(workloads_pb2.CancelRequest(workload="first"))  # what ends work has room kept for it

            fill(data, 0)
            await until_async(lambda: _told(workloads, "disk is full"))
            assert "is full" in await refused(workloads.Cancel(workloads_pb2.CancelRequest(workload="second")))
            assert {"first", "second"} <= await _names(workloads)
        assert broker.process is not None and broker.process.poll() is None
        broker.kill()

        broker.start()  # with no more room than its own write-ahead log may give back
        async with broker.channel() as channel:
            workloads = WorkloadsStub(channel)
            assert {"first", "second"} <= await _names(workloads)
            assert "is full" in await refused(workloads.Cancel(workloads_pb2.CancelRequest(workload="second")))
            (data / "ballast").unlink()
            await until_async(lambda: _taken(workloads, "third"))
            again = await workloads.Submit(submission(job(name="first"), "k1"))
            assert again.workload_id == first.workload_id
            assert (await workloads.Submit(submission(job(name="second"), "k2"))).workload_id == second.workload_id
            assert {"first", "second", "third"} <= await _names(workloads)
        assert broker.stop() == 0
    finally:
        broker.kill()


async def _told(workloads: WorkloadsStub, word: str) -> bool:
    try:
        await workloads.Submit(submission(job(name="more"), "more"))
    except grpc.aio.AioRpcError as error:
        return word in str(error.details())
    return False


async def _taken(workloads: WorkloadsStub, name: str) -> bool:
    with suppress(grpc.aio.AioRpcError):
        await workloads.Submit(submission(job(name=name), name))
        return True
    return False


async def _names(workloads: WorkloadsStub) -> set[str]:
    found = await workloads.List(workloads_pb2.ListRequest())
    return {view.workload.name for view in found.views}
