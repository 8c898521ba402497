"""What time brings, to a broker that has other things to do."""

import asyncio
from collections.abc import Mapping
from typing import Any

from broker.core import freeze
from broker.core.records import SiteRecord
from broker.core.state import State
from broker.log.disk import DiskDirectory
from broker.log.record import Head
from broker.log.snapshots import Snapshots
from broker.runtime.watch import watch
from tests.support.until import until_async
from tidegate.model.errors import Unavailable
from tidegate.model.site import Site, Tier


class Busy:
    """A loop, its sessions, log, prices and telemetry in one, which takes no question the first two times."""

    def __init__(self) -> None:
        self.state = State()
        self.told: list[Mapping[str, int]] = []

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
        return question(self.state, 0)

    def promise(self, days: Mapping[str, int]) -> None:
        self.told.append(days)

    async def look(self) -> None:
        self.looked += 1


async def test_a_loop_that_is_too_busy_is_looked_at_again() -> None:
    busy: Any = Busy()
    watching = asyncio.create_task(watch(busy, busy, busy, busy, busy, busy, every_s=0.001, snapshot_every=10, kept=0))
    await until_async(lambda: busy.looked >= 2)
    assert busy.asked >= 4 and not watching.done()
    watching.cancel()


async def test_a_tail_that_earlier_runs_left_is_cut_short_at_the_first_look(tmp_path) -> None:
    busy: Any = Busy()
    busy.asked, busy.head, busy.state = 3, Head(12), State(offset=12)
    snapshots = Snapshots(DiskDirectory(tmp_path), freeze.FORMAT)
    watching = asyncio.create_task(
        watch(busy, busy, busy, snapshots, busy, busy, every_s=0.001, snapshot_every=10, kept=2)
    )
    await until_async(lambda: snapshots.offsets() == [12])
    watching.cancel()


async def test_what_sites_promise_to_keep_is_told_when_it_may_have_changed() -> None:
    busy: Any = Busy()
    state = busy.state = State(placement_offset=1)
    state.sites["bank"] = SiteRecord(Site("bank", Tier.ON_PREM, "self", "DE", retention_days=2557))
    state.sites["plant"] = SiteRecord(Site("plant", Tier.EDGE, "self", "DE"))
    watching = asyncio.create_task(watch(busy, busy, busy, busy, busy, busy, every_s=0.001, snapshot_every=10, kept=0))
    await until_async(lambda: busy.looked >= 3)
    assert busy.told == [{"bank": 2557}]
    state.sites["bank"] = SiteRecord(Site("bank", Tier.ON_PREM, "self", "DE", retention_days=30))
    state.placement_offset = 2
    await until_async(lambda: len(busy.told) > 1)
    assert busy.told == [{"bank": 2557}, {"bank": 30}]
    watching.cancel()
