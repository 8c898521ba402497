"""`python -m tests.placement.oracle --cases N --seed S`: exits 1 where the engine and the oracle differ."""

import argparse
import sys
import time

from .chance import case
from .compare import disagreements


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.placement.oracle", description=__doc__)
    parser.add_argument("--cases", type=int, default=2_000, help="How many questions.")
    parser.add_argument("--seed", type=int, default=1, help="The first question is of this seed times a million.")
    parser.add_argument("--seconds", type=float, default=0, help="Stop after so long; 0: never.")
    parser.add_argument("--show", type=int, default=5, help="How many disagreements are written out.")
    given = parser.parse_args()
    began, found, asked = time.monotonic(), 0, 0
    for number in range(given.seed * 1_000_000, given.seed * 1_000_000 + given.cases):
        if given.seconds and time.monotonic() - began > given.seconds:
            break
        asked += 1
        wrong = disagreements(case(number))
        if wrong:
            found += 1
            if found <= given.show:
                sys.stdout.write("\n  ".join((f"case {number}:", *wrong)) + "\n")
    seconds = time.monotonic() - began
    sys.stdout.write(f"{asked} cases from {given.seed * 1_000_000}, {found} disagreements, {seconds:.0f} s\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
