"""The worker of a trial; see `broker.workers.bounded` for how it is bounded.

    python -m broker.trial.worker MEMORY_BYTES CPU_S

First what stands is judged, on the state that came with the question; then, where there is a window, the log is folded
from its first row into a second state, and each decision in the window is judged right before it is applied. Memory is
that of two states.
"""

import sys

from broker.workers import bounded


def load() -> bounded.Work:
    """Everything that a trial needs: read the question, tell how far it is, answer."""
    from broker.trial.judging import judge

    return judge


if __name__ == "__main__":
    sys.exit(bounded.main(sys.argv[1:], load))
