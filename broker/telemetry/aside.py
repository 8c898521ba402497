"""A damaged trace store is set aside, so that the broker starts on its log, which alone decides.

    telemetry.db, -wal             become telemetry.db.damaged-<n>, -wal: for whoever wants to look into them
    telemetry.db.damaged           a mark: the store found damage while it ran, and is set aside at the next start

What is set aside is lost to searches, and with it the ledger of what each site has sent; the new store tells that as
gaps. Only damage is set aside: an I/O error, a full disk or a file of newer code says nothing against the file.

Order: the mark stays until the new store knows what it is; a start that was cut short sets aside once more. The
write-ahead log goes before the database, durably: a new database must never find an old log.
"""

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from broker.log.database import Damaged
from tidegate.files import FileSystem, directory_of, fault, put

MOST_ASIDE = 1_000

logger = logging.getLogger(__name__)


class Anew(Protocol):
    """A store that can stand in for another."""

    def begin_anew(self) -> None: ...

    def close(self) -> None: ...


Store = TypeVar("Store", bound=Anew)


def mark(files: FileSystem, path: Path) -> None:
    """Have the store at `path` set aside at the next start. Where that cannot be written, it is found again then."""
    logger.error("the trace store is damaged and is set aside at the next start path=%s", path)
    with contextlib.suppress(OSError):
        put(files, f"{path}.damaged", [b""])


def opened(files: FileSystem, path: Path, make: Callable[[], Store]) -> Store:
    """What `make` opens at `path`; where that is damaged or marked, a new one beside it. Raises what else it raises."""
    try:
        marked = files.exists(f"{path}.damaged")
    except OSError as error:
        raise fault("looking for the trace store", str(path), error) from error
    because = "it was found damaged while it ran"
    if not marked:
        try:
            return make()
        except Damaged as error:
            because = str(error)
    try:
        put(files, f"{path}.damaged", [b""])
        kept = _set_aside(files, str(path))
        logger.error("the trace store was set aside as %s because=%s", kept, because)
        store = make()
        try:
            store.begin_anew()
            files.remove(f"{path}.damaged")
            files.sync_directory(directory_of(str(path)))
        except BaseException:
            store.close()
            raise
    except OSError as error:
        raise fault("setting a damaged trace store aside", str(path), error) from error
    return store


def _set_aside(files: FileSystem, path: str) -> str:
    number = next(each for each in range(1, MOST_ASIDE) if not files.exists(f"{path}.damaged-{each}"))
    kept = f"{path}.damaged-{number}"
    files.remove(f"{path}-shm")
    if files.exists(f"{path}-wal"):
        files.rename(f"{path}-wal", f"{kept}-wal")
        files.sync_directory(directory_of(path))
    if files.exists(path):
        files.rename(path, kept)
    files.sync_directory(directory_of(path))
    return kept
