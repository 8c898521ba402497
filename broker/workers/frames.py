"""Frames of plain bytes, so that nothing read from a pipe can be code.

    frame   8 bytes, big-endian: how many bytes follow; then these

Limits: 4 GiB a frame, 100,000 frames in one piece; whatever does not keep to that is Unavailable, since half an answer
is none.
"""

import struct
from collections.abc import Iterable
from typing import Protocol

from tidegate.model.errors import Unavailable

LENGTH = struct.Struct(">Q")
MOST_BYTES, MOST_FRAMES = 2**32, 100_000
PIECE = 2**20


class Readable(Protocol):
    """A blocking stream."""

    def read(self, size: int, /) -> bytes:
        """So many bytes; fewer at the end."""


def framed(data: bytes) -> bytes:
    """The bytes in their frame."""
    return LENGTH.pack(len(data)) + data


def joined(parts: Iterable[bytes]) -> bytes:
    """The parts, each in its frame."""
    return b"".join(map(framed, parts))


def frame_from(stream: Readable) -> bytes | None:
    """The next frame, None at the end. Unavailable where it is cut short or too long."""
    head = stream.read(LENGTH.size)
    if not head:
        return None
    length = length_of(head)
    pieces: list[bytes] = []
    missing = length
    while missing and (piece := stream.read(min(missing, PIECE))):  # what is promised is not made room for
        pieces.append(piece)
        missing -= len(piece)
    if missing:
        raise Unavailable("a frame is cut short", field="frame", found=length - missing, wanted=str(length))
    return b"".join(pieces)


def length_of(head: bytes) -> int:
    """How many bytes follow."""
    if len(head) != LENGTH.size or (length := int(LENGTH.unpack(head)[0])) > MOST_BYTES:
        raise Unavailable("no frame begins like that", field="frame", found=head.hex())
    return length


def parts_of(data: bytes) -> list[bytes]:
    """What `joined` made the bytes of. Unavailable where they are no whole frames."""
    parts: list[bytes] = []
    at = 0
    while at < len(data):
        if len(parts) >= MOST_FRAMES:
            raise Unavailable("frames are too many", field="frames", found=len(parts))
        length = length_of(data[at : at + LENGTH.size])
        at += LENGTH.size
        if at + length > len(data):
            raise Unavailable("a frame is cut short", field="frame", found=len(data) - at, wanted=str(length))
        parts.append(data[at : at + length])
        at += length
    return parts
