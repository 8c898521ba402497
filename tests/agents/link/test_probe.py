"""Round trips: what is measured, what silence counts for, and what of it the broker is told."""

import asyncio

from agents.clock import SystemClock
from agents.link import probe
from agents.link.probe import SAMPLES, responder, round_trips
from agents.link.window import MOST_ROUNDS, WINDOW_SECONDS, Window
from tidegate.model.sketch import NEEDED_FOR_P99, bucket_of, edge_of

SECOND = 1_000_000


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


def test_the_broker_is_told_of_the_last_minutes_with_what_they_are_worth() -> None:
    window = Window()
    for second in range(0, 40, 2):
        window.add([30_000] * 19 + [40_000], second * SECOND)
    told = window.told("plant", "rack-de")
    assert (told.origin, told.site, told.samples, told.window_ms) == ("plant", "rack-de", 400, 38_000)
    assert (told.p50_us, told.rtt_us) == (edge_of(bucket_of(30_000)), edge_of(bucket_of(40_000)))
    assert told.bound_us == told.rtt_us and told.sketch.samples == 400 > NEEDED_FOR_P99


def test_old_rounds_fall_out_of_the_window() -> None:
    window = Window()
    window.add([90_000], 0)
    window.add([30_000], WINDOW_SECONDS * SECOND)
    assert window.samples == 2
    window.add([30_000], WINDOW_SECONDS * SECOND + 1)
    assert window.samples == 2 and window.told("plant", "rack-de").rtt_us == edge_of(bucket_of(30_000))
    for at in range(MOST_ROUNDS + 9):
        window.add([30_000], WINDOW_SECONDS * SECOND + at)
    assert window.samples == MOST_ROUNDS
