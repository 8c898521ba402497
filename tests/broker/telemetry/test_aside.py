"""A damaged trace store keeps no broker from starting; what it had is told as missing; nothing else is set aside."""

import logging
from collections.abc import Iterator
from pathlib import Path
from random import Random

import apsw
import pytest

from broker.log.database import Settings
from broker.telemetry import aside
from broker.telemetry.embedded import Telemetry
from broker.telemetry.span import GapRange
from broker.telemetry.store import Hole, TelemetryStore
from tests.broker.telemetry.made import MARCH, gap_chunk, request, span, spans_chunk
from tests.disks.files import PlatterFiles
from tests.disks.platter import Platter, PowerGone
from tests.disks.vfs import PlatterVfs
from tidegate.model.errors import Broken, Unavailable

GARBAGE = b"no database at all " * 400


async def opened(folder: Path) -> Telemetry:
    return await Telemetry.open(folder, lambda: MARCH)


def checkpointed(folder: Path) -> Path:
    """The store's file, holding all there is."""
    store = TelemetryStore(folder)
    store._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    store.close()
    return folder / "telemetry.db"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith((".lock", "-wal", "-shm"))}


async def test_the_broker_starts_anew_and_a_stream_goes_on_where_its_spool_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = await opened(tmp_path)
    await store.receive("press-7", "main", [spans_chunk(seq, span(1, seq)) for seq in (1, 2, 3)])
    await store.close()
    checkpointed(tmp_path).write_bytes(GARBAGE)
    with caplog.at_level(logging.ERROR):
        store = await opened(tmp_path)
    assert "set aside as" in caplog.text
    assert names(tmp_path) == {"telemetry.db", "telemetry.db.damaged-1"}
    assert (tmp_path / "telemetry.db.damaged-1").read_bytes() == GARBAGE
    with pytest.raises(Hole):  # a hole later on is a hole still
        await store.receive("press-7", "main", [spans_chunk(4, span(1, 4)), spans_chunk(6, span(1, 6))])
    receipt = await store.receive("press-7", "main", [spans_chunk(4, span(1, 4)), spans_chunk(5, span(1, 5))])
    assert receipt.high_water == 5
    assert await store.gaps("press-7") == [GapRange("press-7", "main", 1, 3, "set_aside", 0, MARCH, MARCH, MARCH)]
    assert len(await store.trace("1".zfill(32))) == 2
    await store.receive("press-8", "main", [gap_chunk(3, 9)])
    assert [(gap.from_seq, gap.to_seq) for gap in await store.gaps("press-8")] == [(1, 2), (3, 9)]
    await store.close()


async def test_a_store_that_was_never_set_aside_takes_no_stream_from_its_middle(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    with pytest.raises(Hole):
        await store.receive("press-7", "main", [spans_chunk(4, span(1, 4))])
    await store.close()


async def test_damage_that_shows_later_is_marked_and_set_aside_at_the_next_start(tmp_path: Path) -> None:
    store = await opened(tmp_path)
    for seq in range(1, 40):
        await store.receive("press-7", "main", [spans_chunk(seq, span(seq, seq, name="n" * 400))])
    await store.close()
    path = checkpointed(tmp_path)
    content = bytearray(path.read_bytes())
    for page in range(2, len(content) // 4096):
        content[page * 4096 : page * 4096 + 4096] = b"\xff" * 4096
    path.write_bytes(content)
    store = await opened(tmp_path)
    with pytest.raises(Broken):
        await store.receive("press-7", "main", [spans_chunk(40, span(40, 40))])
    await store.close()
    store = await opened(tmp_path)
    assert "telemetry.db.damaged-1" in names(tmp_path)
    assert (await store.receive("press-7", "main", [spans_chunk(40, span(40, 40))])).high_water == 40
    await store.close()
    await (await opened(tmp_path)).close()
    assert "telemetry.db.damaged-2" not in names(tmp_path)


@pytest.fixture
def vfs() -> Iterator[PlatterVfs]:
    made = PlatterVfs("aside")
    yield made
    made.unregister()


def test_the_power_may_go_at_any_call_of_it(tmp_path: Path, vfs: PlatterVfs) -> None:
    """A new store must never find the old one's log, nor forget that streams need not begin at 1."""
    gone_at, done = 0, False
    while not done:
        gone_at += 1
        vfs.platter = Platter(Random(gone_at))
        files = PlatterFiles(vfs.platter)
        settings = Settings(vfs=vfs.name, files=files)

        def make(settings: Settings = settings) -> TelemetryStore:
            return TelemetryStore(tmp_path, settings=settings)

        store = make()
        store.receive("press-7", "main", [spans_chunk(1, span(1, 1))], MARCH)
        store._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
        store.receive("press-7", "main", [spans_chunk(2, span(1, 2))], MARCH)
        store.close()
        path = tmp_path / "telemetry.db"
        files.remove(str(path))
        file = files.append(str(path))
        file.write(GARBAGE)
        file.sync()
        files.sync_directory(str(tmp_path))
        vfs.platter.gone_at = vfs.platter.calls + gone_at
        try:
            store = aside.opened(files, path, make)
            done, vfs.platter.gone_at = True, 0
        except (PowerGone, Broken, Unavailable):
            assert vfs.platter.dead
            vfs.platter.cut()
            store = aside.opened(files, path, make)
        assert store.receive("press-7", "main", [spans_chunk(3, span(1, 3))], MARCH).high_water == 3
        assert store.record(request(span(9, 9)), MARCH) == 1
        store.close()
    assert gone_at > 30


async def test_what_says_nothing_against_the_file_sets_nothing_aside(tmp_path: Path, vfs: PlatterVfs) -> None:
    """A broken disk is no damaged file, nor is a file of newer code."""
    store = TelemetryStore(tmp_path)
    store._connection.pragma("user_version", 99)
    store.close()
    with pytest.raises(Broken, match="another format"):
        await opened(tmp_path)
    assert names(tmp_path) == {"telemetry.db"}
