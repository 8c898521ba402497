"""The real broker on this machine's disk, whose sync is made to fail by means of the kernel: it ends and says why."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.integration.test_broker import apply, submission
from tests.support.brokers import BrokerProcess
from tests.support.builders import book, cloud, job, press, rack
from tests.support.until import until
from tidegate.v1.workloads_pb2_grpc import WorkloadsStub

BROKEN = 70


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    if shutil.which("strace") is None:
        pytest.skip("strace is not here: nothing makes a call of another process fail")
    process = BrokerProcess(tmp_path, "--heartbeat-ms", "10000").start()
    yield process
    process.kill()


def failing(broker: BrokerProcess, error: str) -> "subprocess.Popen[bytes]":
    """From now on each thread's next sync fails. Returns once strace holds the broker."""
    assert broker.process is not None
    trace = broker.directory / "trace"
    calls = "fdatasync,fsync"
    command = ["strace", "-f", "-o", str(trace), "-p", str(broker.process.pid)]
    command += ["-e", f"trace={calls}", "-e", f"inject={calls}:error={error}:when=1"]
    said = (broker.directory / "strace.err").open("wb")
    tracing = subprocess.Popen(command, stderr=said)
    until(lambda: "attached" in (broker.directory / "strace.err").read_text() or tracing.poll() is not None, 10)
    if tracing.poll() is not None:
        pytest.skip("strace may not attach here")
    return tracing


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
async def test_a_sync_that_fails_ends_the_broker_and_costs_nothing_that_was_acknowledged(
    broker: BrokerProcess, error: str
) -> None:
    async with broker.channel() as channel:
        workloads = WorkloadsStub(channel)
        await apply(channel, press(), rack(), cloud(), book())
        first = await workloads.Submit(submission(job(name="first"), "k1"))
        tracing = failing(broker, error)
        with pytest.raises(grpc.aio.AioRpcError):
            await workloads.Submit(submission(job(name="second"), "k2"))
    assert broker.process is not None
    assert broker.process.wait(15) == BROKEN
    tracing.wait(10)
    assert "broken:" in broker.errors() and "log.db: the append failed: disk I/O error" in broker.errors()

    broker.start()
    async with broker.channel() as channel:
        workloads = WorkloadsStub(channel)
        again = await workloads.Submit(submission(job(name="first"), "k1"))
        assert again.workload_id == first.workload_id
        # The second was never acknowledged: it is there or it is not, and the key makes both come right.
        second = await workloads.Submit(submission(job(name="second"), "k2"))
        assert second.workload_id != first.workload_id
