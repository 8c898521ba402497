"""What an agent reads: its spool's files, what it held, the broker's words, and archives of code."""

import io
import json
import struct
import tarfile
import tempfile
import typing
import zlib
from pathlib import Path
from random import Random
from typing import Any

from agents.cache import ContentCache
from agents.core.held import Held
from agents.gpu.given import visible
from agents.gpu.nvml import Gpu, Instance
from agents.spool import Fact, Kind, Limits, ShedClass, SpoolReader, SpoolWriter
from agents.spool.records import Gap, encode, number
from agents.spool.segments import CURSOR, DURABLE, mark, records, shed, tile
from agents.store import HeldStore, _sum
from tests.disks.files import PlatterFiles
from tests.fuzzing.made import example
from tests.fuzzing.mutation import by_field
from tests.fuzzing.target import Target
from tidegate.arrivals import digest_of
from tidegate.files import RealFiles
from tidegate.model.assignment import Assignment, Status
from tidegate.model.errors import Broken, Conflict, Refused, Unavailable
from tidegate.model.session import BrokerSays, Difference, Welcome
from tidegate.v1 import session_pb2
from tidegate.wire.codec import _parse, union_from_message, union_to_message

GPUS = (
    Gpu("NVIDIA L4", "GPU-a", 24 * 2**30),
    Gpu("NVIDIA A100", "GPU-b", 40 * 2**30, mig=True, instances=(Instance("1g.5gb", 0, "MIG-c"),)),
)
SHM = "/dev/shm" if Path("/dev/shm").is_dir() else None


def spool(data: bytes) -> None:
    """A segment and two marks, damaged: its numbers are tiled all the same, and the writer goes on above them."""
    cursor, durable, segment = data[:12], data[12:24], data[24:]
    tiled = list(tile(segment, 1, 50))
    assert [one.from_seq for one in tiled] == [1, *(one.seq + 1 for one in tiled[:-1])] and tiled[-1].seq == 50
    shed(iter(tiled), ShedClass.OK)
    for record in records(segment):
        if record.kind is Kind.GAP:
            assert record.gap.unknown >= 0
    disk = PlatterFiles()
    disk.make_directory("/spool/s")
    for name, content in ((f"{1:020d}.log", segment), (CURSOR, cursor), (DURABLE, durable)):
        file = disk.append(f"/spool/s/{name}")
        file.write(content)
        file.sync()
        file.close()
    with SpoolWriter(disk, "/spool", "s", Limits(max_bytes=2**20, segment_bytes=2**16)) as writer:
        writer.append([Fact(Kind.SPANS, ShedClass.OK, 1, 1, b"after")])
    reader = SpoolReader(disk, "/spool")
    after = reader.acknowledged("s")
    while read := reader.read("s", after, 2**20):
        assert read[0].from_seq == after + 1, "a silent gap"
        after, last = read[-1].seq, read[-1]
    assert last.payload == b"after"


def held(data: bytes) -> None:
    """`held.json`; and, as a disk that lies would not, one whose sum is right."""
    contents = [data]
    try:
        whole = json.loads(data)
        contents.append(json.dumps(whole | {"sum": _sum(whole["body"])}).encode())
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    for content in contents:
        disk = PlatterFiles()
        store = HeldStore(disk, "/agent", "press-7")
        file = disk.append("/agent/held.json")
        file.write(content)
        file.close()
        try:
            found = store.read()
        except (Broken, Refused):
            continue
        store.write(found)
        assert store.read() == found


def words(data: bytes) -> None:
    """What the broker says, word after word: taken whole, or refused and nothing changed."""
    state = Held("press-7")
    disk = PlatterFiles()
    store = HeldStore(disk, "/agent", "press-7")
    for frame in frames(data):
        try:
            word = union_from_message(BrokerSays, _parse(session_pb2.BrokerSays, frame))
            if isinstance(word, Welcome):
                state = state.greeted(word.epoch)
            if isinstance(word, Difference):
                state = state.told(word)
                store.write(state)
                assert store.read() == state
                for assignment in state.assignments.values():
                    assert "/" not in assignment.workload_id and assignment.workload_id not in ("", ".", "..")
                    visible(assignment, GPUS)
        except (Refused, Conflict):
            continue


def archives(data: bytes) -> None:
    """A tar of any kind: unpacked within its folder, and nothing in it leads out."""
    with tempfile.TemporaryDirectory(dir=SHM) as folder:
        root = Path(folder) / "cache"
        cache = ContentCache(root, reserve_bytes=0)
        source = Path(folder) / "archive"
        source.write_bytes(data)
        digest = digest_of(RealFiles(), str(source))
        source.rename(cache.path(digest))
        unpacked = cache.unpacked(digest)
        for path in unpacked.rglob("*"):
            assert path.resolve().is_relative_to(unpacked.resolve()), path
        assert {path.name for path in Path(folder).iterdir()} == {"cache"}


def frames(data: bytes) -> list[bytes]:
    """Pieces with their length before them, u32 little-endian; what is cut short is the last piece."""
    found: list[bytes] = []
    at = 0
    while at + 4 <= len(data) and len(found) < 64:
        (length,) = struct.unpack_from("<I", data, at)
        found.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return found


def framed(pieces: list[bytes]) -> bytes:
    return b"".join(struct.pack("<I", len(piece)) + piece for piece in pieces)


def word_mutation(random: Random, data: bytes) -> bytes:
    """One word of several, by its fields."""
    pieces = frames(data) or [b""]
    which = random.randrange(len(pieces))
    pieces[which] = by_field(session_pb2.BrokerSays)(random, pieces[which])
    if random.random() < 0.2:
        pieces.insert(which, random.choice(pieces))
    return framed(pieces)


def spool_mutation(random: Random, data: bytes) -> bytes:
    """A frame whose checks hold though its numbers are strange, as only a bug would write it."""
    record = number(
        Fact(random.choice((Kind.SPANS, Kind.PREDICTIONS)), ShedClass.OK, 1, 1, b"x"),
        random.choice((0, 1, 3, 2**63, 2**64 - 1)),
    )
    gap = Gap(random.choice((0, 1, 5, 2**63)), random.choice((0, 2, 7, 2**64 - 1)), 0, 0, (0, 2**64 - 1, 0, 0)).record()
    marks = struct.pack("<Q", random.choice((0, 3, 2**63, 2**64 - 1)))
    whole = marks + struct.pack("<I", zlib.crc32(marks))
    at = 24 + random.randrange(max(1, len(data) - 23))
    data = data[:at] + encode(random.choice((record, gap))) + data[at:]
    return whole + data[12:] if random.random() < 0.3 else data


def spool_seeds() -> list[bytes]:
    facts = [
        Fact(Kind.SPANS, ShedClass.DEBUG, 5, 2, b"spans"),
        Fact(Kind.PREDICTIONS, ShedClass.AUDIT, 6, 1, b"predictions" * 20),
        Fact(Kind.SPANS, ShedClass.ERROR, 7, 1, b""),
    ]
    plain = b"".join(encode(number(fact, seq)) for seq, fact in enumerate(facts, start=1))
    gap = encode(Gap(4, 9, 1, 2, (1, 1, 0, 0), (3, 1, 0, 0)).record())
    return [mark(1) + mark(3) + plain, mark(0) + mark(9) + plain + gap, bytes(24)]


def held_seeds() -> list[bytes]:
    disk = PlatterFiles()
    store = HeldStore(disk, "/agent", "press-7")
    assignment = example(Assignment)
    state = Held("press-7", 3, 5, {assignment.workload_id: assignment}, {"w2": example(Status)}, {}, 7)
    store.write(state)
    return [disk.read("/agent/held.json")]


def word_seeds() -> list[bytes]:
    words = [
        union_to_message(BrokerSays, example(member)).SerializeToString() for member in typing.get_args(BrokerSays)
    ]
    whole = Difference(base=0, generation=4, upserts=(example(Assignment),), removals=(), whole=True)
    more = Difference(base=4, generation=5, upserts=(), removals=("press-7",), whole=False)
    told = [union_to_message(BrokerSays, one).SerializeToString() for one in (whole, more)]
    return [framed([word]) for word in words] + [framed(words), framed(told)]


def archive_seeds() -> list[bytes]:
    """Sound ones, and those that lead out: `../`, absolute names, links of both kinds, devices, a bomb."""
    return [
        _tar([("code/train.py", b"print(1)")]),
        _tar([("code/train.py", b"print(1)"), ("code/b/c.txt", b"x" * 500)], "w:gz"),
        _tar([("../out.py", b"x")]),
        _tar([("/tmp/tidegate-fuzz-out", b"x")]),
        _tar([("a/../../out", b"x")]),
        _tar([("link", b"", tarfile.SYMTYPE, "../../..")]),
        _tar([("link", b"", tarfile.SYMTYPE, "."), ("link/x", b"x")]),
        _tar([("link", b"", tarfile.LNKTYPE, "/etc/passwd")]),
        _tar([("dev", b"", tarfile.CHRTYPE, "")]),
        _tar([("fifo", b"", tarfile.FIFOTYPE, "")]),
        _tar([("zeros", bytes(4_000_000))], "w:gz"),
        _tar([(f"many/{index}", b"") for index in range(200)], "w:xz"),
    ]


def _tar(members: list[tuple[Any, ...]], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content, *rest in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if rest:
                info.type, info.linkname = rest
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


TARGETS = (
    Target("spool", spool, spool_seeds, refused=(Refused, Unavailable), mutation=spool_mutation, tokens=(b"TGSP",)),
    Target("held", held, held_seeds, tokens=(b"null", b"[]", b"{}", b'"', b"-1", b"1e999")),
    Target("broker-words", words, word_seeds, mutation=word_mutation),
    Target("archives", archives, archive_seeds, tokens=(b"../", b"/etc/", b"ustar", b"\x1f\x8b\x08", b"0000777\0")),
)
