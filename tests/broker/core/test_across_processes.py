"""The same commands give the same bytes in any process: whatever its hash seed, time zone, locale and folder."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.broker.core import reclaimed_again, told_again
from tidegate.wire.codec import encode_event

ROOT = Path(__file__).parents[3]


def told(seed: object, folder: Path, story: str = "told_again", **environment: str) -> list[str]:
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


@pytest.mark.parametrize(("story", "seed"), [(told_again, 4), (told_again, 5), (reclaimed_again, 3)])
def test_one_log_is_decided_again_to_the_byte_by_every_process(story: ModuleType, seed: int, tmp_path: Path) -> None:
    """Quotas, those who make room, several price books and waiting included; and the state is the same on the way."""
    log = tmp_path / "log"
    log.write_text("\n".join(encode_event(one.event).hex() for one in story.conversation(seed).recorded))
    seeds = ("0", "1", "4711")
    one, *others = (told(log, tmp_path, "replayed_again", PYTHONHASHSEED=seed) for seed in seeds)
    assert others == [one] * len(others)
    counts = {name: int(count) for count, _, name in (line.partition(" ") for line in one[-7:-1])}
    assert counts["otherwise"] == 0, one
    assert counts["decided"] > 20
    if story is reclaimed_again:
        assert min(counts["queued"], counts["displaced"], counts["with victims"]) >= 10
    else:
        assert counts["from books"] >= 10
