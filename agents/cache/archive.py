"""An archive of files, unpacked onto a disk so that it is whole there after a power cut as well.

A .tar (gzip, bz2 or xz) of files and folders; it is read once from front to back, so its pieces may come from
anywhere. Links, devices and paths that leave the folder are refused, by tarfile's own filter and by kind. Every file is
synced, then every folder: the caller's rename then names something that is there.

Limits: 10,000 members and 4 GiB unpacked. Cost: a sync for each file and folder.
"""

import io
import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from tidegate.files import FileSystem
from tidegate.model.errors import Refused

MAX_MEMBERS = 10_000
MAX_UNPACKED_BYTES = 4 * 2**30
_READ = 2**20


def unpack(files: FileSystem, pieces: Iterator[bytes], folder: str) -> None:
    """Make `folder`, which is not there yet, from the archive. TarError or Refused for a wrong one; OSError."""
    files.make_directory(folder)
    made = {folder}
    members = unpacked = 0
    with tarfile.open(fileobj=_Pieces(pieces), mode="r|*") as archive:
        for found in archive:
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
