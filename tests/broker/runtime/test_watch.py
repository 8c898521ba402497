"""What time brings, to a broker that has other things to do."""

import asyncio
from typing import Any

from broker.core import freeze
from broker.core.state import State
from broker.log.disk import DiskDirectory
from broker.log.record import Head
from broker.log.snapshots import Snapshots
from broker.runtime.watch import watch
from tests.support.until import until_async
from tidegate.model.errors import Unavailable


class Busy:
    """A loop, its sessions, its log and its prices in one, which takes no question the first two times."""

    head = type("Head", (), {"offset": 0})()
    asked = looked = 0

    async def silence(self, loop: Any) -> None:
        return None

    def tell_probes(self) -> None:
        return None

    def silences(self, state: Any, at: int) -> dict[str, int]:
        return {}

    async def room(self) -> int:
        return 1

    def has(self, room: int) -> None:
        assert room == 1

    async def read(self, question: Any) -> Any:
        self.asked += 1
        if self.asked < 3:
            raise Unavailable("too much is waiting")
        return False

    async def look(self) -> None:
        self.looked += 1


async def test_a_loop_that_is_too_busy_is_looked_at_again() -> None:
    busy: Any = Busy()
    watching = asyncio.create_task(watch(busy, busy, busy, busy, busy, every_s=0.001, snapshot_every=10, kept=0))
    await until_async(lambda: busy.looked >= 2)
    assert busy.asked >= 4 and not watching.done()
    watching.cancel()


async def test_a_tail_that_earlier_runs_left_is_cut_short_at_the_first_look(tmp_path) -> None:
    busy: Any = Busy()
    busy.asked, busy.head = 3, Head(12)
    state = State(offset=12)

    async def read(question: Any) -> Any:
        return question(state, 0)

    busy.read = read
    snapshots = Snapshots(DiskDirectory(tmp_path), freeze.FORMAT)
    watching = asyncio.create_task(watch(busy, busy, busy, snapshots, busy, every_s=0.001, snapshot_every=10, kept=2))
    await until_async(lambda: snapshots.offsets() == [12])
    watching.cancel()
