"""Group commit: many tasks, few syncs; nobody is answered before the disk, and nobody is left without an answer."""

import asyncio
import errno

import pytest

from agents.spool import Fact, GroupCommit, Kind, Limits, ShedClass, SpoolFull, SpoolReader, SpoolWriter
from tests.disks.files import PlatterFiles
from tidegate.model.errors import Broken, Refused, Unavailable

ONE = Fact(Kind.SPANS, ShedClass.AUDIT, 1, 1, b"s" * 100)


@pytest.fixture
def disk() -> PlatterFiles:
    disk = PlatterFiles()
    disk.make_directory("/spool")
    return disk


def writer(disk: PlatterFiles) -> SpoolWriter:
    return SpoolWriter(disk, "/spool", "agent", Limits())


def test_a_thousand_callers_share_a_few_syncs_and_get_each_their_number(disk: PlatterFiles) -> None:
    before = 0

    async def scene() -> list[int]:
        nonlocal before
        commit = GroupCommit(writer(disk))
        before = disk.platter.syncs
        numbers = await asyncio.gather(*(commit.append([ONE]) for _ in range(1000)))
        await commit.close()
        return numbers

    assert asyncio.run(scene()) == list(range(1, 1001))
    assert 0 < disk.platter.syncs - before <= 3
    assert len(SpoolReader(disk, "/spool").read("agent", 0, 2**20)) == 1000


def test_one_callers_bad_fact_fails_no_other(disk: PlatterFiles) -> None:
    async def scene() -> list[object]:
        commit = GroupCommit(writer(disk))
        bad = Fact(Kind.GAP, ShedClass.OK, 0, 0, b"")
        answers = await asyncio.gather(
            commit.append([ONE]), commit.append([bad]), commit.append([ONE, ONE]), return_exceptions=True
        )
        await commit.close()
        return list(answers)

    first, second, third = asyncio.run(scene())
    assert (first, third) == (1, 3)
    assert isinstance(second, Refused)


def test_a_failed_sync_is_told_to_all_who_wait(disk: PlatterFiles) -> None:
    async def scene() -> list[object]:
        commit = GroupCommit(writer(disk))
        disk.platter.fail("sync", errno.EIO)
        answers = await asyncio.gather(*(commit.append([ONE]) for _ in range(5)), return_exceptions=True)
        await commit.close()
        return list(answers)

    assert all(isinstance(answer, Broken) for answer in asyncio.run(scene()))


def test_what_may_wait_is_bounded(disk: PlatterFiles) -> None:
    async def scene() -> list[object]:
        commit = GroupCommit(writer(disk), waiting_bytes=300)
        answers = await asyncio.gather(*(commit.append([ONE]) for _ in range(3)), return_exceptions=True)
        await commit.close()
        with pytest.raises(Unavailable):
            await commit.append([ONE])
        return list(answers)

    first, second, third = asyncio.run(scene())
    assert (first, second) == (1, 2)
    assert isinstance(third, SpoolFull)
