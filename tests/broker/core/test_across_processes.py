"""The same commands give the same bytes in any process: whatever its hash seed, time zone, locale and folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def told(seed: int, folder: Path, story: str = "told_again", **environment: str) -> list[str]:
    """The digests that a fresh process prints."""
    ran = subprocess.run(
        [sys.executable, "-m", f"tests.broker.core.{story}", str(seed)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return ran.stdout.splitlines()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_event_decision_and_state_is_the_same_to_the_byte(seed: int, tmp_path: Path) -> None:
    one = told(seed, ROOT, PYTHONHASHSEED="0", TZ="UTC", LC_ALL="C")
    two = told(seed, tmp_path, PYTHONHASHSEED="1", TZ="Asia/Kathmandu", LC_ALL="C.UTF-8", NPY_DISABLE_CPU_FEATURES="")
    assert int(one[-2].split()[0]) > 20
    assert one == two


def test_the_same_ones_make_room_whatever_the_hash_seed(tmp_path: Path) -> None:
    zero, one, other = (told(7, tmp_path, "reclaimed_again", PYTHONHASHSEED=seed) for seed in ("0", "1", "31"))
    assert int(zero[-2].split()[0]) >= 10
    assert zero == one == other
