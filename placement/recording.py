"""Recording: columns of numbers as bytes, as `tidegate.model.packed` reads them, by `placement.native`."""

import numpy as np
from numpy.typing import NDArray

from placement.native import BYTE, INT, TRUTH, column, native, written

Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

WIDEST = 8


def pack_numbers(numbers: Numbers) -> bytes:
    """As `tidegate.model.packed.pack_numbers`."""
    room = np.empty(WIDEST * len(numbers), dtype=np.uint8)
    return room[: _packed(numbers, room)].tobytes()


def pack_used(count: int, codes: Numbers) -> tuple[Mask, bytes]:
    """Which of so many values some row has, shape (count,), and which of these each row has, packed."""
    present, room = np.empty(count, dtype=np.bool_), np.empty(WIDEST * len(codes), dtype=np.uint8)
    return present, room[: _packed_used(codes, present, room)].tobytes()


def pack_same(number: int, count: int) -> bytes:
    """As `pack_numbers` of one number, 0 or more, so many times."""
    width = 1 if number < 1 << 8 else 2 if number < 1 << 16 else 4 if number < 1 << 32 else WIDEST
    return number.to_bytes(width, "little") * count if number else b""


@native(column(INT), written(BYTE))
def _packed(numbers: Numbers, room: Bytes) -> int:
    most = np.uint64(0)
    for number in numbers:
        most = max(most, np.uint64(number))  # what is below 0 is far above it there
    if most == np.uint64(0):
        return 0
    width = 1 if most < 1 << 8 else 2 if most < 1 << 16 else 4 if most < 1 << 32 else WIDEST
    at = 0
    for number in numbers:
        for _ in range(width):
            room[at] = number & 255
            number >>= 8
            at += 1
    return at


@native(column(INT), written(TRUTH), written(BYTE))
def _packed_used(codes: Numbers, present: Mask, room: Bytes) -> int:
    present[:] = False
    for code in codes:
        present[code] = True
    numbers, count = np.zeros(len(present), dtype=np.int64), 0
    for value in range(len(present)):
        numbers[value] = count
        count += present[value]
    renamed = np.empty(len(codes), dtype=np.int64)
    for row in range(len(codes)):
        renamed[row] = numbers[codes[row]]
    return _packed(renamed, room)
