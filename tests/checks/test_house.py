"""Are we still who we said we were: no drawers, no sleeping tests, no word about where a thing was made."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DRAWERS = re.compile(r"(^|/)(utils?|helpers?|common|misc|manager)(\.py|/)")
SLEEP = re.compile(r"(time|asyncio)\.sleep\((?!0\))")
WAITS = {"until.py", "test_house.py"}
"""The one place that waits, and the rule itself."""
LONGEST = 500
"""Lines; most files keep to 350, and a longer one says why at its head."""


def written_by_hand() -> list[Path]:
    """Every Python file but the generated ones."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = [name for name in listed.stdout.split() if not name.startswith(("tidegate/v1/", "tidegate/oip/"))]
    return [ROOT / name for name in names if (ROOT / name).exists()]


def test_there_are_no_drawers():
    assert [str(path) for path in written_by_hand() if DRAWERS.search(str(path.relative_to(ROOT)))] == []


def test_files_stay_short():
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in written_by_hand()}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_every_module_says_what_it_is():
    silent = [
        str(path.relative_to(ROOT))
        for path in written_by_hand()
        if path.name != "__init__.py" and not path.read_text().lstrip().startswith(('"""', "#!", 'r"""'))
    ]
    assert silent == []


def test_tests_do_not_sleep():
    tests = [path for path in written_by_hand() if path.is_relative_to(ROOT / "tests")]
    sleeping = [str(path) for path in tests if SLEEP.search(path.read_text()) and path.name not in WAITS]
    assert sleeping == []
