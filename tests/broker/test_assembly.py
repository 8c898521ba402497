"""What a broker settles before it answers anybody."""

from pathlib import Path

from broker.assembly import take_up
from broker.core.state import State
from broker.log.embedded import EmbeddedLog
from broker.runtime.history import rows_after, to_recorded


async def test_an_epoch_grows_even_where_the_clock_was_set_back(tmp_path: Path) -> None:
    log, state = await EmbeddedLog.open(tmp_path), State()
    epochs = [await take_up(state, log, now) for now in (1_000, 400, 2_000)]
    assert epochs == [1_000, 1_001, 2_000]
    folded = State()
    async for row in rows_after(log, 0):
        folded.apply(to_recorded(row))
    assert folded.epoch == 2_000
    await log.close()
