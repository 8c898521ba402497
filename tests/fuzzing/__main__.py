"""`python -m tests.fuzzing`: fuzz for as long as is wanted, or look at one input."""

import argparse
import sys
import traceback
from pathlib import Path

from tests.fuzzing import corpus
from tests.fuzzing.measure import execute
from tests.fuzzing.run import Outcome, best_engine, fuzz
from tests.fuzzing.targets import NAMES, target


def main() -> int:
    """Exits with 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument("--target", action="append", choices=NAMES, help="repeatable; left out: all of them")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each target")
    parser.add_argument("--runs", type=int, default=0, help="so many inputs instead, of the mutations")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", choices=("auto", "coverage", "mutations"), default="auto")
    parser.add_argument("--keep", action="store_true", help="put what is found into the corpus")
    parser.add_argument("--input", type=Path, help="execute this file alone, with its whole story")
    given = parser.parse_args()
    names = given.target or list(NAMES)
    if given.input:
        return _one(names[0], given.input.read_bytes())
    engine = best_engine() if given.engine == "auto" and not given.runs else given.engine
    engine = "mutations" if engine == "auto" else engine
    print(f"{'target':18}{'engine':>11}{'inputs':>8}{'executions':>12}{'per second':>12}{'found':>7}")
    total = found = 0
    seconds = 0.0 if given.runs else given.seconds
    for outcome in fuzz(names, engine=engine, seed=given.seed, runs=given.runs, seconds=seconds, hear=_tell):
        total += outcome.runs
        found += len(outcome.found)
        if given.keep:
            for finding in outcome.found:
                print(f"kept {corpus.keep(finding).relative_to(Path.cwd())}")
    print(f"{total} executions of {len(names)} targets, {found} found")
    return 1 if found else 0


def _tell(outcome: Outcome) -> None:
    rate = outcome.runs / outcome.seconds if outcome.seconds else 0
    numbers = f"{outcome.inputs:8}{outcome.runs:12}{rate:12.0f}{len(outcome.found):7}"
    print(f"{outcome.target:18}{outcome.engine:>11}{numbers}", flush=True)
    for finding in outcome.found:
        last = finding.story.strip().splitlines()[-1] if finding.story.strip() else ""
        print(f"    {finding.kind} at {finding.where}: {last[:200]}")


def _one(name: str, data: bytes) -> int:
    try:
        print(f"returned {target(name).run(data)!r}"[:500])
    except Exception:
        traceback.print_exc()
    finding = execute(target(name), data)
    print("nothing to say against it" if finding is None else f"{finding.kind} at {finding.where}: {finding.story}")
    return 0 if finding is None else 1


if __name__ == "__main__":
    sys.exit(main())
