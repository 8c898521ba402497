"""What a broker settles before it answers anybody."""

from pathlib import Path

from broker.assembly import take_up
from broker.core.state import State
from broker.log.embedded import EmbeddedLog
from broker.log.record import Head
from broker.runtime.history import rows_after, to_recorded
from tidegate.model.errors import Unavailable


class Full:
    """A log without room."""

    head = Head()

    async def append(self, records):
        raise Unavailable("no room")


async def test_an_epoch_grows_even_where_the_clock_was_set_back(tmp_path: Path) -> None:
    log, state = await EmbeddedLog.open(tmp_path), State()
    epochs = [await take_up(state, log, now) for now in (1_000, 400, 2_000)]
    assert epochs == [1_000, 1_001, 2_000]
    folded = State()
    async for row in rows_after(log, 0):
        folded.apply(to_recorded(row))
    assert folded.epoch == 2_000
    await log.close()


async def test_an_epoch_that_is_not_recorded_is_above_no_later_one(tmp_path: Path) -> None:
    log, state = await EmbeddedLog.open(tmp_path), State()
    await take_up(state, log, 1_000)
    unrecorded = await take_up(state, Full(), 9_000)  # type: ignore[arg-type]
    assert await take_up(state, log, 400) >= unrecorded > 1_000, "whatever the clock was set to meanwhile"
    await log.close()
