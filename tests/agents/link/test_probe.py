"""Round trips: what is measured, and what silence counts for."""

import asyncio

from agents.clock import SystemClock
from agents.link import probe
from agents.link.probe import SAMPLES, responder, round_trips


async def test_round_trips_are_measured_and_silence_is_no_measurement() -> None:
    server = await responder("127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    found = await round_trips(f"127.0.0.1:{port}", SystemClock())
    assert len(found) == SAMPLES
    assert min(found) > 0
    server.close()
    await server.wait_closed()
    assert await round_trips(f"127.0.0.1:{port}", SystemClock()) == []


async def test_an_echo_that_is_lost_counts_as_long_as_was_waited(monkeypatch) -> None:
    monkeypatch.setattr(probe, "STEP_SECONDS", 0.05)

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(1))
        await reader.read()
        writer.close()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    found = await round_trips(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", SystemClock())
    assert found[1:] == [50_000]
    server.close()
