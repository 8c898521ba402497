"""A process that appends for as long as it lives and tells each acknowledged offset on standard output.

    python -m tests.broker.log.writer DIRECTORY

A line is written after `append` returned and never before, so a line read is a promise made. Small WAL: checkpoints are
frequent, so that kills fall into them too.
"""

import os
import sys
from pathlib import Path

from broker.log.database import Settings
from broker.log.sqlite import SqliteLog
from tests.broker.log.history import made_up_run


def main(directory: str) -> None:
    log = SqliteLog(Path(directory), Settings(wal_bytes=128 * 1024))
    while True:
        offset = log.append(made_up_run(log.head.offset, 1 + log.head.offset % 40))
        os.write(sys.stdout.fileno(), b"%d\n" % offset)
        log.tidy()


if __name__ == "__main__":
    main(sys.argv[1])
