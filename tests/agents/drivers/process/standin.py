"""A process in a model server's place: told as one, writing a ready file as one, and ending on SIGTERM unless told not.

`python -m tests.agents.drivers.process.standin --config FILE --ready-file FILE`; the configuration's `stubborn` makes
it deaf to SIGTERM. It starts in a tenth of a real server's time.
"""

import json
import signal
import sys
from pathlib import Path

from edge.serving import ready


def main(config_file: str, ready_file: str) -> None:
    config = json.loads(Path(config_file).read_text())
    if config.get("stubborn"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ready.write(Path(ready_file), "standin", {"http": config["http"]}, ())
    while True:
        signal.pause()


if __name__ == "__main__":
    main(sys.argv[2], sys.argv[4])
