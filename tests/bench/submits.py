"""Durable submits per second against the real broker, beside a bare gRPC echo of the same request in the same run."""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import grpc.aio

from tests.bench.echo import METHOD
from tests.bench.measure import Row, quantile
from tests.support.until import until
from tidegate import manifests
from tidegate.client.aio import AsyncClient
from tidegate.model.workload import Workload
from tidegate.v1 import workloads_pb2
from tidegate.wire import codec

FACTORY = Path("deploy/examples/factory")
UNARY = 2_000
IN_FLIGHT = 64
STREAMS, MESSAGES, PER_MESSAGE = 4, 10, 100


def rows() -> list[Row]:
    """Unary one by one and in flight, then streamed; each is decided over the factory's sites and synced first."""
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        command = [
            *(sys.executable, "-m", "broker", "--listen", "127.0.0.1:0", "--data-dir", str(Path(folder) / "data")),
            *("--ready-file", str(ready)),
        ]
        broker = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        echo = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.echo"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            until(ready.exists, 30, "the broker to be ready")
            assert echo.stdout is not None
            return asyncio.run(_measure(json.loads(ready.read_text())["address"], int(echo.stdout.readline())))
        finally:
            echo.communicate("")
            broker.terminate()
            broker.wait(20)


async def _measure(address: str, echo_port: int) -> list[Row]:
    template = manifests.load_files([FACTORY / "training.yaml"])[0]
    assert isinstance(template, Workload) and template.training
    # No agent is attached, so every decision is a refusal with its whole matrix; no code has to be there.
    template = replace(template, training=replace(template.training, working_dir="", code_digest="0" * 64))
    request = workloads_pb2.SubmitRequest(
        workload=codec.to_message(template), idempotency_key="k" * 32
    ).SerializeToString()
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{echo_port}")
    call = channel.unary_unary(METHOD)
    async with AsyncClient(address) as client:
        await client.apply(*(FACTORY / name for name in ("sites.yaml", "teams.yaml", "prices.yaml")))

        async def submit(number: int) -> None:
            await client.submit(replace(template, name=f"unary-{number}"))

        async def say(_: int) -> None:
            await call(request)

        found = []
        for width in (1, IN_FLIGHT):
            echo_rate, echo_p50, echo_p99 = await _unary(say, UNARY // 2, width)
            rate, p50, p99 = await _unary(lambda number, width=width: submit(number + width * UNARY), UNARY // 2, width)
            found.append(
                Row(
                    f"durable submits, unary, {width} in flight",
                    f"{rate:,.0f}/s, ack p50 {p50:.1f} ms, p99 {p99:.1f} ms",
                    f"bare echo {echo_rate:,.0f}/s, p50 {echo_p50:.1f}, p99 {echo_p99:.1f} ms; {rate / echo_rate:.0%}",
                )
            )
        found.append(await _streamed(client, template))
    await channel.close()
    return found


async def _unary(work: Callable[[int], Awaitable[None]], count: int, width: int) -> tuple[float, float, float]:
    taken: list[float] = []
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            began = time.perf_counter()
            await work(number)
            taken.append((time.perf_counter() - began) * 1000)

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(width)))
    return count / (time.perf_counter() - began), quantile(taken, 0.5), quantile(taken, 0.99)


async def _streamed(client: AsyncClient, template: Workload) -> Row:
    async def stream(number: int) -> int:
        async def batches():
            for message in range(MESSAGES):
                yield [
                    (replace(template, name=f"s{number}-{message}-{item}"), f"s{number}-{message}-{item}")
                    for item in range(PER_MESSAGE)
                ]

        return sum([len(results) async for results in client.submit_many(batches())])

    began = time.perf_counter()
    done = sum(await asyncio.gather(*(stream(number) for number in range(STREAMS))))
    seconds = time.perf_counter() - began
    assert done == STREAMS * MESSAGES * PER_MESSAGE
    return Row(
        f"durable submits, {STREAMS} streams x {PER_MESSAGE} a message",
        f"{done / seconds:,.0f}/s",
        f"{done:,} in {seconds:.1f} s",
    )
