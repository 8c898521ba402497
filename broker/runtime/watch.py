"""What time brings while nobody asks for anything.

Silent sites, replacements that are due, bid prices that want renewing, snapshots, a full disk.
"""

import asyncio
import contextlib

from broker.core import freeze
from broker.core.commands import Tick
from broker.core.decide.sites import due
from broker.core.decide.waiting import overdue, pending
from broker.log.interface import Log
from broker.log.snapshots import Snapshots
from broker.runtime.loop import Loop
from broker.runtime.pricing import Pricing
from broker.runtime.sessions import Sessions
from tidegate.model.errors import TidegateError


async def watch(
    loop: Loop,
    sessions: Sessions,
    log: Log,
    snapshots: Snapshots,
    pricing: Pricing,
    *,
    every_s: float,
    snapshot_every: int,
) -> None:
    """Look every `every_s` seconds, until cancelled; a snapshot after each `snapshot_every` events."""
    kept = log.head.offset
    while True:
        await asyncio.sleep(every_s)
        await sessions.silence(loop)
        loop.full = await log.room() <= 0
        if await loop.read(lambda state, at: bool(due(state, at) or overdue(state, at) or pending(state, at))):
            await loop.ask(Tick(0))
        await pricing.look()
        if log.head.offset - kept >= snapshot_every:
            # Frozen inside the loop's turn, where the state stands still; written outside.
            frozen = await loop.read(lambda state, at: (log.head, state.offset, freeze.freeze(state)))
            head, offset, data = frozen
            if head.offset == offset:
                kept = offset
                with contextlib.suppress(TidegateError):
                    await asyncio.to_thread(snapshots.write, head, data)
