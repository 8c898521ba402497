"""What goes through the pipes of a trial, in frames (`broker.workers.frames`).

question   frame: JSON head; a frame (protobuf) each policy; frame: the state, as `broker.core.freeze` writes it;
           then, where the head gives a window, a frame each row of the log, from the first one on; then the end
answer     any number of frames `p` and how many steps are done; last a frame `i` and the impact (protobuf)
"""

import json
import struct
from dataclasses import asdict, dataclass

from broker.log.record import Row
from tidegate.model.errors import Unavailable
from tidegate.model.impact import Impact
from tidegate.wire.codec import decode, encode

_COUNT = struct.Struct(">Q")
_ROW = struct.Struct(">QIH")
PROGRESS, IMPACT = b"p", b"i"


@dataclass(frozen=True, slots=True)
class Head:
    """What is asked, but for policies, state and rows."""

    at: int
    policies: int
    without: tuple[str, ...] = ()
    since: int = 0
    """Decisions from this moment on, ms since the epoch."""
    from_offset: int = 0
    to_offset: int = 0
    """Of the window, where `rows`; the last offset is never 0 there."""
    rows: bool = False


def head_bytes(head: Head) -> bytes:
    """As JSON."""
    return json.dumps(asdict(head)).encode()


def head_of(data: bytes) -> Head:
    """What `head_bytes` wrote. Unavailable where it is no head."""
    try:
        read = json.loads(data)
        return Head(**{**read, "without": tuple(read["without"])})
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise Unavailable("no question begins like that", field="head", found=repr(error)[:80]) from error


def row_bytes(row: Row) -> bytes:
    """What the fold needs of a row."""
    kind = row.kind.encode()
    return _ROW.pack(row.offset, row.version, len(kind)) + kind + row.payload


def row_of(data: bytes) -> tuple[int, str, int, bytes]:
    """Offset, kind, version and payload. Unavailable where it is no row."""
    try:
        offset, version, length = _ROW.unpack_from(data)
        kind = data[_ROW.size : _ROW.size + length].decode()
    except (struct.error, ValueError) as error:
        raise Unavailable("no row is like that", field="row", found=str(error)[:80]) from error
    return offset, kind, version, data[_ROW.size + length :]


def progress_bytes(done: int) -> bytes:
    """So many steps are done."""
    return PROGRESS + _COUNT.pack(done)


def impact_bytes(impact: Impact) -> bytes:
    """The end of the answer."""
    return IMPACT + encode(impact)


def answer_of(data: bytes) -> int | Impact:
    """How many steps are done, or the impact."""
    if data[:1] == PROGRESS and len(data) == 1 + _COUNT.size:
        return int(_COUNT.unpack(data[1:])[0])
    if data[:1] != IMPACT:
        raise Unavailable("no answer begins like that", field="frame", found=data[:1].hex())
    return decode(Impact, data[1:])
