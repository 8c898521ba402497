"""How soon a broker answers again after SIGKILL, with a million events in its log: `recovery [--events=N] [--in=DIR]`.

The log is written by the real log (`tests/support/long_log.py`), with the longest tail that the default cadence of
snapshots leaves. The broker is started on it, asked for work, killed in the midst of it and started again; measured is
from its exec to its first answer. The chain of the tail is checked at each start, the whole chain by `Events.Verify`.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil

from broker.config import SNAPSHOT_EVERY
from tests.bench.measure import Row
from tests.support.brokers import BrokerProcess
from tests.support.builders import job
from tests.support.long_log import write
from tidegate.client.aio import AsyncClient
from tidegate.model.errors import Unavailable

EVENTS = 1_000_000
STARTS = 3
SUBMITS = 60
"""Answered between a start and the next SIGKILL: each a decision over the whole fleet, durable."""
TAIL = SNAPSHOT_EVERY - 2 * (STARTS + 1) * SUBMITS
"""So that no start finds a newer snapshot: each folds nearly as many events as any ever does."""


def rows(options: Sequence[str] = ()) -> list[Row]:
    """Ready after SIGKILL, and the check of the whole chain. A directory that is there is used as it is."""
    chosen = dict(option.removeprefix("--").split("=", 1) for option in options)
    events = int(chosen.get("events", EVENTS))
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(chosen.get("in", folder))
        if not (directory / "data" / "log.db").exists():
            write(directory / "data", events, tail=TAIL)
        return asyncio.run(_measured(directory, events))


async def _measured(directory: Path, events: int) -> list[Row]:
    broker = BrokerProcess(directory)
    ready: list[tuple[float, float]] = []
    acknowledged = ""
    try:
        for number in range(STARTS + 1):
            began = time.perf_counter()
            await asyncio.to_thread(broker.start)
            async with AsyncClient(broker.address) as client:
                view = await client.get(acknowledged or "w1000")
                ready.append((time.perf_counter() - began, _cpu_s(broker)))
                assert not acknowledged or view.id == acknowledged, "what was acknowledged is not there"
                if number < STARTS:
                    acknowledged = await _worked(client, broker, f"{os.getpid()}-{number}")
                    continue
                began = time.perf_counter()
                judged = await client.verify()
                chain_s = time.perf_counter() - began
                assert judged.rows >= events and not [one for one in judged.findings if one.about == "log"]
    finally:
        broker.kill()
    after = sorted(ready[1:])
    wall_s, cpu_s = after[len(after) // 2]
    size = (directory / "data" / "log.db").stat().st_size
    snapshot = max(path.stat().st_size for path in (directory / "data" / "snapshots").iterdir())
    return [
        Row(
            f"ready after SIGKILL, {events:,} events",
            f"{wall_s:.2f} s from exec to the first answer, {cpu_s:.2f} s of CPU (best {after[0][0]:.2f} s)",
            f"log {size / 1e6:,.0f} MB, snapshot {snapshot / 1e6:.0f} MB, {TAIL:,} to {SNAPSHOT_EVERY:,} events folded",
        ),
        Row(
            f"chain of {judged.rows:,} rows checked whole",
            f"{chain_s:.1f} s beside the running broker",
            f"{judged.rows / chain_s:,.0f} rows/s",
        ),
    ]


async def _worked(client: AsyncClient, broker: BrokerProcess, name: str) -> str:
    """Submissions until the broker is killed in the midst of them; the last that was acknowledged."""
    last = ""
    template = job()
    assert template.training is not None

    async def submit(number: int) -> None:
        nonlocal last
        last = (await client.submit(replace(template, name=f"again-{name}-{number}"))).workload_id
        if number == SUBMITS:
            broker.kill()

    for number in range(SUBMITS + 1):
        try:
            await submit(number)
        except Unavailable:
            break
    return last


def _cpu_s(broker: BrokerProcess) -> float:
    assert broker.process is not None
    times = psutil.Process(broker.process.pid).cpu_times()
    return float(times.user + times.system)
