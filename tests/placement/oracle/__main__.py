"""`python -m tests.placement.oracle --cases N --seed S`: exits 1 where the engine and the oracle differ.

It exits 1 too where it did too little to mean anything: where a kind of case (placed, waiting, with victims, ...) that
a run of this length ought to meet never came up. A case that fails is shown with the command that makes it smaller.
"""

import argparse
import sys
import time
from itertools import chain

from tests.placement.oracle.chance import case
from tests.placement.oracle.compare import compare
from tests.placement.oracle.kinds import missing, table
from tests.placement.oracle.many import Found, block, blocks
from tests.placement.oracle.shrink import shown, smaller

A_SEED = 1_000_000
PROGRESS = 10_000
"""A line after so many, where nobody watches."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.placement.oracle", description=__doc__)
    parser.add_argument("--cases", type=int, default=2_000, help="How many questions.")
    parser.add_argument("--seed", type=int, default=1, help="The first question is of this seed times a million.")
    parser.add_argument("--case", type=int, help="This question alone, as a failure names it.")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0, help="Stop after so long; 0: never.")
    parser.add_argument("--show", type=int, default=5, help="How many disagreements are made smaller and written out.")
    parser.add_argument("--until-found", action="store_true", help="Stop at the first; and what never came up is fine.")
    given = parser.parse_args()
    if given.case is not None:
        return _one(given.case)
    began, first, all_found = time.monotonic(), given.seed * A_SEED, Found()
    for found in blocks(first, given.cases, given.processes):
        all_found.cases += found.cases
        all_found.kinds += found.kinds
        for number, wrong in found.wrong.items():
            all_found.wrong[number] = wrong
            if len(all_found.wrong) <= given.show:
                _tell(number, wrong)
        seconds = time.monotonic() - began
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{all_found.cases} cases, {len(all_found.wrong)} disagreements, {seconds:.0f} s ")
        elif all_found.cases % PROGRESS < found.cases:
            sys.stderr.write(f"{all_found.cases} cases, {len(all_found.wrong)} disagreements, {seconds:.0f} s\n")
        if (given.seconds and seconds > given.seconds) or (given.until_found and all_found.wrong):
            break
    return _told(all_found, time.monotonic() - began, complete=not given.until_found)


def _tell(number: int, wrong: list[str]) -> None:
    sys.stdout.write(
        "\n  ".join((f"case {number}:", *wrong, f"python -m tests.placement.oracle --case {number}")) + "\n"
    )
    sys.stdout.flush()


def _one(number: int) -> int:
    """One case, made smaller as far as it goes on failing."""
    wrong = block(range(number, number + 1)).wrong.get(number)
    if not wrong:
        sys.stdout.write(f"case {number}: no disagreement\n")
        return 0
    least = smaller(case(number))
    lines = chain((f"case {number}:",), wrong, ("made smaller:",), compare(least).wrong, shown(least))
    sys.stdout.write("\n  ".join(lines) + "\n")
    return 1


def _told(found: Found, seconds: float, *, complete: bool) -> int:
    sys.stdout.write("\n".join(table(found.kinds, found.cases)) + "\n")
    lacking = missing(found.kinds, found.cases) if complete else []
    if lacking:
        sys.stdout.write(f"too little was asked to mean anything: never {', '.join(lacking)}\n")
    each = 1000 * seconds / max(found.cases, 1)
    sys.stdout.write(f"{found.cases} cases, {len(found.wrong)} disagreements, {seconds:.0f} s, {each:.1f} ms each\n")
    return 1 if found.wrong or lacking else 0


if __name__ == "__main__":
    sys.exit(main())
