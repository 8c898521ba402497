"""How much of one direction of the link is taken at a time: about a second's worth, whatever the link carries.

What is under way stands before everything that is said after it: in the sender's kernel, in whatever box is at the
narrow place, and in nobody's hands any more. So nothing large is sent but in pieces, the next one when the one before
has been answered for, and a heartbeat waits behind one piece at most. A connection of its own for files would not do:
the queue at the narrow place is one for all.

A piece grows fourfold at most while it takes less than its time, and shrinks to what was measured where it takes more;
after a failure it is small again. A piece that was not half full tells nothing of the link.

Limits: 2 KiB to 32 MiB, at first 4 KiB; a second, or half a heartbeat where that is less.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agents.clock import Clock

FIRST_BYTES = 4 * 1024
LEAST_BYTES = 2 * 1024
MOST_BYTES = 32 * 2**20
REPORT_BYTES = 512 * 1024
"""Of statuses, or of round trips, in one word."""
GROWTH = 4
LONGEST_SECONDS = 1.0


class Piece:
    """What is to be moved next: `bytes` at most, and a little more where it cannot be cut there."""

    def __init__(self, most: int) -> None:
        self.bytes = most
        self.moved = -1
        """How much it was, once that has been answered for."""


class Pace:
    """One kind of thing in one direction; one piece of it is under way at a time.

    Kinds do not wait for each other: what several of them have under way makes each of them slower, and so smaller.
    """

    def __init__(self, clock: Clock, most_bytes: int = MOST_BYTES) -> None:
        self.bytes = FIRST_BYTES
        """How long the next piece may be."""
        self.seconds = LONGEST_SECONDS
        self.busy_seconds = 0.0
        """How long the last piece took."""
        self._clock = clock
        self._turn = asyncio.Lock()
        self._most = most_bytes

    @asynccontextmanager
    async def piece(self) -> AsyncIterator[Piece]:
        """From the moment at which it is asked for or sent to its answer; who has `moved` none has failed."""
        async with self._turn:
            piece, began = Piece(self.bytes), self._clock.monotonic_us()
            try:
                yield piece
            finally:
                self._took(piece.moved, max(1, self._clock.monotonic_us() - began))

    def _took(self, moved: int, us: int) -> None:
        self.busy_seconds = us / 1_000_000
        if moved < 0:  # the link may be another one now
            self.bytes = min(self.bytes, FIRST_BYTES)
        elif moved * 2 >= self.bytes:
            fitting = int(moved * self.seconds * 1_000_000) // us
            self.bytes = max(LEAST_BYTES, min(fitting, moved * GROWTH, self._most))


class Paces:
    """Those of one agent, over all its sessions."""

    def __init__(self, clock: Clock, telemetry_bytes: int, log_bytes: int) -> None:
        """The longest batch of telemetry and the longest piece of a log."""
        self.fetch = Pace(clock)
        self.push = Pace(clock)
        self.telemetry = Pace(clock, telemetry_bytes)
        self.reports = Pace(clock, REPORT_BYTES)
        self.measured = Pace(clock, REPORT_BYTES)
        self.logs = Pace(clock, log_bytes)

    def beats(self, seconds: float) -> None:
        """So often the other side expects a word: a piece takes half of that at most."""
        for pace in (self.fetch, self.push, self.telemetry, self.reports, self.measured, self.logs):
            pace.seconds = min(LONGEST_SECONDS, seconds / 2)
