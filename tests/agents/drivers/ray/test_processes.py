"""The mark finds what was started, and what that started; nothing else is touched."""

import os
import subprocess
import sys

from agents.drivers.ray import processes
from tests.support.until import until

FAMILY = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"],
                         env={}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


def family(cluster_id: str) -> tuple[subprocess.Popen[bytes], int]:
    """A process with the mark, and its child, which lost it."""
    parent = subprocess.Popen(
        [sys.executable, "-c", FAMILY],
        env={**os.environ, processes.MARK: cluster_id},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline())


async def test_a_family_is_found_and_ended():
    parent, child = family("feed0001")
    other, other_child = family("feed0002")
    try:
        assert processes.marked("feed0001") == {parent.pid, child}
        assert await processes.end_all("feed0001") == set()
        until(lambda: processes.started_at(child) == 0, 5)
        assert other.poll() is None
        assert processes.marked("feed0002") == {other.pid, other_child}
    finally:
        await processes.end_all("feed0002")
        parent.wait()
        other.wait()


async def test_an_orphan_in_the_session_is_found_through_the_numbers_known():
    parent, child = family("feed0003")
    parent.kill()
    parent.wait()
    assert processes.marked("feed0003") == set()  # the child has no mark; its namespace would give it away
    assert await processes.end_all("feed0003", [child]) == set()
    until(lambda: processes.started_at(child) == 0, 5)


def test_a_number_and_a_start_tick_name_one_process():
    assert processes.started_at(os.getpid()) == processes.started_at(os.getpid()) > 0
    assert processes.started_at(2**22 + 1) == 0
