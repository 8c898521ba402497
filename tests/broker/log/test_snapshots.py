"""Snapshots are disposable: any bad one is passed over, and the one before it, or none, is used."""

import logging
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.log.disk import DiskDirectory
from broker.log.record import Head
from broker.log.snapshots import Snapshot, Snapshots, decode, encode
from tests.disks.files import PlatterFiles
from tests.disks.platter import Platter
from tidegate.model.errors import Unavailable


def chain(offset: int) -> bytes:
    return bytes([offset % 256]) * 32


def log_up_to(head: int) -> Callable[[int], bytes | None]:
    return lambda offset: chain(offset) if offset <= head else None


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=200))
def test_what_is_decoded_is_what_was_encoded(offset: int, form: int, state: bytes) -> None:
    snapshot = Snapshot(Head(offset, chain(offset)), form, state)
    assert decode(b"".join(encode(snapshot))) == snapshot


@given(st.binary(min_size=1, max_size=60), st.data())
def test_no_damage_goes_unseen(state: bytes, data: st.DataObject) -> None:
    content = b"".join(encode(Snapshot(Head(3, chain(3)), 1, state)))
    where = data.draw(st.integers(0, len(content) - 1))
    bad = bytearray(content)
    bad[where] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(bad), content[:where], content + b"\0"):
        with pytest.raises(ValueError, match=r"short|checksum|not a snapshot"):
            decode(damaged)


def test_the_last_two_are_kept_and_the_newest_is_used(tmp_path: Path) -> None:
    snapshots = Snapshots(DiskDirectory(tmp_path / "snapshots"), format=1)
    assert snapshots.newest(log_up_to(99)) is None
    for offset in (5, 9, 30):
        snapshots.write(Head(offset, chain(offset)), b"state at %d" % offset)
    assert sorted(path.name for path in (tmp_path / "snapshots").iterdir()) == [
        "snapshot-00000000000000000009",
        "snapshot-00000000000000000030",
    ]
    assert snapshots.newest(log_up_to(99)) == Snapshot(Head(30, chain(30)), 1, b"state at 30")


def test_a_bad_one_is_passed_over_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    snapshots = Snapshots(DiskDirectory(tmp_path), format=1)
    snapshots.write(Head(5, chain(5)), b"older")
    snapshots.write(Head(9, chain(9)), b"newer")
    newest = tmp_path / "snapshot-00000000000000000009"
    newest.write_bytes(newest.read_bytes()[:-1])
    with caplog.at_level(logging.WARNING):
        found = snapshots.newest(log_up_to(9))
    assert found is not None
    assert found.state == b"older"
    assert [record.message for record in caplog.records] == ["snapshot passed over"]


def test_one_of_another_history_ahead_of_the_log_or_of_other_code_is_not_used(tmp_path: Path) -> None:
    snapshots = Snapshots(DiskDirectory(tmp_path), format=2)
    snapshots.write(Head(9, chain(9)), b"state")
    assert snapshots.newest(log_up_to(8)) is None
    assert snapshots.newest(lambda offset: chain(10)) is None
    assert Snapshots(DiskDirectory(tmp_path), format=3).newest(log_up_to(9)) is None
    assert snapshots.newest(log_up_to(9)) is not None


def test_an_unfinished_file_is_not_a_snapshot(tmp_path: Path) -> None:
    snapshots = Snapshots(DiskDirectory(tmp_path), format=1)
    snapshots.write(Head(5, chain(5)), b"state")
    (tmp_path / "snapshot-00000000000000000009.part").write_bytes(b"half")
    found = snapshots.newest(log_up_to(99))
    assert found is not None
    assert found.head.offset == 5


class FullDirectory(DiskDirectory):
    """A real directory on a disk that takes nothing more."""

    def write(self, name: str, parts: list[bytes]) -> None:
        raise OSError(28, "No space left on device")


def test_no_room_for_a_snapshot_is_no_disaster(tmp_path: Path) -> None:
    Snapshots(DiskDirectory(tmp_path), format=1).write(Head(5, chain(5)), b"state")
    full = Snapshots(FullDirectory(tmp_path), format=1)
    with pytest.raises(Unavailable, match="was not written"):
        full.write(Head(9, chain(9)), b"state")
    assert full.newest(log_up_to(9)) is not None


def test_what_a_crash_left_unfinished_is_cleared_away_and_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """Each used to hold its room for ever: they have the size of the state, and every crash could leave one."""
    for name in ("snapshot-00000000000000000004.new", "snapshot-00000000000000000003.part"):
        (tmp_path / name).write_bytes(b"half")
    directory = DiskDirectory(tmp_path)
    assert list(tmp_path.iterdir()) == []
    files = PlatterFiles(Platter(Random(1), room=30))
    snapshots = Snapshots(DiskDirectory(Path("/snapshots"), files), format=1)
    with pytest.raises(Unavailable, match="No space left"):
        snapshots.write(Head(5, chain(5)), b"state")
    assert files.platter.occupied() == 0
    assert directory.names() == []
