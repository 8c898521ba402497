"""Pages: the memory that a broker will want is at hand before it decides.

Memory that is new to a process comes page by page, each with a fault in the middle of whatever touched it; and what
lies free at the end of the heap goes back to the system as soon as it is 128 KB, and comes by faults again. What
decisions keep is bounded (classes, price lists, answers). So about as much is touched once, when the broker is put
together, and stays. Blocks of more than 128 KB come and go as before.
"""

import ctypes

HEAP, OBJECTS = 24 << 20, 4 << 20
"""Bytes of the C library's heap, and of the interpreter's for small objects: what questions about some thousand sites
come to before no more is kept of them."""
GIVEN_BACK = 2 * HEAP
"""Bytes that lie free at the heap's end before any go back."""

_M_TRIM_THRESHOLD = -1  # malloc.h
_BLOCK, _OBJECT = 64 << 10, 400
_ARENA = 256 << 10
"""Where one object stays, the interpreter keeps the whole arena. They have been this large, or larger, since ever."""

_stays: list[bytes] = []


def at_hand() -> None:
    """Touch it; once is enough. Where the C library takes no such advice, the interpreter's own part alone stays."""
    if _stays:
        return
    advise = getattr(ctypes.CDLL(None), "mallopt", None)
    if advise is not None:
        advise(_M_TRIM_THRESHOLD, GIVEN_BACK)
    _touched(_BLOCK, HEAP)
    _stays.extend(_touched(_OBJECT, OBJECTS)[:: _ARENA // _OBJECT])


def _touched(size: int, total: int) -> list[bytes]:
    return [b"\1" * size for _ in range(total // size)]
