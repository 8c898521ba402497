"""The bounds of one stream, and the error of its writer at the bound."""

from dataclasses import dataclass

from agents.spool.records import GAP_FRAME_BYTES
from agents.spool.segments import MARK_BYTES
from tidegate.model.errors import Refused, Unavailable


class SpoolFull(Unavailable):
    """The facts were not taken: what stands in the way may not be shed, or the disk has no room."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_bytes` bounds the sizes of all files of the stream together, at every instant, unfinished ones included.

    `segment_bytes` bounds one file, and so one record. A segment's worth is held back from `max_bytes` as the room in
    which a segment is rewritten; at least four segments must fit.
    """

    max_bytes: int = 256 * 2**20
    segment_bytes: int = 4 * 2**20

    def __post_init__(self) -> None:
        if self.segment_bytes < 1024:
            raise Refused("too small", field="spool.segment_bytes", found=self.segment_bytes, wanted=">= 1024")
        if self.max_bytes < 4 * self.segment_bytes:
            raise Refused(
                "too small", field="spool.max_bytes", found=self.max_bytes, wanted=f">= {4 * self.segment_bytes}"
            )

    @property
    def capacity(self) -> int:
        """Bytes of segments that may lie there between two appends.

        Held back: the segment being rewritten, three marks (`cursor`, its successor, `durable`), and the gap that a
        damaged restart adds.
        """
        return self.max_bytes - self.segment_bytes - 3 * MARK_BYTES - GAP_FRAME_BYTES

    @property
    def fill(self) -> int:
        """Bytes up to which a segment is filled, so that the gap of a damaged restart still fits in it."""
        return self.segment_bytes - GAP_FRAME_BYTES
