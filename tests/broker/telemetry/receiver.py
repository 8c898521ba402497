"""A process that receives for as long as it lives, every record twice, and tells each receipt on standard output.

python -m tests.broker.telemetry.receiver DIRECTORY
"""

import os
import sys
from pathlib import Path

from broker.log.database import Settings
from broker.telemetry.store import TelemetryStore
from tests.broker.telemetry.made import MARCH, span, spans_chunk


def main(directory: str) -> None:
    store = TelemetryStore(Path(directory), settings=Settings(exclusive=False, wal_bytes=128 * 1024))
    reached = store.receive("press-7", "main", [], MARCH).high_water
    while True:
        run = [
            spans_chunk(seq, *(span(seq, number) for number in (1, 2, 3)))
            for seq in range(max(1, reached - 5), reached + 10)
        ]
        reached = store.receive("press-7", "main", run, MARCH).high_water
        os.write(sys.stdout.fileno(), b"%d\n" % reached)
        store.tidy()


if __name__ == "__main__":
    main(sys.argv[1])
