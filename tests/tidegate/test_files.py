"""The files port over a real disk, as far as a test can see it there; `tests/disks` has the rest."""

import errno
from pathlib import Path
from random import Random

import pytest

from tests.disks.files import PlatterFiles
from tests.disks.platter import Platter, PowerGone
from tidegate.files import RealFiles, fault, put
from tidegate.model.errors import Broken, Unavailable


def test_a_file_is_put_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "told.json"
    put(RealFiles(), str(path), [b"one", b"two"])
    put(RealFiles(), str(path), [b"three"])
    assert [each.name for each in tmp_path.iterdir()] == ["told.json"]
    assert path.read_bytes() == b"three"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_directory_that_a_killed_process_made_is_made_durable_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after `mkdir` and before the sync: whoever finds the directory may not take it for durable."""
    synced: list[str] = []
    monkeypatch.setattr(RealFiles, "sync_directory", lambda self, path: synced.append(path))
    (tmp_path / "spool").mkdir()
    RealFiles().make_directory(str(tmp_path / "spool"))
    assert synced == [str(tmp_path)]


def test_a_put_that_fails_can_be_tried_again_and_is_durable_then() -> None:
    for call in ("make", "write", "sync", "rename", "sync_directory"):
        platter = Platter(Random(1))
        files = PlatterFiles(platter)
        put(files, "/x", [b"old"])
        failures = iter([errno.EIO])

        def once(made: str, path: str, call: str = call, failures: object = failures) -> int:
            return next(failures, 0) if made == call else 0  # type: ignore[call-overload,no-any-return]

        platter.faulty = once
        with pytest.raises(OSError, match="Input/output"):
            put(files, "/x", [b"new"])
        put(files, "/x", [b"new"])
        platter.cut()
        assert files.read("/x") == b"new"
        assert files.names("/") == ["x"]


def test_the_power_may_go_at_every_call_of_a_put() -> None:
    for gone_at in range(1, 10):
        files = PlatterFiles(Platter(Random(gone_at)))
        put(files, "/x", [b"old"])
        files.platter.gone_at = files.platter.calls + gone_at
        try:
            put(files, "/x", [b"new"])
        except PowerGone:
            files.platter.cut()
            assert files.read("/x") in (b"old", b"new")
        else:
            break
    assert gone_at == 7


def test_no_room_passes_and_anything_else_does_not() -> None:
    assert isinstance(fault("writing", "/x", OSError(errno.ENOSPC, "")), Unavailable)
    assert isinstance(fault("writing", "/x", OSError(errno.EDQUOT, "")), Unavailable)
    assert isinstance(fault("writing", "/x", OSError(errno.EIO, "")), Broken)
