"""Packed numbers: how a decision keeps its matrix in bytes instead of objects, and how a reader gets it back.

    bits      one bit for each row, the first row in the lowest bit of the first byte; no bytes at all: every bit is 1
    numbers   little-endian, all of one width: 1, 2 or 4 bytes unsigned, else 8 bytes signed; no bytes at all: all 0

The width is what the length says, since readers know how many numbers there are. Written here for readers, in plain
Python; the engine packs the same format from its arrays (`placement.record`).
"""

import struct
from collections.abc import Sequence

WIDTHS = {1: "B", 2: "H", 4: "I", 8: "q"}


def pack_bits(truths: Sequence[bool]) -> bytes:
    """The bits of `truths`; nothing where all are true."""
    if all(truths):
        return b""
    number = sum(1 << row for row, truth in enumerate(truths) if truth)
    return number.to_bytes(-(-len(truths) // 8), "little")


def unpack_bits(bits: bytes, count: int) -> tuple[bool, ...]:
    """The truths of `count` rows. Rows beyond what the bytes hold are false."""
    if not bits:
        return (True,) * count
    number = int.from_bytes(bits, "little")
    return tuple(bool(number >> row & 1) for row in range(count))


def zeros(bits: bytes, count: int) -> tuple[int, ...]:
    """The rows of `count` whose bit is 0, in order."""
    if not bits:
        return ()
    return tuple(row for row, truth in enumerate(unpack_bits(bits, count)) if not truth)


def count_zeros(bits: bytes, count: int) -> int:
    """How many of `count` rows have the bit 0."""
    return count - (int.from_bytes(bits, "little") & ((1 << count) - 1)).bit_count() if bits else 0


def pack_numbers(numbers: Sequence[int]) -> bytes:
    """The numbers at the least width that holds them all; nothing where all are 0."""
    if not any(numbers):
        return b""
    low, high = min(numbers), max(numbers)
    width = next((w for w in (1, 2, 4) if low >= 0 and high < 1 << 8 * w), 8)
    return struct.pack(f"<{len(numbers)}{WIDTHS[width]}", *numbers)


def unpack_numbers(data: bytes, count: int) -> tuple[int, ...]:
    """The inverse of `pack_numbers`. ValueError where the bytes are not `count` numbers of one width."""
    if not data:
        return (0,) * count
    width = WIDTHS.get(len(data) // count) if count and len(data) % count == 0 else None
    if width is None:
        raise ValueError(f"{len(data)} bytes are not {count} numbers of one width")
    return struct.unpack(f"<{count}{width}", data)
