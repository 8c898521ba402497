"""One process to a log.

The lock is flock(2) on a file beside the log: the kernel gives it back when the process ends, however it ends, so
there is no stale lock to clear by hand. A process that it was starting just then has the lock until that runs, which
is waited for. The file holds the owner's pid, for the message and to know that it is gone; the lock decides, never the
pid. It is a file of its own because closing any descriptor of the database itself would drop SQLite's own locks.

Not for network file systems, where flock may be local to each host.
"""

import contextlib
import fcntl
import os
import time
from pathlib import Path

from tidegate.files import fault
from tidegate.model.errors import Refused

LOOK_S, LOOKS = 0.02, 250
"""A lock may outlive its owner for so long: 5 s."""


class Ownership:
    """Held from construction to `release`. Refused, naming the owner's pid, where another holds it."""

    def __init__(self, path: Path) -> None:
        """`path` is the lock file; it is made where it is missing, and left in place."""
        self.path = path
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise fault("opening the lock", str(path), error) from error
        if not _taken(descriptor):
            owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise Refused(
                f"{path.name.removesuffix('.lock')} belongs to process {owner}",
                field=str(path),
                wanted="one broker to a log: stop that process or use another directory",
            )
        self._descriptor = descriptor
        with contextlib.suppress(OSError):  # no room for a few bytes: the message is poorer, the lock is the same
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another process have it. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _taken(descriptor: int) -> bool:
    """Take the lock; where its owner is gone, after a while."""
    for _ in range(LOOKS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if _lives(os.pread(descriptor, 32, 0)):
                return False
            time.sleep(LOOK_S)
        else:
            return True
    return False


def _lives(owner: bytes) -> bool:
    """Whether the process of this pid does; of nobody's pid, yes."""
    try:
        os.kill(int(owner), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OverflowError, PermissionError):
        return True
    return True
