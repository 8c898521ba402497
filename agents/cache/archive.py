"""An archive of files, unpacked onto a disk so that it is whole there after a power cut as well.

A .tar (gzip, bz2 or xz) of files and folders; it is read once from front to back, so its pieces may come from
anywhere. Links, devices and paths that leave the folder are refused, by tarfile's own filter and by kind: code is
packed without any, and what a link allows has got past that filter before (CVE-2025-4517). Every file is synced, then
every folder: the caller's rename then names something that is there.

A header that says how long a name or an attribute is counts as damaged beyond `MOST_HEADER_BYTES`, since tarfile would
make room for it first; so does one that says a member is shorter than nothing, since tarfile would go round for ever
(CVE-2025-8194).

Limits: 10,000 members and 4 GiB unpacked, names of `MOST_NAME` characters. Cost: a sync for each file and folder.
"""

import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath

from tidegate.files import FileSystem
from tidegate.model.errors import Refused

MAX_MEMBERS = 10_000
MAX_UNPACKED_BYTES = 4 * 2**30
MOST_HEADER_BYTES = 2**16
MOST_NAME = 1_024
_READ = 2**20
_LONG_HEADERS = frozenset(
    {
        *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
        *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    }
)


UNREADABLE = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, ValueError, TypeError, OverflowError)
"""What tarfile and its decompressors raise for what is no archive, or ends too soon."""


class _Member(tarfile.TarInfo):
    """A header that is looked at before anything is done with what it says."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str | None, errors: str) -> "_Member":
        made = super().frombuf(buf, encoding, errors)  # type: ignore[arg-type]
        if made.size < 0 or (made.type in _LONG_HEADERS and made.size > MOST_HEADER_BYTES):
            raise tarfile.ReadError("a header says that it is of a size that none is")
        return made

    def _block(self, count: int) -> int:
        """As tarfile's, which rounds up what is below 0 as well: an attribute may have set it."""
        if count < 0:
            raise tarfile.ReadError("a member is shorter than nothing")
        return int(super()._block(count))  # type: ignore[misc]


def unpack(files: FileSystem, pieces: Iterator[bytes], folder: str) -> None:
    """Make `folder`, which is not there yet, from the archive. Refused or one of `UNREADABLE`; OSError."""
    files.make_directory(folder)
    made = {folder}
    members = unpacked = 0
    with tarfile.open(fileobj=_Pieces(pieces), mode="r|*", tarinfo=_Member) as archive:
        for found in archive:
            if len(found.name) > MOST_NAME or found.name.startswith("/"):
                raise Refused("is no name below the folder", field="code", found=found.name[:200])
            member = tarfile.data_filter(found, folder)
            members += 1
            unpacked += member.size
            if members > MAX_MEMBERS or unpacked > MAX_UNPACKED_BYTES:
                wanted = f"<= {MAX_MEMBERS} members, {MAX_UNPACKED_BYTES} bytes"
                raise Refused("too large an archive", field="code", found=f"{members} members", wanted=wanted)
            if not (member.isfile() or member.isdir()):
                raise Refused("holds more than files and folders", field="code", found=member.name)
            path = PurePosixPath(folder, member.name)
            _make(files, str(path if member.isdir() else path.parent), made)
            if member.isfile():
                _write(files, archive, member, str(path))
    for each in sorted(made, reverse=True):
        files.sync_directory(each)


def _make(files: FileSystem, folder: str, made: set[str]) -> None:
    if folder not in made:
        _make(files, str(PurePosixPath(folder).parent), made)
        files.make_directory(folder)
        made.add(folder)


def _write(files: FileSystem, archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    content = archive.extractfile(member)
    files.remove(path)  # the last of two members of one name counts
    file = files.append(path, 0o600 | (member.mode or 0) & 0o100)
    try:
        while content and (data := content.read(_READ)):
            file.write(data)
        file.sync()
    finally:
        file.close()


class _Pieces(io.RawIOBase):
    """Pieces as the file object that tarfile reads a stream from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._rest = b""

    def read(self, count: int = -1, /) -> bytes:
        while count < 0 or len(self._rest) < count:
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._rest += piece
        count = len(self._rest) if count < 0 else count
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken
