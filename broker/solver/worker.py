"""The worker of plans and prices: one question, one answer; see `broker.workers.bounded` for how it is bounded.

    python -m broker.solver.worker MEMORY_BYTES CPU_S

A question that is refused is an answer like any other; whatever else goes wrong ends the process with its story on
standard error, and whoever asked may ask again.
"""

import sys
from typing import BinaryIO

from broker.workers import bounded


def load() -> bounded.Work:
    """Everything that a question may need."""
    from broker.solver.work import work

    def answer(question: BinaryIO, out: BinaryIO) -> None:
        out.write(work(question.read()))

    return answer


if __name__ == "__main__":
    sys.exit(bounded.main(sys.argv[1:], load))
