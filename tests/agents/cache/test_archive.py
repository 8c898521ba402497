"""Archives of code: files and folders below their own folder, and nothing that leads out of it or goes on for ever."""

import io
import tarfile
from pathlib import Path

import pytest

from agents.cache import ContentCache, archive
from tidegate.arrivals import digest_of
from tidegate.files import RealFiles
from tidegate.model.errors import Refused


def packed(tmp_path: Path, *members: tarfile.TarInfo, content: bytes = b"x") -> Path:
    path = tmp_path / "packed.tar.gz"
    with tarfile.open(path, "w:gz") as made:
        for member in members:
            member.size = len(content) if member.isreg() else 0
            made.addfile(member, io.BytesIO(content))
    return path


def unpack(path: Path, tmp_path: Path) -> Path:
    """As the cache does it, from a file that is there whole."""
    cache = ContentCache(tmp_path / "cache", reserve_bytes=0)
    digest = digest_of(RealFiles(), str(path))
    path.rename(cache.path(digest))
    return cache.unpacked(digest)


def left(tmp_path: Path) -> list[str]:
    """What lies anywhere but whole files."""
    return [str(path) for path in tmp_path.rglob("*.py")]


def member(name: str, kind: bytes = tarfile.REGTYPE, to: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


def test_files_and_folders_come_out(tmp_path: Path) -> None:
    path = packed(tmp_path, member("src", tarfile.DIRTYPE), member("src/train.py"))
    assert (unpack(path, tmp_path) / "src" / "train.py").read_bytes() == b"x"


@pytest.mark.parametrize(
    "leading_out",
    [
        member("../train.py"),
        member("src/../../train.py"),
        member("/tmp/train.py"),
        member("link", tarfile.SYMTYPE, "../.."),
        member("link", tarfile.SYMTYPE, "train.py"),
        member("link", tarfile.LNKTYPE, "train.py"),
        member("device", tarfile.CHRTYPE),
        member("pipe", tarfile.FIFOTYPE),
        member("x" * 2_000),
    ],
    ids=lambda one: f"{one.name[:20]}-{one.type.decode()}",
)
def test_what_leads_out_or_is_no_file_is_refused_and_nothing_stays(
    tmp_path: Path, leading_out: tarfile.TarInfo
) -> None:
    path = packed(tmp_path, member("train.py"), leading_out)
    with pytest.raises(Refused) as refused:
        unpack(path, tmp_path)
    assert refused.value.field == "code"
    assert left(tmp_path) == []


def test_one_member_too_many_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    path = packed(tmp_path, *(member(f"f{number}") for number in range(4)))
    with pytest.raises(Refused, match="too large"):
        unpack(path, tmp_path)


@pytest.mark.parametrize("size", [-512, -1, 2**40])
def test_a_header_that_lies_about_its_size_is_refused(tmp_path: Path, size: int) -> None:
    """A size below 0 made tarfile go round for ever; a long header's made it ask for as much memory."""
    path = tmp_path / "lying.tar"
    info = member("name", tarfile.XHDTYPE)
    info.size = size
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(Refused, match="cannot be unpacked"):
        unpack(path, tmp_path)


@pytest.mark.parametrize("data", [b"", b"rubbish", b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"BZh9"])
def test_rubbish_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "rubbish"
    path.write_bytes(data)
    with pytest.raises(Refused, match="cannot be unpacked"):
        unpack(path, tmp_path)
