"""What an agent may report of one assignment after what. Phases only advance.

A service that runs and whose server dies stays `running` with a detail: it is the agent's to bring it back, and nothing
about the decision has changed. An ended phase stands for ever; a newer generation of the same workload begins anew.
"""

from tidegate.model.assignment import Phase

AFTER: dict[Phase, frozenset[Phase]] = {
    Phase.PLACED: frozenset(
        {Phase.PREPARING, Phase.STARTING, Phase.RUNNING, Phase.STOPPING, Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED}
    ),
    Phase.PREPARING: frozenset(
        {Phase.STARTING, Phase.RUNNING, Phase.STOPPING, Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED}
    ),
    Phase.STARTING: frozenset({Phase.RUNNING, Phase.STOPPING, Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED}),
    Phase.RUNNING: frozenset({Phase.STOPPING, Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED}),
    Phase.STOPPING: frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED}),
    Phase.SUCCEEDED: frozenset(),
    Phase.FAILED: frozenset(),
    Phase.CANCELLED: frozenset(),
    Phase.REFUSED: frozenset(),
    Phase.WAITING: frozenset(),
}


def advance(before: Phase, seen: Phase) -> Phase:
    """What to report when `before` was reported and `seen` is there now: `seen` where it may follow, else `before`."""
    return seen if seen in AFTER[before] else before
