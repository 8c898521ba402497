"""What time brings while nobody asks for anything.

Silent sites, replacements that are due, bid prices that want renewing, what sites promise to keep, snapshots, a full
disk.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from functools import partial

from broker.core import freeze
from broker.core.commands import Tick
from broker.core.decide.sites import due
from broker.core.decide.waiting import overdue, pending
from broker.core.state import State
from broker.log.interface import Log
from broker.log.snapshots import Snapshots
from broker.runtime.loop import Loop
from broker.runtime.pricing import Pricing
from broker.runtime.sessions import Sessions
from broker.telemetry.embedded import Telemetry
from tidegate.model.errors import TidegateError, Unavailable

logger = logging.getLogger(__name__)


async def watch(
    loop: Loop,
    sessions: Sessions,
    log: Log,
    snapshots: Snapshots,
    pricing: Pricing,
    telemetry: Telemetry,
    *,
    every_s: float,
    snapshot_every: int,
    kept: int,
) -> None:
    """Look every `every_s` seconds, until cancelled; a snapshot after each `snapshot_every` events from `kept` on.

    A loop that is too busy to be asked is no reason to end: what is due is still due at the next look.
    """
    promised = -1
    while True:
        await asyncio.sleep(every_s)
        try:
            loop.has(await log.room())  # first: what follows may be refused for want of room
            await sessions.silence(loop)
            sessions.tell_probes()
            silent = await loop.read(sessions.silences)
            if await loop.read(partial(_is_due, silent)):
                await loop.ask(Tick(0, silent))
            await pricing.look()
            promised = await _promise(loop, telemetry, promised)
            if log.head.offset - kept >= snapshot_every:
                kept = await _keep(loop, log, snapshots, kept)
        except Unavailable as error:
            logger.warning("looked at nothing because=%s", error)


def _is_due(silent: Mapping[str, int], state: State, at: int) -> bool:
    return bool(due(state, at, silent) or overdue(state, at) or pending(state, at))


async def _promise(loop: Loop, telemetry: Telemetry, known: int) -> int:
    """Tell the telemetry store what sites promise to keep, where that may have changed since the offset `known`."""
    offset, days = await loop.read(
        lambda state, at: (state.placement_offset, _retention(state) if state.placement_offset != known else None)
    )
    if days is not None:
        telemetry.promise(days)
    return int(offset)


def _retention(state: State) -> dict[str, int]:
    return {name: record.site.retention_days for name, record in state.sites.items() if record.site.retention_days}


async def _keep(loop: Loop, log: Log, snapshots: Snapshots, kept: int) -> int:
    """Frozen inside the loop's turn, where the state stands still; written outside. The offset that is kept now."""
    frozen = await loop.read(lambda state, at: (log.head, state.offset, freeze.freeze(state)))
    head, offset, data = frozen
    if head.offset != offset:
        return kept
    with contextlib.suppress(TidegateError):
        await asyncio.to_thread(snapshots.write, head, data)
    return int(offset)
