"""The embedded log keeps `Log`'s promises while the loop goes on turning."""

import asyncio
from pathlib import Path

import pytest

from broker.log.database import Settings
from broker.log.embedded import EmbeddedLog
from broker.log.interface import Log
from tests.broker.log.history import made_up_run
from tidegate.model.errors import Broken, Refused


async def test_what_is_appended_is_read_and_verified(tmp_path: Path) -> None:
    log: Log = await EmbeddedLog.open(tmp_path)
    assert await log.append(made_up_run(0, 2_500)) == 2_500
    assert log.head.offset == 2_500
    assert [row.offset for row in await log.read(2_498, 100)] == [2_499, 2_500]
    assert await log.chain_at(2_500) == log.head.chain
    assert await log.verify() is None
    assert await log.room() > 0
    await log.close()


async def test_appends_given_at_once_take_their_turn(tmp_path: Path) -> None:
    log = await EmbeddedLog.open(tmp_path, Settings(wal_bytes=64 * 1024))
    offsets = await asyncio.gather(*(log.append(made_up_run(0, 1 + n % 7)) for n in range(60)))
    assert list(offsets) == [sum(1 + n % 7 for n in range(upto + 1)) for upto in range(60)]
    assert await log.verify() is None
    await log.close()


async def test_an_append_whose_caller_gave_up_is_whole_or_absent(tmp_path: Path) -> None:
    log = await EmbeddedLog.open(tmp_path)
    waiting = [asyncio.ensure_future(log.append(made_up_run(0, 10))) for _ in range(20)]
    await asyncio.sleep(0)
    for task in waiting[::2]:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert await log.append([]) % 10 == 0
    assert await log.verify() is None
    await log.close()


async def test_one_broker_to_a_log(tmp_path: Path) -> None:
    log = await EmbeddedLog.open(tmp_path)
    with pytest.raises(Refused, match="belongs to process"):
        await EmbeddedLog.open(tmp_path)
    await log.close()
    await log.close()
    with pytest.raises(Broken, match="closed"):
        await log.append(made_up_run(0, 1))
    await (await EmbeddedLog.open(tmp_path)).close()
