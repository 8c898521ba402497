"""Between the loop's events and the log's bytes: writing, reading, and the start from snapshot and log.

A row is one `tidegate.v1.Event`, kind and version beside it. The kinds' current versions and the steps from older
ones stand here, since here is where both the events and the rows are known.
"""

import asyncio
import logging
import typing
from collections.abc import AsyncIterator

from broker.core import freeze
from broker.core.state import State
from broker.core.story import kind_of
from broker.log.interface import Log
from broker.log.record import Record, Row
from broker.log.snapshots import Snapshots
from broker.log.upcast import Step, Upcasts
from broker.runtime import older
from tidegate.model.errors import TidegateError
from tidegate.model.event import Event, Recorded
from tidegate.wire import codec

READ_ROWS = 1_000

CURRENT: dict[str, int] = {kind_of(member): 1 for member in typing.get_args(Event)} | {"workload_decided": 2}
STEPS: dict[tuple[str, int], Step] = {("workload_decided", 1): older.pack_misses}
"""From (kind, version) to the next."""

UPCASTS = Upcasts(CURRENT, STEPS)

logger = logging.getLogger(__name__)


def to_record(event: Event) -> Record:
    """An event as the log keeps it."""
    kind = kind_of(type(event))
    return Record(kind=kind, version=CURRENT[kind], at=event.at, payload=codec.encode_event(event))


def to_recorded(row: Row) -> Recorded:
    """A row as the event it holds. Broken where this code cannot read it."""
    return Recorded(row.offset, event_of(row.kind, row.version, row.payload))


def event_of(kind: str, version: int, payload: bytes) -> Event:
    """The event that a row's bytes hold. Broken where this code cannot read it."""
    _, current = UPCASTS.read(kind, version, payload)
    return codec.decode_event(current)


async def rows_after(log: Log, after: int, until: int = 0) -> AsyncIterator[Row]:
    """Every durable row above `after`, in order, up to `until` (0: the head as it stands when it is reached)."""
    while rows := await log.read(after, READ_ROWS):
        for row in rows:
            if until and row.offset > until:
                return
            yield row
        after = rows[-1].offset


async def restore(log: Log, snapshots: Snapshots) -> tuple[State, int]:
    """The state at the log's head, and where the newest usable snapshot stood: the events after it were folded."""
    chains = {offset: await log.chain_at(offset) for offset in await asyncio.to_thread(snapshots.offsets)}
    snapshot = await asyncio.to_thread(snapshots.newest, chains.get)
    state = State()
    if snapshot:
        try:
            state = freeze.thaw(snapshot.state)
        except ValueError as error:  # written whole, by code that took its format for this one
            logger.warning("snapshot passed over because=%s", error)
        if state.offset not in (0, snapshot.head.offset):
            logger.warning("snapshot passed over because=its state stands elsewhere offset=%d", state.offset)
            state = State()
    since = state.offset
    async for row in rows_after(log, state.offset):
        state.apply(to_recorded(row))
    return state, since


async def keep(log: Log, snapshots: Snapshots, state: State) -> bool:
    """Write a snapshot of the state, which stands at the log's head. False where there was no room for it."""
    head = log.head
    if state.offset != head.offset or head.offset == 0:
        return False
    data = freeze.freeze(state)
    try:
        await asyncio.to_thread(snapshots.write, head, data)
    except TidegateError as error:
        logger.warning("no snapshot written because=%s", error)
        return False
    return True
