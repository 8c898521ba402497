"""Masks as whole numbers, the first row in the lowest bit: a thousand answers are joined in nanoseconds."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def to_bits(mask: Mask) -> int:
    """A mask as one number."""
    return int.from_bytes(np.packbits(mask, bitorder="little").tobytes(), "little")


def to_mask(bits: int, rows: int) -> Mask:
    """The inverse of `to_bits`."""
    data = np.frombuffer(bits.to_bytes(-(-rows // 8), "little"), dtype=np.uint8)
    return np.unpackbits(data, count=rows, bitorder="little").view(np.bool_)


def to_bytes(bits: int, rows: int) -> bytes:
    """As `tidegate.model.packed.pack_bits`: nothing where all are set."""
    return b"" if bits == (1 << rows) - 1 else bits.to_bytes(-(-rows // 8), "little")
