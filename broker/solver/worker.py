"""The worker: one question from standard input, one answer to standard output, and the process ends.

    python -m broker.solver.worker MEMORY_BYTES CPU_S

It bounds itself before it reads anything: so much memory of its own, so many seconds of a processor. What a solver
prints goes to standard error, since standard output carries the answer. A question that is refused is an answer like
any other; whatever else goes wrong ends the process with its story on standard error, and whoever asked may ask again.

Exit codes: 0 answered, 1 something went wrong, 2 wrong usage; a bound that is reached ends it as the system does.
"""

import os
import resource
import sys

USAGE = 2


def main(arguments: list[str]) -> int:
    """Bound the process, read, work, write."""
    if len(arguments) != 2 or not all(argument.isdecimal() for argument in arguments):
        sys.stderr.write(f"usage: {__doc__}")
        return USAGE
    memory_bytes, cpu_s = map(int, arguments)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as out:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        from broker.solver.work import work  # after the bounds, so that they hold for what is loaded too

        out.write(work(sys.stdin.buffer.read()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
