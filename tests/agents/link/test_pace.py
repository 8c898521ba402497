"""Pieces of about a second's worth, whatever the link carries."""

from agents.clock import SystemClock
from agents.link.pace import FIRST_BYTES, LEAST_BYTES, MOST_BYTES, Pace, Paces


class Steady(SystemClock):
    """Stands still until it is told how long something took."""

    us = 0

    def monotonic_us(self) -> int:
        return self.us


async def carried(pace: Pace, clock: Steady, bytes_per_s: int, pieces: int) -> list[int]:
    """What the pieces were over a link of that rate, with 20 ms each for the way."""
    found = []
    for _ in range(pieces):
        async with pace.piece() as piece:
            clock.us += 20_000 + piece.bytes * 1_000_000 // bytes_per_s
            piece.moved = piece.bytes
            found.append(piece.bytes)
    return found


async def test_a_piece_grows_to_what_the_link_carries_in_a_second() -> None:
    clock = Steady()
    pieces = await carried(Pace(clock), clock, 1_000_000, 20)
    assert pieces[:3] == [FIRST_BYTES, 4 * FIRST_BYTES, 16 * FIRST_BYTES]
    assert all(900_000 < piece < 1_000_000 for piece in pieces[-5:])


async def test_bounds_hold_at_both_ends() -> None:
    clock = Steady()
    assert (await carried(Pace(clock), clock, 10**12, 12))[-1] == MOST_BYTES
    assert (await carried(Pace(clock), clock, 100, 3))[-1] == LEAST_BYTES
    assert (await carried(Pace(clock, 10_000), clock, 10**12, 6))[-1] == 10_000


async def test_a_link_that_has_become_thin_is_noticed_with_one_piece() -> None:
    clock = Steady()
    pace = Pace(clock)
    await carried(pace, clock, 1_000_000, 8)
    await carried(pace, clock, 10_000, 1)
    assert pace.bytes < 11_000


async def test_after_a_failure_a_piece_is_small_and_one_that_was_not_full_tells_nothing() -> None:
    clock = Steady()
    pace = Pace(clock)
    await carried(pace, clock, 1_000_000, 8)
    before = pace.bytes
    async with pace.piece() as piece:
        clock.us += 100_000
        piece.moved = 10
    assert pace.bytes == before
    async with pace.piece():
        pass
    assert pace.bytes == FIRST_BYTES


async def test_short_heartbeats_make_shorter_pieces() -> None:
    clock = Steady()
    paces = Paces(clock, 2**20, 2**20)
    paces.beats(0.4)
    assert 150_000 < (await carried(paces.push, clock, 1_000_000, 20))[-1] < 200_000
    paces.beats(60)
    assert 900_000 < (await carried(paces.push, clock, 1_000_000, 20))[-1] < 1_000_000
