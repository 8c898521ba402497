"""The process: it bounds itself before it loads anything, says that it is there, does its work, and ends.

    python -m MODULE MEMORY_BYTES CPU_S

So much memory of its own, so many seconds of a processor, one thread for arithmetic, and behind the broker where both
want the processor. Its first word is an empty frame, once everything is loaded; what comes before is starting, and
dying of it is no fault of the question. What libraries print goes to standard error, since standard output carries the
answer.

Exit codes: 0 answered, 1 something went wrong (the story is on standard error), 2 wrong usage; a bound that is reached
ends it as the system does.
"""

import os
import resource
import sys
from collections.abc import Callable
from typing import BinaryIO

USAGE = 2
NICE = 5
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
Work = Callable[[BinaryIO, BinaryIO], None]
"""From the question's stream to the answer's."""


def main(arguments: list[str], load: Callable[[], Work]) -> int:
    """Bound the process, load, say so, work. `load` imports what the work needs."""
    if len(arguments) != 2 or not all(argument.isdecimal() for argument in arguments):
        sys.stderr.write(f"usage: {__doc__}")
        return USAGE
    memory_bytes, cpu_s = map(int, arguments)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    os.nice(NICE)
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as out:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        work = load()
        from broker.workers.frames import framed  # after the bounds, so that they hold for what is loaded too

        out.write(framed(b""))
        out.flush()
        work(sys.stdin.buffer, out)
    return 0
