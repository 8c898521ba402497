"""A training job's working directory as one file addressed by its content.

The archive is a `.tar.gz` whose bytes depend on the files' names, contents and executable bits alone (fixed times and
owners, sorted names), so the same code has the same digest on every machine, and is uploaded once.

Limits: 64 MiB packed, 10,000 files. Left out: version control, caches, virtual environments.
"""

import gzip
import hashlib
import io
import os
import tarfile
from pathlib import Path

from tidegate.model.errors import Refused
from tidegate.model.registry import Artifact

MAX_PACKED_BYTES = 64 * 1024 * 1024
MAX_FILES = 10_000
LEFT_OUT = frozenset(
    {".git", ".hg", ".venv", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", "node_modules"}
)


def pack(directory: Path) -> tuple[Artifact, bytes]:
    """The directory's archive and its address. Raises `Refused` where there is none or it is too large."""
    if not directory.is_dir():
        raise Refused("is not a directory", field="spec.code.workingDir", found=str(directory), wanted="a directory")
    names = _names(directory)
    if not names:
        raise Refused("holds no files", field="spec.code.workingDir", found=str(directory))
    if len(names) > MAX_FILES:
        raise Refused("holds too many files", field="spec.code.workingDir", found=len(names), wanted=f"<= {MAX_FILES}")
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as squeezed,
        tarfile.open(fileobj=squeezed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in names:
            path = directory / name
            content = path.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o755 if os.access(path, os.X_OK) else 0o644
            archive.addfile(entry, io.BytesIO(content))
    data = buffer.getvalue()
    if len(data) > MAX_PACKED_BYTES:
        raise Refused(
            "is too large when packed",
            field="spec.code.workingDir",
            found=f"{len(data)} bytes",
            wanted=f"<= {MAX_PACKED_BYTES} bytes",
        )
    return Artifact(hashlib.sha256(data).hexdigest(), len(data), f"{directory.resolve().name}.tar.gz"), data


def _names(directory: Path) -> list[str]:
    found = []
    for folder, folders, files in os.walk(directory):
        folders[:] = sorted(set(folders) - LEFT_OUT)
        found += [(Path(folder) / file).relative_to(directory).as_posix() for file in files]
    return sorted(found)
