"""A worker that dies as a test wants.

`FRAGILE_HOW` says at which step and of which signal, `FRAGILE_COUNT` is a file in which each start leaves a letter, and
`FRAGILE_TIMES` how many of the first starts die.
"""

import os
import sys
from pathlib import Path
from typing import BinaryIO

from broker.workers import bounded


def die_at(step: str) -> None:
    """Of the signal, where this is the step and the start is one of the first."""
    wanted, _, number = os.environ["FRAGILE_HOW"].partition("=")
    if wanted == step and len(Path(os.environ["FRAGILE_COUNT"]).read_bytes()) <= int(os.environ["FRAGILE_TIMES"]):
        os.kill(os.getpid(), int(number))


def load() -> bounded.Work:
    with Path(os.environ["FRAGILE_COUNT"]).open("ab") as file:
        file.write(b"s")
    die_at("loading")
    return echo


def echo(question: BinaryIO, out: BinaryIO) -> None:
    read = question.read()
    die_at("working")
    sys.stderr.write("x" * 500_000)
    out.write(read)


if __name__ == "__main__":
    sys.exit(bounded.main(sys.argv[1:], load))
