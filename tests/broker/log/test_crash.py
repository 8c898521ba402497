"""No acknowledged append is lost when the process is killed. Power cuts and failing calls are in `tests/disks`."""

import random
import signal
import subprocess
import sys
from pathlib import Path

from broker.log.record import Record
from broker.log.sqlite import SqliteLog
from tests.broker.log.history import made_up_run

KILLS = 15


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
