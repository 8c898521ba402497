"""What the spool holds: facts, numbered into records, and the gaps that stand where records are missing.

Every sequence number of a stream belongs to exactly one record. A fact gets one number; a gap stands for a whole range
of them. So the records of a stream *tile* its numbers: each begins where the one before ended. That one property is
what "never a silent gap" means here, and everything that reads a stream checks it (`segments.tile`).

A frame on disk, little-endian, is a header of 40 bytes and the payload:

    u32 magic   u32 payload length   u64 seq   i64 at (ms)   u32 items   u8 kind   u8 shed class   u16 zero
    u32 CRC of the payload   u32 CRC of the header so far

The header has a check of its own so that a damaged payload can be stepped over exactly, and its loss be counted: class,
items and time are still known. Only a damaged header makes the reader look for the next magic.

The check is zlib's CRC-32 and not CRC-32C: it is in the standard library at memory speed, where CRC-32C would be one
more compiled dependency on every device, and both catch every burst up to 32 bits and all but one in 2^32 of longer
damage.

Limits: a payload is at most 64 MiB here (`Limits.segment_bytes` binds earlier); a gap's frame is always 136 bytes.
"""

import struct
import zlib
from dataclasses import dataclass, field
from enum import IntEnum

MAGIC = 0x50534754  # "TGSP"
MAGIC_BYTES = struct.pack("<I", MAGIC)
LARGEST_PAYLOAD = 64 * 2**20
LARGEST_SEQ = 2**62
"""No stream comes near it; a number above is damage, whatever its check says."""
MOST_COUNTED = 2**61
"""A gap counts no further; a number above is damage."""

_HEADER = struct.Struct("<IIQqIBBHI")
_CHECK = struct.Struct("<I")
HEADER_BYTES = _HEADER.size + _CHECK.size


class Kind(IntEnum):
    """What a payload is: the reader passes it on, only the broker opens it."""

    SPANS = 1  # an encoded OTLP ExportTraceServiceRequest
    PREDICTIONS = 2  # an encoded batch of predictions
    GAP = 3  # made by the spool alone: `Gap`


class ShedClass(IntEnum):
    """What goes first when the spool is full, lowest first. Audit never goes: its writer is refused instead."""

    DEBUG = 0
    OK = 1
    ERROR = 2
    AUDIT = 3


SHEDDABLE = (ShedClass.DEBUG, ShedClass.OK, ShedClass.ERROR)


@dataclass(frozen=True, slots=True)
class Fact:
    """What a writer hands in. `at_ms` is the writer's moment, `count` the items (spans, predictions) in the payload."""

    kind: Kind
    shed_class: ShedClass
    at_ms: int
    count: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """What a reader gets. It stands for `from_seq..seq`, which is one number unless it is a gap."""

    seq: int
    kind: Kind
    shed_class: ShedClass
    at_ms: int
    count: int
    payload: bytes
    from_seq: int

    @property
    def gap(self) -> "Gap":
        """What is missing; only for a record of kind GAP."""
        return Gap.decode(self.payload)


_GAP = struct.Struct("<QQqq8Q")
GAP_FRAME_BYTES = HEADER_BYTES + _GAP.size
UNKNOWN_MS = -(2**63)

Counts = tuple[int, int, int, int]
NONE: Counts = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Gap:
    """The numbers `from_seq..to_seq` are missing: shed for room, or damaged on the disk.

    `records` and `items` count what is known to be lost, by shed class in its order; what is missing beyond that was
    damaged past telling (`unknown`). `oldest_ms..newest_ms` spans the known losses, UNKNOWN_MS when there are none.

    The range is exact. The counts are of the whole loss: when part of it had already been read, or a crash fell between
    two steps of shedding, they may count a record that was delivered too.
    """

    from_seq: int
    to_seq: int
    oldest_ms: int = UNKNOWN_MS
    newest_ms: int = UNKNOWN_MS
    records: Counts = field(default=NONE)
    items: Counts = field(default=NONE)

    @property
    def unknown(self) -> int:
        """Numbers in the range about which nothing is known but that they are missing."""
        return max(0, self.to_seq - self.from_seq + 1 - sum(self.records))

    @staticmethod
    def of(record: Record) -> "Gap":
        """The gap that this record leaves when it goes. A gap leaves itself."""
        if record.kind is Kind.GAP:
            return record.gap
        one = [0, 0, 0, 0]
        items = [0, 0, 0, 0]
        one[record.shed_class] = 1
        items[record.shed_class] = record.count
        return Gap(record.from_seq, record.seq, record.at_ms, record.at_ms, _four(one), _four(items))

    def join(self, later: "Gap") -> "Gap":
        """This gap and the one right after it, as one."""
        known = [gap for gap in (self, later) if sum(gap.records)]
        return Gap(
            from_seq=self.from_seq,
            to_seq=later.to_seq,
            oldest_ms=min((gap.oldest_ms for gap in known), default=UNKNOWN_MS),
            newest_ms=max((gap.newest_ms for gap in known), default=UNKNOWN_MS),
            records=_four([min(a + b, MOST_COUNTED) for a, b in zip(self.records, later.records, strict=True)]),
            items=_four([min(a + b, MOST_COUNTED) for a, b in zip(self.items, later.items, strict=True)]),
        )

    def record(self) -> Record:
        """This gap as a record of the stream: it ends at `to_seq`, is never shed, and carries no items itself."""
        payload = _GAP.pack(self.from_seq, self.to_seq, self.oldest_ms, self.newest_ms, *self.records, *self.items)
        at_ms = 0 if self.newest_ms == UNKNOWN_MS else self.newest_ms
        return Record(self.to_seq, Kind.GAP, ShedClass.AUDIT, at_ms, 0, payload, self.from_seq)

    @staticmethod
    def decode(payload: bytes) -> "Gap":
        """The inverse of `record`'s payload. ValueError when it is not a gap's."""
        if len(payload) != _GAP.size:
            raise ValueError(f"a gap is {_GAP.size} bytes, not {len(payload)}")
        from_seq, to_seq, oldest, newest, *numbers = _GAP.unpack(payload)
        if not 0 < from_seq <= to_seq <= LARGEST_SEQ or max(numbers) > MOST_COUNTED:
            raise ValueError(f"a gap cannot reach from {from_seq} to {to_seq}")
        return Gap(from_seq, to_seq, oldest, newest, _four(numbers[:4]), _four(numbers[4:]))


def number(fact: Fact, seq: int) -> Record:
    """The fact as the record with that number."""
    return Record(seq, fact.kind, fact.shed_class, fact.at_ms, fact.count, fact.payload, seq)


def encode(record: Record) -> bytes:
    """One frame."""
    payload = record.payload
    header = _HEADER.pack(
        MAGIC,
        len(payload),
        record.seq,
        record.at_ms,
        record.count,
        record.kind,
        record.shed_class,
        0,
        zlib.crc32(payload),
    )
    return b"".join((header, _CHECK.pack(zlib.crc32(header)), payload))


def frame_bytes(record: Record) -> int:
    return HEADER_BYTES + len(record.payload)


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a frame whose own check holds."""

    length: int
    seq: int
    at_ms: int
    count: int
    kind: Kind
    shed_class: ShedClass
    payload_crc: int


_KINDS = {int(kind): kind for kind in Kind}
_CLASSES = {int(shed_class): shed_class for shed_class in ShedClass}


def header_at(data: bytes | memoryview, offset: int) -> Header | None:
    """The header at `offset`, or None where there is no whole and undamaged one."""
    end = offset + _HEADER.size
    if end + _CHECK.size > len(data):
        return None
    if _CHECK.unpack_from(data, end)[0] != zlib.crc32(data[offset:end]):
        return None
    magic, length, seq, at_ms, count, kind, shed_class, zero, payload_crc = _HEADER.unpack_from(data, offset)
    if magic != MAGIC or zero or length > LARGEST_PAYLOAD or kind not in _KINDS or shed_class not in _CLASSES:
        return None
    if not 0 < seq <= LARGEST_SEQ:
        return None
    return Header(length, seq, at_ms, count, _KINDS[kind], _CLASSES[shed_class], payload_crc)


def _four(numbers: list[int]) -> Counts:
    first, second, third, fourth = numbers
    return first, second, third, fourth
