"""What stands in the log, and how each row vouches for itself and for all rows before it.

A record is what a writer hands in. A row is a record with its place: an offset (1, 2, 3 ... without a hole), a
checksum and a chain hash.

    header  = u64 offset | u32 version | i64 at | u16 length of kind | kind in UTF-8      (big-endian) crc     = CRC-32
    of header and payload chain   = SHA-256 of the previous row's chain (32 bytes), the header, the length of the
    payload (u64) and the payload

The checksum judges one row without its neighbours; the chain makes the order and the whole past part of the last hash,
so two logs with the same head are the same log. Hashed are the payload's bytes as stored, never a message encoded
again: protobuf does not promise the same bytes twice.

Limits: a kind of 128 bytes, a payload of 16 MiB.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tidegate.model.errors import Refused

LONGEST_KIND = 128
LARGEST_PAYLOAD = 16 * 2**20

GENESIS = hashlib.sha256(b"tidegate log 1").digest()
"""The chain before the first row."""

_HEADER = struct.Struct(">QIqH")
_LENGTH = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that happened, not yet in the log. `at`: ms since the epoch; `version`: of the kind's encoding."""

    kind: str
    version: int
    at: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Row:
    """A record where it stands in the log."""

    offset: int
    kind: str
    version: int
    at: int
    payload: bytes
    crc: int
    chain: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The last row's place and chain hash; offset 0 and `GENESIS` for an empty log."""

    offset: int = 0
    chain: bytes = GENESIS


@dataclass(frozen=True, slots=True)
class Damage:
    """The first row that does not hold, and what is wrong with it."""

    offset: int
    because: str


def admit(records: Sequence[Record]) -> None:
    """Refused where a record could not be read back as it was given."""
    for index, record in enumerate(records):
        where = f"records[{index}]"
        if not 0 < len(record.kind.encode()) <= LONGEST_KIND:
            raise Refused("a kind has a bounded name", field=f"{where}.kind", wanted=f"1 to {LONGEST_KIND} bytes")
        if not 0 < record.version < 2**31:
            raise Refused("a version counts from 1", field=f"{where}.version", found=record.version)
        if not -(2**63) <= record.at < 2**63:
            raise Refused("a moment is a 64-bit number of ms", field=f"{where}.at", found=record.at)
        if len(record.payload) > LARGEST_PAYLOAD:
            raise Refused(
                "the payload is too large",
                field=f"{where}.payload",
                found=len(record.payload),
                wanted=f"at most {LARGEST_PAYLOAD} bytes",
            )


def chained(head: Head, records: Iterable[Record]) -> list[Row]:
    """The records as the rows that follow `head`."""
    rows: list[Row] = []
    offset, chain = head.offset, head.chain
    for record in records:
        offset += 1
        crc, chain = vouch(chain, offset, record.kind, record.version, record.at, record.payload)
        rows.append(Row(offset, record.kind, record.version, record.at, record.payload, crc, chain))
    return rows


def vouch(previous: bytes, offset: int, kind: str, version: int, at: int, payload: bytes) -> tuple[int, bytes]:
    """The checksum and the chain hash of a row that follows one whose chain is `previous`."""
    header = _header(offset, kind, version, at)
    digest = hashlib.sha256(previous)
    digest.update(header)
    digest.update(_LENGTH.pack(len(payload)))
    digest.update(payload)
    return zlib.crc32(payload, zlib.crc32(header)), digest.digest()


def stands_alone(row: Row) -> bool:
    """Whether the row's own checksum holds; says nothing of its place in the chain."""
    try:
        return row.crc == zlib.crc32(row.payload, zlib.crc32(_header(row.offset, row.kind, row.version, row.at)))
    except (struct.error, TypeError, AttributeError):  # a damaged page can give a column another type
        return False


def first_damage(before: Head, rows: Iterable[Row]) -> Damage | None:
    """The first of `rows` that does not follow from `before`, None where all do."""
    offset, chain = before.offset, before.chain
    for row in rows:
        offset += 1
        if row.offset != offset:
            return Damage(offset, f"the row is missing, the next one is {row.offset}")
        if not stands_alone(row):
            return Damage(offset, "the checksum does not hold")
        _, chain = vouch(chain, offset, row.kind, row.version, row.at, row.payload)
        if row.chain != chain:
            return Damage(offset, "the chain hash does not follow from the row before")
    return None


def _header(offset: int, kind: str, version: int, at: int) -> bytes:
    name = kind.encode()
    return _HEADER.pack(offset, version, at, len(name)) + name
