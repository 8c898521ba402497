"""Round trips to other sites, and the responder that lets others measure this one.

A round trip is one byte sent over an open connection until its echo is back: the connect itself would not do, since the
nearest proxy on the way answers that. An echo that does not come within a step's time counts as long as the step: a
percentile without what was lost would flatter the path.
Limits: 20 echoes a probe, 2 s for each step; the responder hangs up after 64 bytes or 30 s.
"""

import asyncio
import contextlib

from agents.clock import Clock

SAMPLES = 20
STEP_SECONDS = 2.0
RESPONDER_BYTES = 64
RESPONDER_SECONDS = 30.0


async def round_trips(address: str, clock: Clock) -> list[int]:
    """Round trips in microseconds, in the order they were made; none where nobody answers there."""
    host, _, port = address.rpartition(":")
    found: list[int] = []
    try:
        async with asyncio.timeout(STEP_SECONDS):
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (TimeoutError, OSError, ValueError):
        return []
    try:
        for _ in range(SAMPLES):
            began = clock.monotonic_us()
            writer.write(b"?")
            try:
                async with asyncio.timeout(STEP_SECONDS):
                    await reader.readexactly(1)
            except TimeoutError:
                found.append(int(STEP_SECONDS * 1_000_000))
                break  # its echo may yet come and would be taken for that of the next
            found.append(max(1, clock.monotonic_us() - began))
    except (OSError, asyncio.IncompleteReadError):
        pass  # what was answered before still counts
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return found


async def responder(host: str) -> asyncio.Server:
    """A listener on a free port that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = RESPONDER_BYTES
        try:
            while left > 0:
                async with asyncio.timeout(RESPONDER_SECONDS):
                    got = await reader.read(left)
                if not got:
                    break
                writer.write(got)
                left -= len(got)
        except (TimeoutError, OSError):
            pass  # whoever measured is gone
        finally:
            writer.close()

    return await asyncio.start_server(echo, host, 0)
