"""Files by their content, where the disk is full, or fills under the sender's feet."""

import errno
import hashlib
import resource
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from broker.log.sqlite import RESERVE_BYTES
from broker.runtime.contents import Contents
from tests.disks.files import PlatterFiles
from tests.disks.platter import Platter, PowerGone
from tidegate.model.errors import Refused, Unavailable
from tidegate.model.registry import Artifact

DATA = bytes(range(256)) * 4096  # 1 MiB
MODEL = Artifact(hashlib.sha256(DATA).hexdigest(), len(DATA), "model.onnx")


async def sent(data: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def test_a_file_that_would_eat_the_logs_reserve_is_not_taken(tmp_path):
    room = [RESERVE_BYTES + len(DATA) - 1]
    contents = Contents(tmp_path, free=lambda path: room[0])
    with pytest.raises(Unavailable, match="free space") as told:
        await contents.receive(MODEL, 0, sent(DATA))
    assert told.value.retry_after_ms
    assert contents.held(MODEL.digest) == (0, False)
    room[0] += 1
    assert await contents.receive(MODEL, 0, sent(DATA)) == (len(DATA), True)


@pytest.fixture
def half_a_file():
    """No file of this process may grow beyond 512 KiB: the kernel then fails a write as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignoring = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(DATA) // 2, before[1]))
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignoring)


async def test_a_disk_that_fills_meanwhile_keeps_what_came_and_goes_on_from_there(tmp_path, half_a_file):
    contents = Contents(tmp_path)
    with pytest.raises(Unavailable, match="cannot be kept"):
        await contents.receive(MODEL, 0, sent(DATA))
    half_a_file()  # there is room again
    held, whole = contents.held(MODEL.digest)
    assert 0 < held <= len(DATA) // 2
    assert not whole
    assert await contents.receive(MODEL, held, sent(DATA[held:])) == (len(DATA), True)


async def test_a_part_that_a_power_cut_damaged_is_sent_again_and_is_not_the_senders_fault(tmp_path):
    """A job's output used to be refused for it, and the job to fail."""
    (tmp_path / f"{MODEL.digest}.part").write_bytes(bytes(1000))  # its size was on the disk, its data not
    contents = Contents(tmp_path)
    with pytest.raises(Unavailable, match="send it again"):
        await contents.receive(MODEL, 1000, sent(DATA[1000:]))
    assert contents.held(MODEL.digest) == (0, False)
    assert await contents.receive(MODEL, 0, sent(DATA)) == (len(DATA), True)


async def test_a_file_whose_sync_failed_is_not_synced_again_but_sent_again():
    platter = Platter(Random(1))
    contents = Contents(Path("/data/artifacts"), free=lambda path: 2**40, files=PlatterFiles(platter))
    failures = iter([errno.EIO])
    platter.faulty = lambda call, path: next(failures, 0) if call == "sync" else 0
    with pytest.raises(Unavailable, match="cannot be kept"):
        await contents.receive(MODEL, 0, sent(DATA))
    assert contents.held(MODEL.digest) == (0, False)
    assert await contents.receive(MODEL, 0, sent(DATA)) == (len(DATA), True)
    platter.cut()
    assert contents.held(MODEL.digest) == (len(DATA), True)


async def test_a_file_is_whole_and_right_or_not_there_after_a_cut_at_any_call():
    """The sender goes on where the broker says that it stands, however often the power goes."""
    done, gone_at = False, 0
    small = Artifact(hashlib.sha256(DATA[:900]).hexdigest(), 900, "small.onnx")
    while not done:
        gone_at += 1
        platter = Platter(Random(gone_at))
        files = PlatterFiles(platter)
        platter.gone_at = gone_at
        for _ in range(8):
            try:
                contents = Contents(Path("/data/artifacts"), free=lambda path: 2**40, files=files)
                held, whole = contents.held(small.digest)
                if not whole:
                    held, whole = await contents.receive(small, held, sent(DATA[held:900], 200))
                assert (held, whole) == (900, True)
                done = not platter.dead and platter.calls < gone_at
                break
            except PowerGone:
                platter.cut()
            except Unavailable as told:  # what was here was damaged by the cut
                assert "send it again" in str(told)
        platter.cut()
        assert files.read(f"/data/artifacts/{small.digest}") == DATA[:900]
    assert gone_at > 12


async def test_a_piece_of_a_file_comes_in_several_chunks_and_ends_where_it_was_asked_to(tmp_path):
    contents = Contents(tmp_path, free=lambda path: 2**40)
    await contents.receive(MODEL, 0, sent(DATA))
    piece = [each async for each in contents.send(MODEL.digest, 1_000, 100_000)]
    assert b"".join(data for _, data, _ in piece) == DATA[1_000:101_000]
    assert len(piece) >= 8, "each that arrives is a sign of life"
    assert [offset for offset, _, _ in piece] == [1_000 + 12_500 * number for number in range(8)]
    rest = [each async for each in contents.send(MODEL.digest, 101_000, 2**62)]
    assert b"".join(data for _, data, _ in rest) == DATA[101_000:]
    with pytest.raises(Refused, match="most_bytes"):
        await anext(contents.send(MODEL.digest, 0, -1))
