"""Round trips to other sites, and the responder that lets others measure this one.

A round trip is one byte sent over an open connection until its echo is back: the connect itself would not do, since the
nearest proxy on the way answers that. The least of a few is taken: what a neighbour's load adds is not the path's.
Limits: 5 echoes a probe, 2 s for each step; the responder hangs up after 64 bytes or 30 s.
"""

import asyncio
import contextlib

from agents.clock import Clock

SAMPLES = 5
STEP_SECONDS = 2.0
RESPONDER_BYTES = 64
RESPONDER_SECONDS = 30.0


async def round_trip(address: str, clock: Clock) -> tuple[int, int]:
    """(least round trip in microseconds, samples that were answered); (0, 0) when none was."""
    host, _, port = address.rpartition(":")
    found: list[int] = []
    try:
        opening = asyncio.open_connection(host.strip("[]"), int(port))
        reader, writer = await asyncio.wait_for(opening, STEP_SECONDS)
    except (TimeoutError, OSError, ValueError):
        return (0, 0)
    try:
        for _ in range(SAMPLES):
            began = clock.monotonic_us()
            writer.write(b"?")
            await asyncio.wait_for(reader.readexactly(1), STEP_SECONDS)
            found.append(max(1, clock.monotonic_us() - began))
    except (OSError, asyncio.IncompleteReadError, TimeoutError):
        pass  # what was answered before still counts
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return (min(found), len(found)) if found else (0, 0)


async def responder(host: str) -> asyncio.Server:
    """A listener on a free port that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = RESPONDER_BYTES
        try:
            while left > 0 and (got := await asyncio.wait_for(reader.read(left), RESPONDER_SECONDS)):
                writer.write(got)
                left -= len(got)
        except (TimeoutError, OSError):
            pass  # whoever measured is gone
        finally:
            writer.close()

    return await asyncio.start_server(echo, host, 0)
