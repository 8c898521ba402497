"""A start: the newest snapshot, then the events after it, and the lines of what has ended left unread."""

from broker.core import freeze
from broker.log.disk import DiskDirectory
from broker.log.embedded import EmbeddedLog
from broker.log.snapshots import Snapshots
from broker.runtime.history import restore
from tests.support.long_log import write


async def test_what_has_ended_is_not_read_at_a_start(tmp_path) -> None:
    written = write(tmp_path, 2_000, tail=300, services=4)
    log = await EmbeddedLog.open(tmp_path)
    snapshots = Snapshots(DiskDirectory(tmp_path / "snapshots"), freeze.FORMAT)
    try:
        state, since = await restore(log, snapshots)
        assert (state.offset, since) == (2_000, written.snapshot_at) == (2_000, 1_700)
        ended = [key for key, at in state.ended.items() if at <= since]
        assert ended and all(state.workloads.kept(key) for key in ended)
        assert not any(state.workloads.kept(key) for key in state.workloads if key not in state.ended)
        folded, first = await restore(log, Snapshots(DiskDirectory(tmp_path / "none"), freeze.FORMAT))
        assert first == 0 and folded == state and freeze.freeze(folded) == freeze.freeze(state)
    finally:
        await log.close()
