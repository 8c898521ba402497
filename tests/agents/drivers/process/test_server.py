"""One slot: its process is found again by what cannot be mistaken, its ports stay, its end is certain."""

import errno
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from agents.drivers.process.server import IDENTITY, ServerSlot, read_json, stop
from tests.support.until import until
from tidegate.files import Appendable, RealFiles
from tidegate.model.errors import Unavailable

CHECKOUT = Path(__file__).resolve().parents[4]
MODULE = "tests.agents.drivers.process.standin"

Open = Callable[..., ServerSlot]


class FullFiles(RealFiles):
    """A disk without room."""

    def append(self, path: str, mode: int = 0o600) -> Appendable:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """The slot as another agent's process would open it; whatever runs in it is killed at the end."""
    opened: list[ServerSlot] = []

    def open_slot(**settings: Any) -> ServerSlot:
        slot = ServerSlot(tmp_path / "slot", sys.executable, MODULE)
        slot.configure({"http": "127.0.0.1:0", "grpc": "127.0.0.1:0", **settings})
        opened.append(slot)
        return slot

    yield open_slot
    for slot in opened:
        slot.kill()
        assert slot.wait_gone(10)


def run(slot: ServerSlot) -> psutil.Process:
    """The slot's process, once it answers."""
    slot.start(CHECKOUT)
    until(slot.ready, 20, "the ready file")
    process = slot.process()
    assert process is not None
    return process


def change(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def port(slot: ServerSlot) -> int:
    return int(slot.config()["http"].rpartition(":")[2])


def test_another_agent_finds_the_same_process(opened: Open) -> None:
    first = run(opened())
    later = opened()
    later.start(CHECKOUT)
    assert later.process() == first
    assert later.ready()["pid"] == first.pid


def test_a_server_that_was_started_but_never_recorded_is_found_too(opened: Open) -> None:
    slot = opened()
    first = run(slot)
    (slot.directory / "process.json").unlink()
    later = opened()
    later.start(CHECKOUT)
    assert later.process() == first
    assert later.ready(), "the ready file that it wrote is still there"


def test_a_server_that_was_never_recorded_is_ended_as_any_other(opened: Open) -> None:
    slot = opened()
    first = run(slot)
    (slot.directory / "process.json").unlink()
    stop(opened(), 10)
    assert not first.is_running()


def test_a_server_that_a_full_disk_does_not_record_is_known_all_the_same(opened: Open, tmp_path: Path) -> None:
    slot = opened()
    first = run(slot)
    (slot.directory / "process.json").unlink()
    later = ServerSlot(tmp_path / "slot", sys.executable, MODULE, FullFiles())
    assert later.process() == first
    assert later.process() == first
    later.signal_stop()
    assert later.wait_gone(10)
    assert later.process() is None


@pytest.mark.parametrize("changed", [{"start_ticks": 1}, {"boot_id": "another boot"}, {"pid": 2**22 + 1}])
def test_a_record_of_another_process_or_boot_finds_none_and_kills_none(opened: Open, changed: dict[str, Any]) -> None:
    slot = opened()
    first = run(slot)
    record = slot.directory / "process.json"
    before = record.read_text()
    change(record, **changed)
    assert slot.process() is None
    assert slot.ready() == {}
    slot.kill()
    assert slot.wait_gone(0)
    assert first.is_running()
    record.write_text(before)


@pytest.mark.parametrize("key", IDENTITY)
def test_a_ready_file_of_another_process_or_boot_is_not_believed(opened: Open, key: str) -> None:
    slot = opened()
    run(slot)
    change(slot.directory / "ready.json", **{key: "another"})
    assert slot.ready() == {}
    assert slot.process() is not None


def test_a_ready_file_left_by_a_killed_server_is_gone_before_the_next_one_starts(opened: Open) -> None:
    slot = opened()
    run(slot)
    slot.kill()
    assert slot.wait_gone(10)
    assert (slot.directory / "ready.json").exists()
    assert slot.ready() == {}
    before = slot.config()
    second = run(slot)
    assert slot.ready()["pid"] == second.pid
    assert slot.config() == before


def test_a_record_cut_short_by_a_power_cut_counts_for_none(opened: Open) -> None:
    slot = opened()
    slot.directory.mkdir(exist_ok=True)
    (slot.directory / "process.json").write_text('{"pid": 1')
    assert slot.process() is None
    assert read_json(RealFiles(), slot.directory / "process.json") == {}


def test_ports_are_remembered_and_only_one_that_somebody_took_is_changed(opened: Open) -> None:
    slot = opened()
    first, grpc = port(slot), slot.config()["grpc"]
    assert first > 0
    assert opened().config() == slot.config()
    with socket.create_server(("127.0.0.1", first)):
        run(slot)
        assert port(slot) != first
        assert slot.config()["grpc"] == grpc


def test_who_does_not_end_when_asked_is_killed(opened: Open) -> None:
    slot = opened(stubborn=True)
    run(slot)
    said: list[str] = []
    stop(slot, 0.05, said.append)
    assert slot.process() is None
    assert "did not end in 0.05 s" in said[0]


def test_who_ends_when_asked_is_not_killed_and_stopping_nothing_does_nothing(opened: Open) -> None:
    slot = opened()
    run(slot)
    said: list[str] = []
    stop(slot, 10, said.append)
    assert slot.process() is None
    stop(slot, 10, said.append)
    assert said == []


def test_a_server_leads_its_own_session(opened: Open) -> None:
    process = run(opened())
    assert os.getsid(process.pid) == process.pid


def test_what_cannot_be_started_is_tried_again_later(tmp_path: Path) -> None:
    slot = ServerSlot(tmp_path / "slot", str(tmp_path / "no-python"), MODULE)
    slot.configure({"http": "127.0.0.1:0"})
    with pytest.raises(Unavailable):
        slot.start(CHECKOUT)
    assert slot.process() is None
