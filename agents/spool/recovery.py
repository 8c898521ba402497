"""What a writer does before its first append: find where the stream ends, and make its end sound.

The writer may have died at any instruction, with or without the power. Then the newest segment may end in a torn frame,
hold frames that nobody was promised, or lack frames that somebody was. In every case the next number is above every
number that was ever promised or acknowledged:

    last = max(last intact frame, first number of the newest segment - 1, `cursor`, `durable`)

and the newest segment is written anew when it is not exactly what `durable` promises: the valid prefix is kept, a torn
tail is dropped, promised numbers without a frame become a gap. It is copied and not merely cut, because after a failed
sync the kernel may show pages that the disk never got; only what was written again and synced is trusted.

A torn tail and a damaged last frame look alike. `durable` tells them apart, and it is not synced itself, so damage to
the very last frames *together with* a power cut within the kernel's write-back time counts as a torn tail.

Cost: one segment is read and at most one written (a few ms per MiB); the others are only listed.
"""

import zlib
from dataclasses import dataclass

from agents.spool.records import HEADER_BYTES
from agents.spool.segments import (
    CURSOR,
    DURABLE,
    Segment,
    Summary,
    headers,
    mark,
    read_mark,
    records,
    segment,
    segments,
    shed,
    tile,
)
from tidegate.files import UNFINISHED, FileSystem, put


@dataclass(frozen=True, slots=True)
class Recovered:
    """A stream whose end is sound: its segments (oldest first), the last number used, and the newest one's summary."""

    segments: list[Segment]
    sizes: dict[int, int]
    last: int
    acknowledged: int
    newest: Summary


def recover(files: FileSystem, directory: str) -> Recovered:
    """Make the end of the stream sound. The caller holds its writer's lock and its shape lock. Raises OSError."""
    for name in files.names(directory):
        if name.endswith(UNFINISHED):
            files.remove(f"{directory}/{name}")
    acknowledged = read_mark(files, f"{directory}/{CURSOR}") or 0
    durable = read_mark(files, f"{directory}/{DURABLE}")
    known = max(acknowledged, durable or 0)
    found = segments(files, directory)
    if not found:
        found = [segment(directory, known + 1)]
        files.append(found[0].path).close()
    newest = found[-1]
    data = files.read(newest.path)
    intact, end = _intact(data)
    last = max(intact, newest.first - 1, known)
    if end != len(data) or durable != last:
        data = shed(tile(data, max(newest.first, acknowledged + 1), last), None)
        put(files, newest.path, [data])
    files.sync_directory(directory)
    files.overwrite(f"{directory}/{DURABLE}", mark(last))
    sizes = {each.first: files.size(each.path) for each in found}
    return Recovered(found, sizes, last, acknowledged, Summary.of(data))


def _intact(data: bytes) -> tuple[int, int]:
    """The last number that stands in a good frame, and where the run of good frames from the start of the file ends."""
    last, end = 0, 0
    for offset, header in headers(data):
        start = offset + HEADER_BYTES
        if zlib.crc32(data[start : start + header.length]) != header.payload_crc:
            continue
        last = max(last, header.seq)
        if offset == end:
            end = start + header.length
    return last, end


def leftovers(files: FileSystem, found: list[Segment]) -> list[Segment]:
    """Segments whose numbers the one before already holds: joining them was cut short once the new file was there."""
    doubled: list[Segment] = []
    held = 0
    for each in found:
        if each is not found[-1] and held >= each.first:
            doubled.append(each)
            continue
        held = max((record.seq for record in records(files.read(each.path))), default=0)
    return doubled
