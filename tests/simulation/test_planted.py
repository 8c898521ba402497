"""A tenth of the planted bugs, another tenth with each commit; `python -m tests.simulation.planted` tries them all."""

import subprocess

import pytest

from tests.simulation.planted import PLANTED, ROOT, found


def _part() -> int:
    asked = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    head = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return int(head[:8] or "0", 16) % 10


def test_each_can_still_be_planted() -> None:
    assert len(PLANTED) >= 40
    for planted in PLANTED:
        assert (ROOT / planted.file).read_text().count(planted.right) == 1, planted.name


@pytest.mark.timeout(600)
@pytest.mark.parametrize("planted", PLANTED[_part() :: 10], ids=lambda planted: planted.name)
def test_a_planted_bug_is_found(planted) -> None:
    assert found(planted), planted.name
