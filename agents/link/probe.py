"""Round trips to other sites, as a TCP connection sees them, and the responder that lets others measure this one.

A connect is one round trip of the network below TLS and needs nothing of the far end but a listener. The least of a few
is taken: what a neighbour's load adds is not the path's. Limits: 5 connects a probe, 2 s each.
"""

import asyncio
import contextlib

from agents.clock import monotonic_us

SAMPLES = 5
CONNECT_SECONDS = 2.0


async def round_trip(address: str) -> tuple[int, int]:
    """(least round trip in microseconds, samples that were answered); (0, 0) when none was."""
    host, _, port = address.rpartition(":")
    found: list[int] = []
    for _ in range(SAMPLES):
        began = monotonic_us()
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(host.strip("[]"), int(port)), CONNECT_SECONDS)
        except (OSError, ValueError, asyncio.TimeoutError):
            continue
        found.append(max(1, monotonic_us() - began))
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return (min(found), len(found)) if found else (0, 0)


async def responder(host: str) -> asyncio.Server:
    """A listener on a free port that accepts and closes."""

    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    return await asyncio.start_server(close, host, 0)
