"""The state at an offset, kept so that a start replays only what came after.

A snapshot is disposable: the log alone is the truth, and any snapshot can be deleted at any time. So a damaged one,
one of another history (its chain hash is not the log's), one ahead of the log, or one made by other code is passed
over with a warning, the one before it is tried, and in the end the log is replayed from its first row. None of that is
an error.

    file    = snapshot-<offset, 20 digits> content = magic (8) | u32 format of the state | u64 offset | chain (32) |
    u64 length | state | SHA-256 of all before

Big-endian. `format` is the caller's number for its state encoding and the fold that made it: raise it when either
changes.

Limits: the last 2 are kept; a state is at most 1 GiB.
"""

import hashlib
import logging
import struct
from collections.abc import Callable
from dataclasses import dataclass

from broker.log.disk import Directory
from broker.log.record import Head
from tidegate.model.errors import Broken, Unavailable

KEPT = 2
LARGEST_STATE = 2**30

_MAGIC = b"tdgsnap1"
_HEADER = struct.Struct(">8sIQ32sQ")
_PREFIX = "snapshot-"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state after the row at `head`."""

    head: Head
    format: int
    state: bytes


class Snapshots:
    """The snapshots of one log, in a directory of their own. Blocking: call it off the event loop."""

    def __init__(self, directory: Directory, format: int) -> None:
        """`format` is of the states written and read through this object."""
        self._directory = directory
        self._format = format

    def write(self, head: Head, state: bytes) -> None:
        """Keep the state after the row at `head`, and forget all but the last `KEPT`.

        Unavailable where the file system would not have it: go on without; nothing depends on it.
        """
        if len(state) > LARGEST_STATE:
            raise Broken("the state is too large for a snapshot", found=len(state), wanted=f"{LARGEST_STATE} bytes")
        try:
            self._directory.write(_name(head.offset), encode(Snapshot(head, self._format, state)))
            for name in self._names()[:-KEPT]:
                self._directory.remove(name)
        except OSError as error:
            raise Unavailable(f"the snapshot at {head.offset} was not written: {error}") from error

    def newest(self, chain_at: Callable[[int], bytes | None]) -> Snapshot | None:
        """The newest usable snapshot of the log whose hashes `chain_at` gives; None: replay from the first row."""
        for name in reversed(self._names()):
            try:
                snapshot = decode(self._directory.read(name))
            except (OSError, ValueError) as error:
                logger.warning("snapshot passed over", extra={"snapshot": name, "because": str(error)})
                continue
            because = self._unusable(snapshot, chain_at(snapshot.head.offset))
            if not because:
                return snapshot
            logger.warning("snapshot passed over", extra={"snapshot": name, "because": because})
        return None

    def offsets(self) -> list[int]:
        """Where the kept snapshots say that they stand, oldest first; whether they are any good is not looked into."""
        numbers = [name.removeprefix(_PREFIX) for name in self._names()]
        return [int(number) for number in numbers if number.isdecimal()]

    def _unusable(self, snapshot: Snapshot, chain: bytes | None) -> str:
        if snapshot.format != self._format:
            return f"its state has format {snapshot.format}, this code reads {self._format}"
        if chain is None:
            return f"it stands at {snapshot.head.offset}, which the log does not reach"
        if chain != snapshot.head.chain:
            return "it is of another history than the log"
        return ""

    def _names(self) -> list[str]:
        try:
            return [name for name in self._directory.names() if name.startswith(_PREFIX)]
        except OSError as error:
            logger.warning("snapshots cannot be listed", extra={"because": str(error)})
            return []


def encode(snapshot: Snapshot) -> list[bytes]:
    """The file's content, in parts."""
    header = _HEADER.pack(_MAGIC, snapshot.format, snapshot.head.offset, snapshot.head.chain, len(snapshot.state))
    digest = hashlib.sha256(header)
    digest.update(snapshot.state)
    return [header, snapshot.state, digest.digest()]


def decode(content: bytes) -> Snapshot:
    """The inverse of `encode`. ValueError where the content is not whole and undamaged."""
    if len(content) < _HEADER.size + 32:
        raise ValueError("the file is too short")
    if hashlib.sha256(memoryview(content)[:-32]).digest() != content[-32:]:
        raise ValueError("the checksum does not hold")
    magic, format, offset, chain, length = _HEADER.unpack_from(content)
    state = content[_HEADER.size : -32]
    if magic != _MAGIC or length != len(state):
        raise ValueError("the file is not a snapshot")
    return Snapshot(Head(offset, chain), format, state)


def _name(offset: int) -> str:
    return f"{_PREFIX}{offset:020d}"
