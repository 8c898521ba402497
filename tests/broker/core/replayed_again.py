"""A recorded log, folded and decided again in a process of its own: digests of the state on the way, and what differs.

Run by `test_across_processes.py`: `python -m tests.broker.core.replayed_again FILE`, where each line of the file is one
event's bytes in hexadecimal.
"""

import sys
from hashlib import sha256
from pathlib import Path

from broker.core.again import Again
from broker.core.freeze import freeze, thaw
from broker.core.state import State
from tidegate.model.event import Recorded, WorkloadDecided, WorkloadDisplaced, WorkloadQueued
from tidegate.wire.codec import decode_event, encode_event

EVERY = 25


def main() -> None:
    state, again, lines = State(), Again(), list[str]()
    counts = {"decided": 0, "queued": 0, "displaced": 0, "with victims": 0, "from books": 0, "otherwise": 0}
    for offset, line in enumerate(Path(sys.argv[1]).read_text().split(), 1):
        event = decode_event(bytes.fromhex(line))
        assert encode_event(event).hex() == line
        told = again.before(state, event)
        lines += [f"{offset}: {one}" for one in told]
        counts["otherwise"] += bool(told)
        counts["decided"] += isinstance(event, WorkloadDecided)
        counts["queued"] += isinstance(event, WorkloadQueued)
        counts["displaced"] += isinstance(event, WorkloadDisplaced)
        if isinstance(event, WorkloadDecided | WorkloadQueued):
            counts["with victims"] += bool(event.decision.victims)
            counts["from books"] += "," in event.decision.price_book
        state.apply(Recorded(offset, event))
        if offset % EVERY == 0:
            frozen = freeze(state)
            lines.append(f"{offset} {sha256(frozen).hexdigest()}")
            assert freeze(thaw(frozen)) == frozen
    lines += [f"{count} {name}" for name, count in counts.items()]
    lines.append(sha256(freeze(state)).hexdigest())
    sys.stdout.write("\n".join(lines))


if __name__ == "__main__":
    main()
