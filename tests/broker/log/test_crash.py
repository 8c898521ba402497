"""No acknowledged append is lost: the process killed, the power cut, the disk failing at each of its calls in turn."""

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from broker.log.database import Settings
from broker.log.record import Record
from broker.log.sqlite import SqliteLog
from tests.broker.log.history import made_up, made_up_run
from tests.support.crash_vfs import CrashVfs
from tidegate.model.errors import Broken, Unavailable

KILLS = 15
CUTS = 300


def check(log: SqliteLog, acknowledged: int) -> None:
    """Everything acknowledged is there, and everything that is there is as it was written."""
    assert log.head.offset >= acknowledged
    assert log.verify() is None
    rows = log.read(0, log.head.offset)
    assert [Record(row.kind, row.version, row.at, row.payload) for row in rows] == made_up_run(0, len(rows))


def test_kill_nine_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(9)
    acknowledged = 0
    for _ in range(KILLS):
        with subprocess.Popen(
            [sys.executable, "-m", "tests.broker.log.writer", str(tmp_path)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            for _ in range(chance.randrange(1, 60)):
                acknowledged = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            for line in writer.stdout:  # what it said between the last line read and its end
                acknowledged = int(line) if line.endswith(b"\n") else acknowledged
        log = SqliteLog(tmp_path)
        check(log, acknowledged)
        log.close()
    assert acknowledged > KILLS * 20  # a run in which little was written proves little


@pytest.fixture
def vfs() -> Iterator[CrashVfs]:
    disk = CrashVfs("crash")
    yield disk
    disk.unregister()


def test_power_cuts_lose_nothing_that_was_acknowledged(tmp_path: Path, vfs: CrashVfs) -> None:
    """Real SQLite on a disk with a volatile cache; the power goes at a call drawn by chance, in recovery too."""
    chance = random.Random(27)
    settings = Settings(vfs="crash", wal_bytes=48 * 1024)
    acknowledged = written = 0
    for _ in range(CUTS):
        left = chance.randrange(200)

        def gone(call: str, path: str) -> int:
            nonlocal left
            left -= 1
            return apsw.SQLITE_IOERR if left < 0 else 0

        vfs.fail = gone
        log = None
        try:
            log = SqliteLog(tmp_path, settings)
            assert log.head.offset >= acknowledged
            while True:
                count = 1 + chance.randrange(30)
                acknowledged = log.append(made_up_run(log.head.offset, count))
                written += count
                log.tidy()
        except Broken:
            if log is not None:
                log.close()
        vfs.fail = lambda call, path: 0
        vfs.power_cut(chance)
    log = SqliteLog(tmp_path, settings)
    check(log, acknowledged)
    log.close()
    assert written > CUTS


@pytest.mark.parametrize("code", [apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_WRITE])
def test_a_failing_call_at_any_point_breaks_the_log_for_good(tmp_path: Path, vfs: CrashVfs, code: int) -> None:
    """Fail the first call of an append, then the second, and so on until an append needs no more of them."""
    settings = Settings(vfs="crash", wal_bytes=16 * 1024)
    failing = "sync" if code == apsw.SQLITE_IOERR_FSYNC else "write"
    point, failures = 0, 0
    while True:
        vfs.files.clear()
        log = SqliteLog(tmp_path, settings)
        acknowledged = log.append(made_up_run(0, 10))
        point += 1
        left = point

        def once(call: str, path: str) -> int:
            nonlocal left
            left -= call == failing
            return code if left == 0 and call == failing else 0

        vfs.fail = once
        try:
            for _ in range(6):
                acknowledged = log.append(made_up_run(log.head.offset, 10))
                log.tidy()
        except Broken:
            failures += 1
            with pytest.raises(Broken):  # the next append would have worked: it must not be tried
                log.append(made_up_run(log.head.offset, 1))
        vfs.fail = lambda call, path: 0
        log.close()
        log = SqliteLog(tmp_path, settings)
        check(log, acknowledged)
        log.close()
        if left > 0:
            break
    assert failures >= 6


def test_no_room_at_any_write_of_an_append_leaves_nothing_of_it(tmp_path: Path, vfs: CrashVfs) -> None:
    settings = Settings(vfs="crash")
    log = SqliteLog(tmp_path, settings)
    log.append(made_up_run(0, 5))
    refusals = 0
    for point in range(1, 400):
        left = point

        def once(call: str, path: str) -> int:
            nonlocal left
            left -= call == "write"
            return apsw.SQLITE_FULL if left == 0 and call == "write" else 0

        before = log.head
        vfs.fail = once
        try:
            log.append(made_up_run(before.offset, 60))
        except Unavailable:
            refusals += 1
            assert log.head == before
        vfs.fail = lambda call, path: 0
        if left > 0:
            break
        assert log.append([made_up(log.head.offset + 1)]) == before.offset + 1
    assert refusals > 3
    acknowledged = log.head.offset
    vfs.power_cut(random.Random(1))
    log.close()
    log = SqliteLog(tmp_path, settings)
    check(log, acknowledged)
    log.close()
