"""Files by digest that survive cuts and bad disks whole, or are not there."""

import errno
import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from random import Random

import pytest

from agents.cache import ContentCache
from tests.disks.files import PlatterFiles
from tests.disks.platter import Platter, PowerGone
from tidegate.model.errors import Refused, Unavailable

ROOT = Path("/site/cache")
MODEL = b"weights" * 40
DIGEST = hashlib.sha256(MODEL).hexdigest()


def opened(files: PlatterFiles) -> ContentCache:
    return ContentCache(ROOT, 0, files)


@pytest.fixture
def files() -> PlatterFiles:
    return PlatterFiles(Platter(Random(3)))


def packed(*entries: tarfile.TarInfo | tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry)
                continue
            name, data = entry
            told = tarfile.TarInfo(name)
            told.size, told.mode = len(data), 0o755
            archive.addfile(told, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0)


def installed(cache: ContentCache, data: bytes, name: str = "service") -> str:
    digest = hashlib.sha256(data).hexdigest()
    cache.append(digest, 0, data, len(data))
    cache.finish(digest)
    cache.use(name, digest)
    return digest


def test_a_part_whose_sync_failed_is_fetched_again_and_not_synced_again(files: PlatterFiles) -> None:
    """The kernel may have dropped the pages: a second sync would say that all is well, and the next cut show it."""
    cache = opened(files)
    cache.append(DIGEST, 0, MODEL, len(MODEL))
    failures = iter([errno.EIO])
    files.platter.faulty = lambda call, path: next(failures, 0) if call == "sync" else 0
    with pytest.raises(Unavailable, match="finishing"):
        cache.finish(DIGEST)
    assert cache.held_bytes(DIGEST) == 0
    installed(cache, MODEL)
    files.platter.cut()
    assert opened(files).verified(DIGEST)


def test_unpacked_code_is_whole_or_absent_after_a_cut_at_any_call() -> None:
    code = packed(("job.py", b"print()" * 100), ("lib/a.py", b"a" * 900), ("lib/b.py", b"b" * 900))
    for gone_at in range(1, 60):
        files = PlatterFiles(Platter(Random(gone_at)))
        digest = installed(opened(files), code)
        files.platter.gone_at = files.platter.calls + gone_at
        try:
            opened(files).unpacked(digest)
        except PowerGone:
            pass
        else:
            assert gone_at > 10
            break
        files.platter.cut()
        folder = opened(files).unpacked(digest)
        assert files.read(f"{folder}/job.py") == b"print()" * 100
        assert files.read(f"{folder}/lib/b.py") == b"b" * 900


def test_code_that_is_let_go_loses_its_name_before_its_files() -> None:
    """Else a cut in between left half a folder under that name, and a job that came back to it ran half its code."""
    old, new = packed(("job.py", b"old"), ("lib.py", b"lib")), packed(("job.py", b"new"))
    for gone_at in range(1, 40):
        files = PlatterFiles(Platter(Random(gone_at)))
        cache = opened(files)
        digest = installed(cache, old)
        cache.unpacked(digest)
        installed(cache, MODEL)
        newest = hashlib.sha256(new).hexdigest()
        cache.append(newest, 0, new, len(new))
        cache.finish(newest)
        files.platter.gone_at = files.platter.calls + gone_at
        try:
            cache.use("service", newest)
        except PowerGone:
            files.platter.cut()
        else:
            break
        opened(files)
        folder = f"{ROOT}/{digest}.d"
        assert not files.exists(folder) or len(files.names(folder)) == 2
    assert gone_at > 8


def test_what_a_cut_left_and_nobody_uses_is_cleared_away(files: PlatterFiles) -> None:
    cache = opened(files)
    installed(cache, b"used")
    cache.append(DIGEST, 0, MODEL, len(MODEL))
    cache.finish(DIGEST)
    assert not opened(files).has(DIGEST)
    assert opened(files).has(hashlib.sha256(b"used").hexdigest())


def test_names_that_are_gone_are_forgotten_with_what_they_alone_held(files: PlatterFiles) -> None:
    cache = opened(files)
    both, alone = installed(cache, b"both", "stays"), installed(cache, b"alone", "goes")
    cache.use("goes", both)
    cache.append(DIGEST, 0, MODEL[:9], len(MODEL))
    wanted, unwanted = DIGEST, "ab" * 32
    cache.append(unwanted, 0, b"part", 9)
    cache.retain({"stays"}, {wanted})
    assert [cache.has(both), cache.has(alone)] == [True, False]
    assert [cache.held_bytes(wanted), cache.held_bytes(unwanted)] == [9, 0]
    assert json.loads(files.read(f"{ROOT}/names.json")) == {"stays": [both]}
    cache.retain((), ())
    files.platter.cut()
    opened(files).retain((), ())
    assert files.names(str(ROOT)) == ["names.json"]


def test_a_cut_while_names_are_forgotten_leaves_no_name_without_its_file() -> None:
    for gone_at in range(1, 60):
        files = PlatterFiles(Platter(Random(gone_at)))
        cache = opened(files)
        stays, goes = installed(cache, b"stays", "stays"), installed(cache, packed(("job.py", b"job")), "goes")
        cache.unpacked(goes)
        files.platter.gone_at = files.platter.calls + gone_at
        try:
            cache.retain({"stays"}, ())
        except PowerGone:
            files.platter.cut()
        else:
            break
        again = opened(files)
        names = json.loads(files.read(f"{ROOT}/names.json"))
        assert all(again.verified(digest) for digests in names.values() for digest in digests)
        assert again.verified(stays)
        again.retain({"stays"}, ())
        assert not any(name.startswith(goes) for name in files.names(str(ROOT)))
    assert gone_at > 8


def test_a_full_disk_is_no_fault_of_the_archive(files: PlatterFiles) -> None:
    cache = opened(files)
    digest = installed(cache, packed(("job.py", b"x" * 2_000)))
    files.platter.room = files.platter.occupied() + 100
    with pytest.raises(Unavailable, match="No space left"):
        cache.unpacked(digest)
    files.platter.room = None
    assert files.read(f"{cache.unpacked(digest)}/job.py") == b"x" * 2_000


def link(kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo("link")
    entry.type, entry.linkname = kind, "job.py"
    return entry


@pytest.mark.parametrize(
    "data",
    [
        b"no archive at all",
        packed(("../out.py", b"x")),
        packed(("job.py", b"x"), link(tarfile.SYMTYPE)),
        packed(("job.py", b"x"), link(tarfile.LNKTYPE)),
        packed(("job.py", b"x" * 5_000))[:-40],
    ],
)
def test_what_is_no_safe_archive_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    cache = ContentCache(tmp_path / "cache", 0)
    digest = installed(cache, data)
    with pytest.raises(Refused, match="code"):
        cache.unpacked(digest)
    assert not (tmp_path / "out.py").exists()


def test_what_could_be_executed_still_can(tmp_path: Path) -> None:
    cache = ContentCache(tmp_path / "cache", 0)
    folder = cache.unpacked(installed(cache, packed(("bin/train", b"#!/bin/sh\n"))))
    assert (folder / "bin" / "train").stat().st_mode & 0o111 == 0o100
