"""How an agent that cannot start says so: by its exit code, and by the file that is at fault."""

import asyncio
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import agents.main
from agents.clock import SystemClock
from agents.main import BROKEN, WORLD, main
from agents.spool import Limits
from tidegate.files import RealFiles


def started(folder: Path) -> int:
    return main(["--site", "press-7", "--broker", "127.0.0.1:9", "--data-dir", str(folder)])


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"format": 1, "sum": "0", "body": {"site": "press-7"}}', b"\0" * 300]
)
def test_a_damaged_word_of_the_broker_stops_the_agent_and_is_named(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Half of it could stop work that nobody asked to stop."""
    (tmp_path / "held.json").write_bytes(content)
    assert started(tmp_path) == BROKEN
    assert str(tmp_path / "held.json") in caplog.text


@contextmanager
def no_room() -> Iterator[None]:
    """No file of this process may grow, what it prints to included: the kernel fails each write as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignoring = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignoring)


def test_a_disk_that_takes_nothing_stops_the_agent_and_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file too large is no full disk (EFBIG), so it does not pass by waiting."""
    with no_room():
        code = started(tmp_path)
    assert code == BROKEN
    assert str(tmp_path / "spool") in caplog.text


def test_a_second_agent_on_the_same_folder_is_turned_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents.main, "LEFT_BEHIND_S", 0.1)
    files = RealFiles()
    files.make_directory(str(tmp_path / "spool" / "agent"))
    lock = files.try_lock(str(tmp_path / "spool" / "agent" / "writer.lock"))
    assert lock is not None
    with lock:
        assert started(tmp_path) == WORLD
    assert "another writer" in caplog.text


async def test_a_lock_that_outlives_a_killed_agent_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    """A process that it was starting has it from its fork until it runs, which may take a slow disk a while."""
    files, asked = RealFiles(), asyncio.Event()
    files.make_directory(str(tmp_path / "agent"))
    lock = files.try_lock(str(tmp_path / "agent" / "writer.lock"))
    assert lock is not None

    class Asked(SystemClock):
        def monotonic_us(self) -> int:
            asked.set()
            return super().monotonic_us()

    with lock:
        opening = asyncio.create_task(agents.main.opened(files, str(tmp_path), Limits(), Asked()))
        await asked.wait()
        asked.clear()
        await asked.wait()
        assert not opening.done()
    with await opening:
        assert files.try_lock(str(tmp_path / "agent" / "writer.lock")) is None
