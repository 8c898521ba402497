"""The one reader of a spool: what waits, in order; what the far end has, forgotten.

It works while other processes write and shed. It reads only up to `durable`, what the writer has synced, so nothing
leaves the device that the device could still forget and number anew. What it reads tiles the numbers after `after_seq`
without a hole: a number is in a record or in a gap, and damage met on the way is given as a gap, the same one at every
reading.

Delivery is at least once: after a crash between the far end's answer and `acknowledge` the same records are read again,
and may meanwhile have become a gap. The far end keeps the highest number it has of each stream and drops what is not
above it (of a gap: the part that is not above it), and so sees each number once.

A second reader does no harm to the files (acknowledgements only rise) but sends everything twice.

Frames that a dead writer had written and not promised are read once its stream is opened for writing again; for a
writer that never returns, whoever retires it opens and closes a `SpoolWriter` once.

Errors: what the file system raises becomes Unavailable, a failed sync too: here it can be tried again from the start,
since the old cursor stands until the new one was synced whole.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass

from agents.spool.records import HEADER_BYTES, Kind, Record, frame_bytes, header_at
from agents.spool.segments import (
    CURSOR,
    DURABLE,
    SHAPE_LOCK,
    headers,
    mark,
    ranges,
    read_mark,
    segments,
    tile,
)
from tidegate.files import FileSystem, put
from tidegate.model.errors import Refused, Unavailable


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in one stream. `records` counts numbers, also in gaps; `oldest_ms` is None when no record waits."""

    records: int
    items: int
    bytes: int
    oldest_ms: int | None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the frame after `seq` was last seen: a hint, believed only if that very frame stands there."""

    path: str
    seq: int
    offset: int


class SpoolReader:
    """Reads every stream under `root`. Not safe for threads."""

    def __init__(self, files: FileSystem, root: str) -> None:
        self._files = files
        self._root = root
        self._places: dict[str, _Place] = {}
        self._tallies: dict[str, tuple[tuple[int, int, int], Backlog]] = {}

    def streams(self) -> list[str]:
        """Every stream that has ever been opened for writing, by name."""
        try:
            return sorted(name for name in self._files.names(self._root) if self._files.names(f"{self._root}/{name}"))
        except OSError as error:
            raise Unavailable(f"reading {self._root} failed: {error}") from error

    def acknowledged(self, stream: str) -> int:
        """The highest number that the far end has, as far as this device knows; 0 at first."""
        try:
            return read_mark(self._files, f"{self._directory(stream)}/{CURSOR}") or 0
        except OSError as error:
            raise Unavailable(f"reading the cursor of {stream} failed: {error}") from error

    def read(self, stream: str, after_seq: int, max_bytes: int) -> list[Record]:
        """The records of the next numbers above `after_seq` and above what is acknowledged, in order.

        At most `max_bytes` of frames, but at least one record where one waits. A gap may begin at or below `after_seq`
        on the disk: it is given clipped.
        """
        directory = self._directory(stream)
        try:
            with self._shape(directory):
                return self._read(stream, directory, after_seq, max_bytes)
        except OSError as error:
            raise Unavailable(f"reading {directory} failed: {error}") from error

    def acknowledge(self, stream: str, seq: int) -> None:
        """The far end has everything up to `seq`: remember that durably, then delete the segments that it covers.

        A number at or below the acknowledged one changes nothing. Raises Refused for a number never promised.
        """
        directory = self._directory(stream)
        try:
            with self._shape(directory):
                durable = read_mark(self._files, f"{directory}/{DURABLE}") or 0
                current = self.acknowledged(stream)
                if seq > max(durable, current):
                    raise Refused("acknowledges what was never sent", field="seq", found=seq, wanted=f"<= {durable}")
                if seq > current:
                    put(self._files, f"{directory}/{CURSOR}", [mark(seq)])
                    self._drop(directory, seq)
        except OSError as error:
            # The old cursor or the new one stands, either is sound; the far end drops what it then gets again.
            raise Unavailable(f"acknowledging in {directory} failed: {error}") from error

    def backlog(self) -> dict[str, Backlog]:
        """What waits, by stream. Reads headers only, and only of segments that changed since the last call."""
        try:
            return {stream: self._waiting(stream) for stream in self.streams()}
        except OSError as error:
            raise Unavailable(f"reading {self._root} failed: {error}") from error

    def _directory(self, stream: str) -> str:
        return f"{self._root}/{stream}"

    def _shape(self, directory: str) -> AbstractContextManager[None]:
        return self._files.lock(f"{directory}/{SHAPE_LOCK}")

    def _drop(self, directory: str, acknowledged: int) -> None:
        found = list(ranges(segments(self._files, directory)))
        for each, last in found:
            if last is not None and last <= acknowledged:
                self._files.remove(each.path)
                self._tallies.pop(each.path, None)
        self._files.sync_directory(directory)

    def _read(self, stream: str, directory: str, after_seq: int, max_bytes: int) -> list[Record]:
        durable = read_mark(self._files, f"{directory}/{DURABLE}")
        expected = max(after_seq, self.acknowledged(stream)) + 1
        taken: list[Record] = []
        room = max_bytes
        if durable is None or expected > durable:
            return taken  # the writer marks it when it opens; most looks find nothing new and end here
        for each, last in ranges(segments(self._files, directory)):
            through = durable if last is None else min(last, durable)
            if expected > through:
                continue
            data = self._files.read(each.path)
            place = self._places.get(stream)
            offset = place.offset if place and _stands(data, each.path, place, expected) else 0
            for record in tile(data, expected, through, offset):
                size = frame_bytes(record)
                if taken and size > room:
                    return taken
                taken.append(record)
                room -= size
                expected = record.seq + 1
                offset += size
                self._places[stream] = _Place(each.path, record.seq, offset)
        return taken

    def _waiting(self, stream: str) -> Backlog:
        directory = self._directory(stream)
        with self._shape(directory):
            durable = read_mark(self._files, f"{directory}/{DURABLE}") or 0
            acknowledged = self.acknowledged(stream)
            if acknowledged >= durable:
                return Backlog(0, 0, 0, None)
            parts = []
            for each, last in ranges(segments(self._files, directory)):
                through = durable if last is None else min(last, durable)
                after = max(acknowledged, each.first - 1)
                if after >= through:
                    continue
                key = (self._files.size(each.path), after, through)
                known = self._tallies.get(each.path)
                if known is None or known[0] != key:
                    known = (key, _tally(self._files.read(each.path), after, through))
                    self._tallies[each.path] = known
                parts.append(known[1])
        return Backlog(
            records=max(0, durable - acknowledged),
            items=sum(part.items for part in parts),
            bytes=sum(part.bytes for part in parts),
            oldest_ms=min((part.oldest_ms for part in parts if part.oldest_ms is not None), default=None),
        )


def _stands(data: bytes, path: str, place: _Place, expected: int) -> bool:
    """Whether the frame of number `expected` stands at the place: then everything before it may be skipped."""
    if place.path != path or place.seq + 1 != expected:
        return False
    header = header_at(data, place.offset)
    return header is not None and header.seq == expected and header.kind is not Kind.GAP


def _tally(data: bytes, after: int, through: int) -> Backlog:
    items, size, oldest = 0, 0, None
    for _, header in headers(data):
        if not after < header.seq <= through:
            continue
        size += HEADER_BYTES + header.length
        items += header.count
        if header.kind is not Kind.GAP:
            oldest = header.at_ms if oldest is None else min(oldest, header.at_ms)
    return Backlog(0, items, size, oldest)
