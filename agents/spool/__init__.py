"""The spool: a durable, bounded queue of telemetry that waits for the link, in classes of what may go first.

One directory per device; in it one *stream* per writing process (`agent`, `serving-<service>`); one reader, the agent's
sync. Writers and reader share nothing but files, so each may be killed at any instruction, and the power cut.

It is not a log of what the broker knows, not a cache, and not a place to search: records go in at one end, come out in
order at the other, and are forgotten when the broker has them.

What it promises (`tests/properties/test_spool.py` tries to break each):
- an append that returned survives the process and the power, unless shed or damaged;
- numbers of a stream are contiguous and never used twice, also after everything was acknowledged and deleted;
- what was shed or damaged leaves a gap record in its place, which is delivered like any other: never a silent gap;
- all files of a stream together stay within `Limits.max_bytes`, at every instant; lowest class goes first, audit never.

Reading order: records (what, and its format), segments (how it lies on the disk), recovery, room (what is shed),
writer, reader, commit; `tidegate/files.py` is the port to the disk.

    with SpoolWriter(RealFiles(), "/var/lib/tidegate/spool", "agent") as writer:
        writer.append([Fact(Kind.SPANS, ShedClass.OK, at_ms, spans, payload)])

    reader = SpoolReader(RealFiles(), "/var/lib/tidegate/spool")
    for record in reader.read("agent", after_seq=0, max_bytes=2**20):
        ...
    reader.acknowledge("agent", record.seq)
"""

from agents.spool.commit import GroupCommit
from agents.spool.limits import Limits, SpoolFull
from agents.spool.reader import Backlog, SpoolReader
from agents.spool.records import Fact, Gap, Kind, Record, ShedClass
from agents.spool.writer import SpoolWriter, StreamTaken
from tidegate.files import FileSystem, RealFiles

__all__ = [
    "Backlog",
    "Fact",
    "FileSystem",
    "Gap",
    "GroupCommit",
    "Kind",
    "Limits",
    "RealFiles",
    "Record",
    "ShedClass",
    "SpoolFull",
    "SpoolReader",
    "SpoolWriter",
    "StreamTaken",
]
