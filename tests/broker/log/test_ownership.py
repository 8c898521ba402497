"""One process to a log; a lock that outlives its owner for a moment is waited for, one that is owned is not."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from broker.log import ownership
from broker.log.ownership import Ownership
from tests.support.until import until
from tidegate.model.errors import Refused

HEIR = """
import subprocess, sys
from pathlib import Path
from broker.log.ownership import Ownership

owned = Ownership(Path(sys.argv[1]))
subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], pass_fds=(owned._descriptor,))
print("owned", flush=True)
"""


def test_it_is_taken_given_back_and_refused_meanwhile(tmp_path: Path) -> None:
    first = Ownership(tmp_path / "log.db.lock")
    with pytest.raises(Refused, match=f"belongs to process {os.getpid()}"):
        Ownership(tmp_path / "log.db.lock")
    first.release()
    first.release()
    Ownership(tmp_path / "log.db.lock").release()


def test_what_a_dead_owner_left_to_a_child_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child has its parent's descriptors from its fork until it runs; this one keeps one for as long as we like."""
    path = tmp_path / "log.db.lock"
    owner = subprocess.Popen(
        [sys.executable, "-c", HEIR, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path.cwd()
    )
    assert owner.stdin is not None and owner.stdout is not None
    assert owner.stdout.readline() == b"owned\n"
    owner.wait()
    monkeypatch.setattr(ownership, "LOOKS", 1)
    with pytest.raises(Refused, match=str(owner.pid)):
        Ownership(path)
    monkeypatch.setattr(ownership, "LOOKS", 3_000)
    asked: list[bytes] = []
    lives = ownership._lives
    monkeypatch.setattr(ownership, "_lives", lambda pid: asked.append(pid) or lives(pid))
    with ThreadPoolExecutor(1) as threads:
        taking = threads.submit(Ownership, path)
        until(lambda: len(asked) > 1)
        assert not taking.done()
        owner.stdin.close()
        taking.result(30).release()
    owner.stdout.close()


@pytest.mark.parametrize(
    ("pid", "lives"), [(b"", True), (b"rubbish", True), (b"9" * 32, True), (b"1\n", True), (b"4194304\n", False)]
)
def test_a_pid_that_says_nothing_is_taken_for_alive(pid: bytes, lives: bool) -> None:
    assert ownership._lives(pid) is lives
