"""What lies on the broker's disk and what goes through its pipes: rows, the log's file, snapshots, workers' frames.

These are the broker's own bytes, so what does not read is Broken, or for a snapshot passed over; but nothing else. A
whole log's file is opened as the broker opens it.
"""

import asyncio
import hashlib
import io
import struct
import tempfile
import typing
from functools import cache
from pathlib import Path

from broker.core import freeze
from broker.core.state import State
from broker.log.record import Head, Record
from broker.log.snapshots import Snapshot, Snapshots, decode, encode
from broker.log.sqlite import SqliteLog
from broker.runtime.history import CURRENT, event_of, restore
from broker.solver import frames as solver_frames
from broker.trial import frames as trial_frames
from broker.workers import frames
from tests.fuzzing.made import example
from tests.fuzzing.target import Target
from tests.simulation.store import MemoryDirectory
from tidegate.model.assignment import Desired
from tidegate.model.errors import Broken, Refused, Unavailable
from tidegate.model.event import Event, WorkloadDecided
from tidegate.model.impact import Impact
from tidegate.wire import codec

KINDS = tuple(CURRENT)
SHM = "/dev/shm" if Path("/dev/shm").is_dir() else None


def rows(data: bytes) -> None:
    """Kind, version and payload of a row; what is read is written as a row that reads as the same."""
    if len(data) < 2:
        return
    kind, version = KINDS[data[0] % len(KINDS)], data[1] % 4
    event = event_of(kind, version, data[2:])
    assert codec.decode_event(codec.encode_event(event)) == event


def log_file(data: bytes) -> None:
    """The log's own file, damaged: opened, checked and read, or Broken."""
    with tempfile.TemporaryDirectory(dir=SHM) as folder:
        (Path(folder) / "log.db").write_bytes(data)
        log = SqliteLog(Path(folder))
        try:
            log.read(0, 100)
            log.verify()
            log.append([Record("broker_started", 1, 1, b"")])
        finally:
            log.close()


def snapshots(data: bytes) -> None:
    """A snapshot's file; and, as a disk that lies would not, one whose sum is right but whose content is not."""
    for content in (data, data[:-32] + hashlib.sha256(data[:-32]).digest()):
        directory = MemoryDirectory()
        directory.files["snapshot-00000000000000000000"] = content
        asyncio.run(restore(_NoLog(), Snapshots(directory, freeze.FORMAT)))
        try:
            decode(content)
        except ValueError:
            pass


def pipes(data: bytes) -> None:
    """What a worker's process says, and what it is asked."""
    for read in (frames.parts_of, solver_frames.plan_of, trial_frames.answer_of):
        try:
            read(data)
        except (Unavailable, Refused):
            pass
    stream = io.BytesIO(data)
    while (frame := frames.frame_from(stream)) is not None:
        for take in (trial_frames.head_of, trial_frames.row_of):
            try:
                take(frame)
            except (Unavailable, Refused, Broken):
                pass


class _NoLog:
    """An empty log."""

    head = Head()

    async def read(self, after: int, limit: int) -> list[typing.Any]:
        return []

    async def chain_at(self, offset: int) -> bytes | None:
        return Head().chain if offset == 0 else None


def row_seeds() -> list[bytes]:
    found = [bytes([number, 1]) for number in range(len(KINDS))]
    for member in typing.get_args(Event):
        payload = codec.encode_event(example(member))
        number = KINDS.index(next(kind for kind in KINDS if kind == codec._snake(member.__name__)))
        found.append(bytes([number, CURRENT[KINDS[number]]]) + payload)
        if member is WorkloadDecided:
            found.append(bytes([number, 1]) + payload)
    return found


@cache
def _log_bytes() -> bytes:
    with tempfile.TemporaryDirectory(dir=SHM) as folder:
        log = SqliteLog(Path(folder))
        log.append([Record("broker_started", 1, 1, bytes(size)) for size in (1, 20, 300)])
        log.close()
        return (Path(folder) / "log.db").read_bytes()


def snapshot_seeds() -> list[bytes]:
    state = freeze.freeze(State())
    return [b"".join(encode(Snapshot(Head(), freeze.FORMAT, state))), b"".join(encode(Snapshot(Head(), 1, b"{}")))]


def pipe_seeds() -> list[bytes]:
    head = trial_frames.head_bytes(trial_frames.Head(at=1, policies=1, rows=True))
    impact = trial_frames.impact_bytes(example(Impact))
    desired = codec.encode(example(Desired))
    return [
        frames.framed(head) + frames.framed(desired) + frames.framed(struct.pack(">QIH", 1, 1, 1) + b"a"),
        impact,
        trial_frames.progress_bytes(5),
        frames.joined([b"{}", desired]),
        frames.joined([b'{"family": "Refused", "message": "no", "field": "x"}']),
    ]


TARGETS = (
    Target("log-rows", rows, row_seeds, refused=(Broken, Refused)),
    Target("log-file", log_file, lambda: [_log_bytes()], refused=(Broken, Refused, Unavailable), largest=65_536),
    Target("snapshots", snapshots, snapshot_seeds, tokens=(b"null", b"[]", b"{}", b"[", b'"', b",")),
    Target("pipes", pipes, pipe_seeds, refused=(Unavailable, Refused)),
)
