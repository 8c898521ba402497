"""Small wrong changes, each of which the harness must find: a harness that finds nothing may just be blind.

    python -m tests.simulation.planted              all of `plants`
    python -m tests.simulation.planted --part 3     every tenth, from the third on
    python -m tests.simulation.planted --rotating   the tenth that is this commit's turn
    python -m tests.simulation.planted NAME ...     those

The table at the end says by which seed each was found and what was found there, or by which tests.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.placement.oracle.planted import CASES
from tests.simulation.plants import PLANTED, Planted

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 120
"""How many seeds a planted bug may hide from."""
LONGEST_S = 900
PARTS = 10


def main(arguments: list[str]) -> int:
    """Exits with 1 where one is not found, or is no longer to be planted."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.planted", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--part", type=int, choices=range(PARTS))
    parser.add_argument("--rotating", action="store_true", help="the part that is this commit's turn")
    chosen = parser.parse_args(arguments)
    planted = [each for each in PLANTED if not chosen.names or each.name in chosen.names]
    if chosen.rotating or chosen.part is not None:
        planted = planted[turn() if chosen.rotating else chosen.part :: PARTS]
    missed = 0
    for each in planted:
        began = time.monotonic()
        how = found(each)
        missed += not how
        took = time.monotonic() - began
        print(f"{'found' if how else 'MISSED':7} {each.name:52} {took:5.0f} s  {how[:100]}", flush=True)
    print(f"{len(planted) - missed} of {len(planted)} planted bugs found at {head()[:12]}")
    return 1 if missed or not planted else 0


def head() -> str:
    """The commit that is tried; empty where this is no checkout."""
    asked = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def turn() -> int:
    """Another part with each commit."""
    return int(head()[:8] or "0", 16) % PARTS


def found(planted: Planted) -> str:
    """By what it was found; empty where it was not."""
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        tree = Path(folder)
        for name in ("agents", "broker", "edge", "placement", "tidegate", "tests", "deploy", "pyproject.toml"):
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__", "data"))
            else:
                shutil.copy(source, tree / name)
        plant(planted, tree)
        if planted.by == "seeds":
            command = ["-m", "tests.simulation", "--until-found", "--seeds", str(SEEDS)]
        elif planted.by == "oracle":
            command = ["-m", "tests.placement.oracle", "--until-found", "--cases", str(CASES)]
        else:
            command = ["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *planted.by.split()]
        done = subprocess.run(
            [sys.executable, *command], cwd=tree, capture_output=True, text=True, timeout=LONGEST_S, check=False
        )
        if done.returncode not in (0, 1) or (planted.by == "seeds" and done.returncode and not done.stdout):
            raise RuntimeError(f"{planted.name}: the harness itself fell\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        if not done.returncode:
            return ""
        lines = [line for line in done.stdout.splitlines() if line.startswith("seed ")]
        if planted.by == "oracle":
            return done.stdout.split(":")[0]
        return lines[-1] if planted.by == "seeds" else "its tests"


def plant(planted: Planted, tree: Path) -> None:
    """Make the wrong change. AssertionError where the right text does not stand there (once)."""
    path = tree / planted.file
    text = path.read_text()
    assert text.count(planted.right) >= 1, f"{planted.name}: the text is no longer in {planted.file}"
    path.write_text(text.replace(planted.right, planted.wrong, 1))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
