"""How a stream lies on the disk, and how its bytes become records again.

    <root>/<stream>/<first seq, 20 digits>.log   frames, in order; the file's name is the first number it may hold
    <root>/<stream>/cursor                       the number acknowledged by the far end (written by the reader)
    <root>/<stream>/durable                      the number up to which everything is synced (written by the writer)
    <root>/<stream>/*.new                        a file being written; meaningless after a crash
    <root>/<stream>/writer.lock, shape.lock      empty; held with flock

Segment k holds the numbers from its own name up to the next segment's name: that *range* is authoritative, whatever the
bytes say. Frames outside it (left by a crash between two steps of shedding) are ignored, and numbers in it without a
frame are a gap. The newest segment is never deleted, only a segment with a successor, so the name of the newest and the
cursor together keep numbers from ever being used twice.

A *mark* (`cursor`, `durable`) is 12 bytes: u64 number, u32 CRC. `cursor` is replaced by rename and synced. `durable` is
overwritten in place and never synced itself: it is written only after the data was synced, so it may come back from a
power cut too low, or damaged and so unknown, but never too high.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from agents.spool.records import (
    GAP_FRAME_BYTES,
    HEADER_BYTES,
    LARGEST_SEQ,
    MAGIC_BYTES,
    SHEDDABLE,
    Gap,
    Header,
    Kind,
    Record,
    ShedClass,
    encode,
    frame_bytes,
    header_at,
)
from tidegate.files import FileSystem

SUFFIX = ".log"
CURSOR = "cursor"
DURABLE = "durable"
WRITER_LOCK = "writer.lock"
SHAPE_LOCK = "shape.lock"

_MARK = struct.Struct("<QI")
MARK_BYTES = _MARK.size


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One file of a stream, by its first number."""

    first: int
    path: str


def segment(directory: str, first: int) -> Segment:
    return Segment(first, f"{directory}/{first:020d}{SUFFIX}")


def segments(files: FileSystem, directory: str) -> list[Segment]:
    """The segments of a stream, oldest first."""
    found = []
    for name in files.names(directory):
        stem = name.removesuffix(SUFFIX)
        if stem != name and len(stem) == 20 and stem.isdigit():
            found.append(Segment(int(stem), f"{directory}/{name}"))
    return sorted(found)


def ranges(found: list[Segment]) -> Iterator[tuple[Segment, int | None]]:
    """Each segment with the last number of its range; None for the newest, which has no end yet."""
    for index, each in enumerate(found):
        yield each, found[index + 1].first - 1 if index + 1 < len(found) else None


def read_mark(files: FileSystem, path: str) -> int | None:
    """The number in a mark, or None when it is missing or damaged."""
    try:
        data = files.read(path)
    except FileNotFoundError:
        return None
    if len(data) != MARK_BYTES:
        return None
    seq, check = _MARK.unpack(data)
    return int(seq) if check == zlib.crc32(data[:8]) and seq <= LARGEST_SEQ else None


def mark(seq: int) -> bytes:
    """The bytes of a mark."""
    number = struct.pack("<Q", seq)
    return number + struct.pack("<I", zlib.crc32(number))


def headers(data: bytes, offset: int = 0) -> Iterator[tuple[int, Header]]:
    """Every frame that is whole in length, with its offset. Past a damaged header it goes on at the next good one."""
    while offset < len(data):
        header = header_at(data, offset)
        if header is not None:
            end = offset + HEADER_BYTES + header.length
            if end > len(data):
                return  # torn: nothing can follow a frame that reaches past the end of the file
            yield offset, header
            offset = end
        else:
            offset = data.find(MAGIC_BYTES, offset + 1)
            if offset < 0:
                return


def records(data: bytes, offset: int = 0) -> Iterator[Record]:
    """The records in a segment's bytes; one with a damaged payload is given as the gap that it leaves."""
    for at, header in headers(data, offset):
        start = at + HEADER_BYTES
        payload = data[start : start + header.length]
        intact = zlib.crc32(payload) == header.payload_crc
        if header.kind is Kind.GAP:
            gap = _gap(payload) if intact else None
            if gap is None or gap.to_seq != header.seq:
                continue  # its range is known to no one: `tile` makes it good from the neighbours
            from_seq = gap.from_seq
        else:
            from_seq = header.seq
        record = Record(header.seq, header.kind, header.shed_class, header.at_ms, header.count, payload, from_seq)
        yield record if intact else Gap.of(record).record()


def _gap(payload: bytes) -> Gap | None:
    try:
        return Gap.decode(payload)
    except ValueError:
        return None


def tile(data: bytes, expected: int, through: int, offset: int = 0) -> Iterator[Record]:
    """The records for exactly the numbers `expected..through`, one after another without a hole.

    What the bytes do not hold is given as a gap of unknown content; a gap that begins earlier or ends later is given
    clipped to the range. `offset` may name the frame to begin at, where the caller knows it.
    """
    for record in records(data, offset):
        if record.seq < expected:
            continue
        if record.from_seq > through:
            continue
        if record.from_seq > expected:
            yield Gap(expected, record.from_seq - 1).record()
            expected = record.from_seq
        yield record if record.from_seq == expected and record.seq <= through else _clip(record, expected, through)
        expected = record.seq + 1
        if expected > through:
            return
    if expected <= through:
        yield Gap(expected, through).record()


def _clip(record: Record, first: int, last: int) -> Record:
    gap = record.gap
    return Gap(
        max(first, gap.from_seq), min(last, gap.to_seq), gap.oldest_ms, gap.newest_ms, gap.records, gap.items
    ).record()


def shed(kept: Iterator[Record], up_to: ShedClass | None) -> bytes:
    """Frames for the same numbers with every record of class `up_to` or lower gone into gaps; neighbouring gaps joined.

    With None nothing is shed and gaps are joined all the same.
    """
    frames: list[bytes] = []
    pending: Gap | None = None
    for record in kept:
        goes = record.kind is Kind.GAP or (up_to is not None and record.shed_class <= up_to)
        if goes:
            gap = Gap.of(record)
            pending = gap if pending is None else pending.join(gap)
        else:
            if pending is not None:
                frames.append(encode(pending.record()))
                pending = None
            frames.append(encode(record))
    if pending is not None:
        frames.append(encode(pending.record()))
    return b"".join(frames)


@dataclass(slots=True)
class Summary:
    """What shedding a segment would give, kept up to date as frames are added so that nothing has to be read for it.

    For each sheddable class: the bytes in the runs that would go (records of that class or lower, and gaps), and the
    number of runs, each of which leaves one gap behind.
    """

    size: int = 0
    _run_bytes: list[int] = field(default_factory=lambda: [0] * len(SHEDDABLE))
    _runs: list[int] = field(default_factory=lambda: [0] * len(SHEDDABLE))
    _in_run: list[bool] = field(default_factory=lambda: [False] * len(SHEDDABLE))

    @staticmethod
    def of(data: bytes) -> "Summary":
        summary = Summary()
        for record in records(data):
            summary.add(record)
        summary.size = len(data)  # damaged bytes count too: they are on the disk
        return summary

    def add(self, record: Record) -> None:
        size = frame_bytes(record)
        self.size += size
        for level in SHEDDABLE:
            goes = record.kind is Kind.GAP or record.shed_class <= level
            if goes:
                self._run_bytes[level] += size
                if not self._in_run[level]:
                    self._runs[level] += 1
            self._in_run[level] = goes

    def saves(self, up_to: ShedClass) -> int:
        """Bytes that shedding `up_to` and lower would free; never less than zero, as a loss is not taken."""
        return max(0, self._run_bytes[up_to] - self._runs[up_to] * GAP_FRAME_BYTES)
