"""When an agent takes its broker for gone."""

import asyncio
from typing import Any

import pytest

from agents.clock import SystemClock
from agents.link.session import Identity, Link
from tests.support.until import until_async
from tidegate.model.errors import Unavailable

PATIENCE_S = 1.0


class Mute:
    """A stream on which no word comes."""

    async def read(self) -> Any:
        await asyncio.Event().wait()


async def test_whatever_comes_is_a_sign_of_life_and_nothing_is_silence() -> None:
    clock, nothing = SystemClock(), None
    link = Link("", Identity("press-7", "b", "", ""), nothing, nothing, clock)  # type: ignore[arg-type]
    link._alive()
    hearing = asyncio.create_task(link._hear(Mute(), PATIENCE_S))
    began = clock.monotonic_us()

    def pieces_come() -> bool:
        link._alive()
        return clock.monotonic_us() - began > 1.5 * PATIENCE_S * 1_000_000

    await until_async(pieces_come)
    assert not hearing.done()
    with pytest.raises(Unavailable, match="silent"):
        await hearing
