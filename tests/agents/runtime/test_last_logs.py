"""What stays of a log is its end, of the newest logs, and its offsets mean what they meant before."""

import errno
import os
from pathlib import Path
from typing import cast

import pytest

from agents.drivers.base import LOG_CHUNK_BYTES, Driver, LogChunk, Task
from agents.runtime.last_logs import LONGEST_BYTES, MOST_LOGS, LastLogs, read_all
from tidegate.model.errors import Unavailable


class Says:
    """The one call of a driver that is asked here."""

    def __init__(self, text: str, *, fails_at: int = -1, error: Exception | None = None) -> None:
        self.text, self.fails_at, self.error = text, fails_at, error or Unavailable("the engine is gone")

    async def logs(self, task: Task, offset: int) -> LogChunk:
        if offset == self.fails_at:
            raise self.error
        piece = self.text[offset : offset + LOG_CHUNK_BYTES]
        return LogChunk(piece, offset + len(piece), offset + len(piece) == len(self.text))


async def all_of(says: Says) -> tuple[int, bytes]:
    return await read_all(cast(Driver, says), cast(Task, None))


async def test_a_log_is_read_to_its_end_and_its_beginning_dropped_where_it_is_long() -> None:
    assert await all_of(Says("one line\n")) == (0, b"one line\n")
    assert await all_of(Says("")) == (0, b"")
    begin, data = await all_of(Says("x" * LONGEST_BYTES + "the end"))
    assert (begin, len(data), data[-7:]) == (7, LONGEST_BYTES, b"the end")


@pytest.mark.parametrize("error", [Unavailable("the engine is gone"), OSError(errno.EIO, os.strerror(errno.EIO))])
async def test_what_can_be_read_before_it_fails_is_kept(error: Exception) -> None:
    begin, data = await all_of(Says("x" * (2 * LOG_CHUNK_BYTES), fails_at=LOG_CHUNK_BYTES, error=error))
    assert (begin, len(data)) == (0, LOG_CHUNK_BYTES)


def test_offsets_are_those_of_the_whole_log(tmp_path: Path) -> None:
    logs = LastLogs(tmp_path / "logs")
    assert logs.read("w1", 0) is None
    logs.keep("w1", 100, b"abc")
    assert logs.read("w1", 0) == LogChunk("abc", 103, True)
    assert logs.read("w1", 101) == LogChunk("bc", 103, True)
    assert logs.read("w1", 103) == LogChunk("", 103, True)
    assert logs.read("w1", 500) == LogChunk("", 500, True)
    assert logs.read("w", 0) is None


def test_a_long_log_comes_in_pieces(tmp_path: Path) -> None:
    logs = LastLogs(tmp_path)
    logs.keep("w1", 0, b"x" * (LOG_CHUNK_BYTES + 1))
    first = logs.read("w1", 0)
    assert first is not None and (first.next_offset, first.complete) == (LOG_CHUNK_BYTES, False)
    assert logs.read("w1", first.next_offset) == LogChunk("x", LOG_CHUNK_BYTES + 1, True)


def test_a_later_run_takes_the_place_of_the_earlier_and_silence_of_none(tmp_path: Path) -> None:
    logs = LastLogs(tmp_path)
    logs.keep("w1", 0, b"first")
    logs.keep("w1", 5, b"second")
    logs.keep("w1", 0, b"")
    assert [path.name for path in tmp_path.iterdir()] == ["w1@5.log"]
    assert logs.read("w1", 0) == LogChunk("second", 11, True)


def test_the_oldest_goes_where_there_are_too_many(tmp_path: Path) -> None:
    logs = LastLogs(tmp_path)
    for number in range(MOST_LOGS + 1):
        logs.keep(f"w{number}", 0, b"x")
        os.utime(tmp_path / f"w{number}@0.log", (number, number))
    logs.keep("new", 0, b"x")
    assert len(list(tmp_path.iterdir())) == MOST_LOGS
    assert logs.read("w0", 0) is None and logs.read("w1", 0) is None
    assert logs.read("w2", 0) is not None and logs.read("new", 0) is not None


def test_a_log_that_the_disk_does_not_take_is_no_reason_to_keep_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Removing work may be what frees the disk; the agent used to end there instead."""
    logs = LastLogs(tmp_path)
    logs.keep("w1", 0, b"earlier")

    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    logs.keep("w1", 0, b"later")
    assert "not kept" in caplog.text
    assert logs.read("w1", 0) == LogChunk("earlier", 7, True)
