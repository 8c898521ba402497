"""A process in a model server's place: started, found and ended as one, and always ready. It loads nothing.

`python -m tests.simulation.kills.standin --config FILE --ready-file FILE`
"""

import json
import os
import signal
import socket
import sys
from pathlib import Path

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


def main(config_file: str, ready_file: str) -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    address = json.loads(Path(config_file).read_text())["http"]
    host, _, port = address.rpartition(":")
    with socket.create_server((host, int(port))) as listening:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        told = {"pid": os.getpid(), "start_ticks": ticks, "boot_id": boot, "http": address}
        part = Path(ready_file + ".part")
        part.write_text(json.dumps(told))
        part.replace(ready_file)
        while True:
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(2)
                try:
                    connection.recv(65_536)
                    connection.sendall(ANSWER)
                except OSError:
                    continue


if __name__ == "__main__":
    main(sys.argv[2], sys.argv[4])
