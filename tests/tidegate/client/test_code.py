"""Packed code depends on names and contents alone, and is bounded."""

import io
import os
import tarfile

import pytest

from tidegate.client import code
from tidegate.model.errors import Refused


def test_the_same_files_have_the_same_digest_whatever_their_times(tmp_path):
    digests = []
    for name, moment in (("a", 0), ("b", 1_000_000_000)):
        folder = tmp_path / name / "job"
        (folder / "lib").mkdir(parents=True)
        for path in (folder / "train.py", folder / "lib" / "data.py"):
            path.write_text("print(1)\n")
            os.utime(path, (moment, moment))
        digests.append(code.pack(folder)[0].digest)
    assert digests[0] == digests[1]


def test_caches_and_environments_stay_behind(tmp_path):
    (tmp_path / "train.py").write_text("print(1)")
    for left_out in ("__pycache__", ".venv", ".git"):
        (tmp_path / left_out).mkdir()
        (tmp_path / left_out / "file").write_text("x")
    _, data = code.pack(tmp_path)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.getnames() == ["train.py"]


def test_a_changed_byte_changes_the_digest(tmp_path):
    (tmp_path / "train.py").write_text("print(1)")
    before = code.pack(tmp_path)[0].digest
    (tmp_path / "train.py").write_text("print(2)")
    assert code.pack(tmp_path)[0].digest != before


def test_what_is_no_folder_or_empty_is_refused_by_field(tmp_path):
    for folder in (tmp_path / "absent", tmp_path):
        with pytest.raises(Refused) as refused:
            code.pack(folder)
        assert refused.value.field == "spec.code.workingDir"


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(code, "MAX_FILES", 2)
    for name in "abc":
        (tmp_path / name).write_text(name)
    with pytest.raises(Refused, match="too many files"):
        code.pack(tmp_path)


def test_a_folder_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(code, "MAX_PACKED_BYTES", 1000)
    (tmp_path / "noise").write_bytes(os.urandom(2000))
    with pytest.raises(Refused, match="too large"):
        code.pack(tmp_path)
