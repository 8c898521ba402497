"""What the largest inputs cost: each is read or refused in its bounds, in time that grows no faster than its length."""

import json
import subprocess
import sys

import pytest

from tests.fuzzing.limits import cases
from tests.fuzzing.measure import ROOT

MOST_CPU_MS = 3_000
"""Of four megabytes at most, on a machine of any speed; what was quadratic, or kept every mistake, took longer."""


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, object]]:
    """In a process of its own, whose memory is bounded."""
    command = [sys.executable, "-m", "tests.fuzzing.limits"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=True)
    return {told["case"]: told for told in map(json.loads, ran.stdout.splitlines())}


@pytest.mark.parametrize("name", cases())
def test_the_largest_inputs_are_read_or_refused_within_bounds(
    outcomes: dict[str, dict[str, object]], name: str
) -> None:
    told = outcomes[name]
    assert told["outcome"] in ("taken", "refused"), told
    assert int(str(told["cpu_ms"])) < MOST_CPU_MS, told
