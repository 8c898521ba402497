"""Code for a cluster: a folder packed the same way every time and named by what is in it.

A package is a zip with the folder's files in sorted order, all times 1980-01-01, modes 0755 or 0644, and the runner at
its top. The same files give the same bytes on any machine, so a package that the cluster holds is not sent again.
Limits: `MAX_FILES` files and `MAX_BYTES` before packing; symbolic links and `SKIPPED` folders are left out.
"""

import hashlib
import io
import os
import stat
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.model.errors import Refused

RUNNER_NAME = "_tidegate_runner.py"
MAX_FILES = 10_000
MAX_BYTES = 256 * 1024 * 1024
SKIPPED = frozenset({".git", ".venv", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache"})
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Package:
    """A packed folder and the name that the cluster knows it by."""

    digest: str
    """SHA-256 of the zip, hex."""
    data: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """The file's name in the cluster's store; Ray wants the ending."""
        return f"_ray_pkg_{self.digest[:40]}.zip"

    @property
    def uri(self) -> str:
        """What a job's runtime environment refers to."""
        return f"gcs://{self.name}"


def pack(folder: Path, runner: bytes) -> Package:
    """Pack `folder` and the runner. Raises Refused where it is no folder or over the limits."""
    if not folder.is_dir():
        raise Refused("no such folder of code", field="working_dir", found=str(folder))
    files = _files(folder)
    total = sum(path.stat().st_size for path in files)
    if len(files) > MAX_FILES or total > MAX_BYTES:
        raise Refused(
            "the code is too large to send",
            field="working_dir",
            found=f"{len(files)} files, {total} bytes",
            wanted=f"<= {MAX_FILES} files, <= {MAX_BYTES} bytes",
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        _add(archive, RUNNER_NAME, runner, executable=False)
        for path in files:
            executable = bool(path.stat().st_mode & stat.S_IXUSR)
            _add(archive, path.relative_to(folder).as_posix(), path.read_bytes(), executable)
    return known(buffer.getvalue())


def known(data: bytes) -> Package:
    """A package from its bytes."""
    return Package(hashlib.sha256(data).hexdigest(), data)


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in SKIPPED)
        paths = (Path(root) / name for name in names)
        found += [path for path in paths if path.is_file() and not path.is_symlink() and path.name != RUNNER_NAME]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _add(archive: zipfile.ZipFile, name: str, data: bytes, executable: bool) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
    archive.writestr(entry, data)
