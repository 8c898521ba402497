"""Twenty deaths of real daemons, by another seed with each commit; `make sim` has five hundred."""

import subprocess
import sys

import pytest

from tests.simulation.planted import ROOT


@pytest.mark.timeout(600)
def test_nothing_is_lost_or_doubled_by_twenty_kills() -> None:
    asked = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    head = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    command = [sys.executable, "-m", "tests.simulation.kills", "--kills", "20", "--seed", str(int(head[:6] or "1", 16))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=580, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
