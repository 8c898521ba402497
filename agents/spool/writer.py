"""The one writer of a stream: numbers facts, makes them durable in groups, and keeps the stream within its bound.

`append` returns when the facts are synced and not before; one call is one `fdatasync`, however many facts it brings
(`commit.GroupCommit` gathers the callers). It is all or nothing: on a full disk the files are cut back to what they
were.

When the bound is reached, `room.plan` says what goes; a segment is shed by writing its successor beside it and
renaming, so at every instant the records or the gap that stands for them are on the disk. Shed segments are joined with
the one before, so that a year of shedding leaves one small file and not a million.

Not safe for threads: one thread at a time. One process at a time per stream: `writer.lock` sees to it.

Errors: `Refused` for a fact that can never be taken; `SpoolFull` and other `Unavailable` when nothing was taken and a
later try may succeed; `Broken` when a sync failed, after which nothing is known of the last pages and the process ends.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import chain

from agents.spool.limits import Limits, SpoolFull
from agents.spool.records import (
    HEADER_BYTES,
    SHEDDABLE,
    Fact,
    Kind,
    Record,
    ShedClass,
    encode,
    frame_bytes,
    number,
)
from agents.spool.recovery import Recovered, leftovers, recover
from agents.spool.room import plan, size, turned_away
from agents.spool.segments import (
    CURSOR,
    DURABLE,
    SHAPE_LOCK,
    WRITER_LOCK,
    Segment,
    Summary,
    mark,
    read_mark,
    records,
    segment,
    shed,
    tile,
)
from tidegate.files import NO_ROOM, Appendable, FileSystem, put
from tidegate.model.errors import Broken, Refused, Unavailable

STREAM_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,126}")


class StreamTaken(Unavailable):
    """Another process writes the stream."""


class SpoolWriter:
    """Opens `<root>/<stream>`, mends its end (`recovery`), and appends. Closing it and being killed are both fine."""

    def __init__(self, files: FileSystem, root: str, stream: str, limits: Limits | None = None) -> None:
        """Raises Refused for a bad name, StreamTaken when another process writes it, Unavailable on a full disk."""
        if not STREAM_NAME.fullmatch(stream):
            raise Refused("not a stream name", field="stream", found=stream, wanted=STREAM_NAME.pattern)
        self._files = files
        self._directory = f"{root}/{stream}"
        self._limits = limits or Limits()
        self._broken = ""
        self._held = ExitStack()
        with ExitStack() as held:  # lets go of everything again unless the stream opens
            try:
                files.make_directory(self._directory)
                lock = files.try_lock(f"{self._directory}/{WRITER_LOCK}")
                if lock is None:
                    raise StreamTaken("the stream has another writer", field="stream", found=stream)
                held.enter_context(lock)
                with self._shape():
                    self._take(recover(files, self._directory))
                self._active: Appendable = files.append(self._segments[-1].path)
            except OSError as error:
                raise self._judged("opening", error) from error
            if self._used > self._limits.capacity:
                self._shrink()
            self._held = held.pop_all()

    def _take(self, found: Recovered) -> None:
        self._segments = found.segments
        self._sizes = found.sizes
        self._used = sum(found.sizes.values())
        self._last = found.last
        self._acknowledged = found.acknowledged
        # Read only when there is something to shed; the newest segment's grows with each append.
        self._summaries: dict[int, Summary] = {self._segments[-1].first: found.newest}
        self._stuck: set[int] = set()

    @property
    def last_seq(self) -> int:
        """The highest number in use; 0 before the first fact."""
        return self._last

    @property
    def used_bytes(self) -> int:
        """Bytes of the segments, at most `limits.capacity`."""
        return self._used

    def append(self, facts: Sequence[Fact]) -> int:
        """Number the facts and make them durable, together or not at all. Returns the last number.

        Under pressure an incoming fact below class AUDIT may become a gap: its number is used and its loss is told.
        """
        if self._broken:
            raise Broken(self._broken)
        if not facts:
            return self._last
        for fact in facts:
            self._check(fact)
        incoming = [number(fact, self._last + 1 + index) for index, fact in enumerate(facts)]
        if self._used + size(incoming) > self._limits.capacity:
            incoming = self._make_room(incoming)
        self._write(incoming)
        return self._last

    def close(self) -> None:
        """Let go of the stream. Everything appended is durable already."""
        self._active.close()
        self._held.close()

    def __enter__(self) -> "SpoolWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _shape(self) -> AbstractContextManager[None]:
        """Whoever renames or removes segments, or reads several of them, holds this; appending does not."""
        return self._files.lock(f"{self._directory}/{SHAPE_LOCK}")

    def _check(self, fact: Fact) -> None:
        if fact.kind is Kind.GAP:
            raise Refused("only the spool makes gaps", field="fact.kind", found=fact.kind.name)
        if HEADER_BYTES + len(fact.payload) > self._limits.fill:
            wanted = f"<= {self._limits.fill - HEADER_BYTES} bytes"
            raise Refused("too large for a segment", field="fact.payload", found=len(fact.payload), wanted=wanted)
        if not 0 <= fact.count < 2**32:
            raise Refused("out of range", field="fact.count", found=fact.count, wanted="0 <= count < 2^32")
        if not -(2**63) < fact.at_ms < 2**63:
            raise Refused("out of range", field="fact.at_ms", found=fact.at_ms, wanted="a signed 64-bit number")

    def _judged(self, doing: str, error: OSError) -> Unavailable | Broken:
        """The family of an error of the file system: a full disk passes, anything else does not."""
        if error.errno in NO_ROOM:
            return SpoolFull(f"the disk is full while {doing} {self._directory}")
        self._broken = f"{doing} {self._directory} failed: {error}"
        return Broken(self._broken)

    # Writing

    def _write(self, incoming: list[Record]) -> None:
        pieces = list(self._pieces(incoming))
        opened: list[tuple[Segment, Appendable]] = []
        file = self._active
        try:
            for segment_, part in pieces:
                if segment_ is not self._segments[-1]:
                    # The segment before is synced by now, so what survives a power cut is always a prefix.
                    file = self._files.append(segment_.path)
                    opened.append((segment_, file))
                    self._files.sync_directory(self._directory)
                file.write(b"".join(map(encode, part)))
                self._sync(file)
        except OSError as error:
            self._cut_back(opened)
            raise self._judged("appending to", error) from error
        for segment_, part in pieces:
            summary = self._summaries.setdefault(segment_.first, Summary())
            before = summary.size
            for record in part:
                summary.add(record)
            self._sizes[segment_.first] = self._sizes.get(segment_.first, 0) + summary.size - before
            self._stuck.discard(segment_.first)
        if opened:
            self._active.close()
            for _, passed in opened[:-1]:
                passed.close()
            self._active = file
            self._segments.extend(each for each, _ in opened)
        self._used += size(incoming)
        self._last = incoming[-1].seq
        self._promise()

    def _pieces(self, incoming: list[Record]) -> Iterator[tuple[Segment, list[Record]]]:
        """The records by the segment that takes them: what still fits goes to the newest, the rest to new ones."""
        target = self._segments[-1]
        filled = self._sizes[target.first]
        part: list[Record] = []
        for record in incoming:
            if filled and filled + frame_bytes(record) > self._limits.fill:
                if part:
                    yield target, part
                target, filled, part = segment(self._directory, record.from_seq), 0, []
            part.append(record)
            filled += frame_bytes(record)
        yield target, part

    def _sync(self, file: Appendable) -> None:
        try:
            file.sync()
        except OSError as error:
            self._broken = f"syncing {self._directory} failed: {error}"
            raise Broken(self._broken) from error

    def _promise(self) -> None:
        """Tell the reader up to where it may read: nothing leaves the device that this device could still forget."""
        try:
            self._files.overwrite(f"{self._directory}/{DURABLE}", mark(self._last))
        except OSError as error:
            # The facts are durable and the caller must not send them again, so this cannot pass as a full disk.
            self._broken = f"marking {self._directory} failed: {error}"
            raise Broken(self._broken) from error

    def _cut_back(self, opened: list[tuple[Segment, Appendable]]) -> None:
        """Undo a write that failed half-way. The directory is synced, or a removed segment could come back later."""
        newest = self._segments[-1]
        try:
            self._active.truncate(self._sizes[newest.first])
            for segment_, file in opened:
                file.close()
                self._files.remove(segment_.path)
            self._files.sync_directory(self._directory)
        except OSError as error:
            self._broken = f"cutting back {self._directory} failed: {error}"
            raise Broken(self._broken) from error

    # Making room

    def _make_room(self, incoming: list[Record]) -> list[Record]:
        """Free what `incoming` needs, and return it with the facts that are turned away as gaps."""
        try:
            with self._shape():
                self._drop_acknowledged()
                while True:
                    order = list(self._segments)
                    saves = [self._saves(each) for each in order]
                    free = self._limits.capacity - self._used
                    chosen = plan(saves, free, incoming, slack=self._limits.segment_bytes // 2)
                    if chosen is None:
                        raise SpoolFull("what is in the way may not be shed", found=size(incoming), wanted=f"<= {free}")
                    admitted = turned_away(incoming, chosen.incoming)
                    # Newest first: joining with the segment before then never moves one that is still to be shed.
                    for index in sorted(chosen.segments, reverse=True):
                        self._shed(order[index], chosen.segments[index])
                    if self._used + size(admitted) <= self._limits.capacity:
                        return admitted
                    # Damage in a segment made it yield less than its headers said. It is mended now: plan again.
        except OSError as error:
            raise self._judged("making room in", error) from error

    def _shrink(self) -> None:
        """At the start, over the bound: a joining was cut short, or the bound was lowered. Do what can be done."""
        try:
            with self._shape():
                for doubled in leftovers(self._files, self._segments):
                    self._forget(doubled)
        except OSError as error:
            raise self._judged("making room in", error) from error
        try:
            self._make_room([])
        except SpoolFull:
            return  # only audit records are left: appends are refused until the reader has made room

    def _saves(self, each: Segment) -> tuple[int, ...]:
        if each.first in self._stuck:
            return (0, 0, 0)
        if each.first not in self._summaries:
            self._summaries[each.first] = Summary.of(self._files.read(each.path))
        return tuple(self._summaries[each.first].saves(level) for level in SHEDDABLE)

    def _drop_acknowledged(self) -> None:
        """Forget the segments that the far end has, whoever of us removes them first."""
        self._acknowledged = max(self._acknowledged, read_mark(self._files, f"{self._directory}/{CURSOR}") or 0)
        while len(self._segments) > 1 and self._segments[1].first <= self._acknowledged + 1:
            self._forget(self._segments[0])
        self._files.sync_directory(self._directory)  # only then is the room really there

    def _forget(self, gone: Segment) -> None:
        self._files.remove(gone.path)
        self._segments.remove(gone)
        self._summaries.pop(gone.first, None)
        self._stuck.discard(gone.first)
        self._used -= self._sizes.pop(gone.first)

    def _tiles(self, index: int) -> Iterator[Record]:
        """What segment `index` holds for the numbers of its range that are still to be delivered."""
        each = self._segments[index]
        newest = index + 1 == len(self._segments)
        through = self._last if newest else self._segments[index + 1].first - 1
        return tile(self._files.read(each.path), max(each.first, self._acknowledged + 1), through)

    def _shed(self, each: Segment, up_to: ShedClass) -> None:
        index = self._segments.index(each)
        newest = index + 1 == len(self._segments)
        data = shed(self._tiles(index), up_to)
        if len(data) >= self._sizes[each.first]:
            self._stuck.add(each.first)
            return
        if index > 0 and not newest:
            before = self._segments[index - 1]
            if self._sizes[before.first] + len(data) <= self._limits.fill:
                joined = shed(chain(self._tiles(index - 1), records(data)), None)
                self._renew(before, joined)
                self._forget(each)
                self._files.sync_directory(self._directory)
                return
        self._renew(each, data)
        if newest:
            self._active.close()
            self._active = self._files.append(each.path)

    def _renew(self, each: Segment, data: bytes) -> None:
        put(self._files, each.path, [data])
        self._used += len(data) - self._sizes[each.first]
        self._sizes[each.first] = len(data)
        self._summaries[each.first] = Summary.of(data)
        self._stuck.discard(each.first)
