"""A worker as a real process: killed before its first word it is started once more, and after it never."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
import uvloop

from broker.workers.frames import joined
from broker.workers.process import Bounds, Worker, started
from tidegate.model.errors import Unavailable

BOUNDS = Bounds(2**30, 60)
FRAGILE = "tests.broker.workers.fragile"


@pytest.fixture(name="starts")
def _starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the starts are counted; nothing dies yet."""
    monkeypatch.setenv("FRAGILE_COUNT", str(tmp_path / "starts"))
    monkeypatch.setenv("FRAGILE_HOW", "never=0")
    monkeypatch.setenv("FRAGILE_TIMES", "1")
    return tmp_path / "starts"


async def echoed(parts: list[bytes]) -> tuple[list[bytes], Worker]:
    heard = []
    async with started(FRAGILE, BOUNDS) as worker:
        await worker.say(joined(parts))
        await worker.finish()
        while (frame := await worker.hear()) is not None:
            heard.append(frame)
        await worker.ended("it")
    return heard, worker


async def test_what_is_said_is_heard_and_nothing_is_left_behind(starts: Path):
    heard, worker = await echoed([b"one", b"", b"three"])
    assert heard == [b"one", b"", b"three"]
    assert worker.process.poll() == 0 and worker.process.stdout.closed
    assert len(starts.read_bytes()) == 1


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_killed_before_its_first_word_it_is_started_once_more_on_the_broker_s_own_loop(
    monkeypatch: pytest.MonkeyPatch, starts: Path, number: signal.Signals
):
    monkeypatch.setenv("FRAGILE_HOW", f"loading={number:d}")
    heard, _ = uvloop.run(echoed([b"again"]))
    assert heard == [b"again"] and len(starts.read_bytes()) == 2


async def test_killed_each_time_it_is_unavailable(monkeypatch: pytest.MonkeyPatch, starts: Path):
    monkeypatch.setenv("FRAGILE_HOW", f"loading={signal.SIGSEGV:d}")
    monkeypatch.setenv("FRAGILE_TIMES", "9")
    with pytest.raises(Unavailable, match="fell over") as raised:
        await echoed([b"?"])
    assert raised.value.found == -signal.SIGSEGV and len(starts.read_bytes()) == 2


async def test_what_a_question_kills_is_not_asked_again(monkeypatch: pytest.MonkeyPatch, starts: Path):
    monkeypatch.setenv("FRAGILE_HOW", f"working={signal.SIGSEGV:d}")
    with pytest.raises(Unavailable, match="fell over"):
        await echoed([b"?"])
    assert len(starts.read_bytes()) == 1


async def test_one_that_goes_wrong_by_its_own_doing_is_not_started_again(starts: Path):
    with pytest.raises(Unavailable, match="fell over") as raised:
        async with started("tests.broker.workers.nothing", BOUNDS) as worker:
            await worker.ended("it")
    assert raised.value.found == 1 and not starts.exists()


async def test_whoever_leaves_ends_it(starts: Path):
    begun: list[Worker] = []

    async def stay() -> None:
        async with started(FRAGILE, BOUNDS, began=begun.append) as worker:
            staying.set()
            await worker.hear()  # it waits for the question, and this for its answer

    staying = asyncio.Event()
    task = asyncio.create_task(stay())
    await staying.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert begun[0].process.poll() == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(begun[0].process.pid, 0)
