"""Real files and real processes: a writer killed at any moment, a reader beside it, and what is left afterwards."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from agents.spool import Fact, Kind, Limits, RealFiles, ShedClass, SpoolReader, SpoolWriter
from tests.support.until import until
from tidegate.model.errors import Unavailable

LIMITS = Limits(max_bytes=256 * 1024, segment_bytes=16 * 1024)

# Appends for ever, and says each promise on its standard output once it is one.
WRITER = """
import sys
from agents.spool import Fact, Kind, Limits, RealFiles, ShedClass, SpoolWriter
with SpoolWriter(RealFiles(), sys.argv[1], "agent", Limits(max_bytes=256 * 1024, segment_bytes=16 * 1024)) as writer:
    while True:
        shed_class = ShedClass(writer.last_seq % 2)
        last = writer.append([Fact(Kind.SPANS, shed_class, 1, 1, str(writer.last_seq + 1).encode() * 20)])
        print(last, flush=True)
"""


def test_a_writer_killed_again_and_again_loses_nothing_it_promised(tmp_path: Path) -> None:
    root = str(tmp_path / "spool")
    reader = SpoolReader(RealFiles(), root)
    high = 0
    promised = 0

    def drained_past(target: int) -> bool:
        nonlocal high
        for record in reader.read("agent", high, 2**16):
            assert record.from_seq == high + 1
            if record.kind is not Kind.GAP:
                assert record.payload == str(record.seq).encode() * 20
            high = record.seq
        if high:
            reader.acknowledge("agent", high)
        return high >= target

    for _ in range(4):
        with subprocess.Popen([sys.executable, "-c", WRITER, root], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            begun = int(process.stdout.readline())
            assert begun > promised
            until(partial(drained_past, begun + 300), 20, "the reader to follow the writer")
            with pytest.raises(Unavailable):
                SpoolWriter(RealFiles(), root, "agent", LIMITS)
            process.kill()
            promised = max([begun, *(int(line) for line in process.stdout if line.endswith("\n"))])
    with SpoolWriter(RealFiles(), root, "agent", LIMITS) as writer:
        assert writer.last_seq >= promised
        until(lambda: drained_past(writer.last_seq), 20, "the rest to be read")
    files = [path for path in (tmp_path / "spool" / "agent").iterdir() if path.suffix == ".log"]
    assert len(files) == 1


def test_the_bound_holds_on_a_real_disk_and_the_files_are_private(tmp_path: Path) -> None:
    with SpoolWriter(RealFiles(), str(tmp_path), "agent", LIMITS) as writer:
        for _ in range(120):
            writer.append([Fact(Kind.SPANS, ShedClass.OK, 1, 1, b"s" * 4000)] * 2)
            assert sum(path.stat().st_size for path in (tmp_path / "agent").iterdir()) <= LIMITS.max_bytes
    for path in (tmp_path / "agent").iterdir():
        assert path.stat().st_mode & 0o077 == 0
    first = SpoolReader(RealFiles(), str(tmp_path)).read("agent", 0, 1)[0]
    assert first.kind is Kind.GAP
    assert first.gap.records[ShedClass.OK] == first.seq
