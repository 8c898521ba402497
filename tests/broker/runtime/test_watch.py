"""What time brings, to a broker that has other things to do."""

import asyncio
from typing import Any

from broker.runtime.watch import watch
from tests.support.until import until_async
from tidegate.model.errors import Unavailable


class Busy:
    """A loop, its sessions, its log and its prices in one, which takes no question the first two times."""

    full = False
    head = type("Head", (), {"offset": 0})()
    asked = looked = 0

    async def silence(self, loop: Any) -> None:
        return None

    async def room(self) -> int:
        return 1

    async def read(self, question: Any) -> Any:
        self.asked += 1
        if self.asked < 3:
            raise Unavailable("too much is waiting")
        return False

    async def look(self) -> None:
        self.looked += 1


async def test_a_loop_that_is_too_busy_is_looked_at_again() -> None:
    busy: Any = Busy()
    watching = asyncio.create_task(watch(busy, busy, busy, busy, busy, every_s=0.001, snapshot_every=10))
    await until_async(lambda: busy.looked >= 2)
    assert busy.asked >= 4 and not watching.done()
    watching.cancel()
