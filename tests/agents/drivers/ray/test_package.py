"""The same files give the same package, wherever and whenever they are packed."""

import io
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.drivers.ray import package
from tidegate.model.errors import Refused

RUNNER = b"print('runner')"


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def names(packed: package.Package) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(packed.data)) as archive:
        return archive.namelist()


def test_order_times_and_place_do_not_matter(tmp_path):
    one = write(tmp_path / "one", {"b.py": b"b", "a/z.py": b"z", "a.py": b"a"})
    other = write(tmp_path / "other", {"a.py": b"a", "a/z.py": b"z", "b.py": b"b"})
    os.utime(other / "a.py", (1, 1))
    assert package.pack(one, RUNNER) == package.pack(other, RUNNER)


def test_what_is_in_it_matters(tmp_path):
    folder = write(tmp_path / "code", {"a.py": b"a"})
    before = package.pack(folder, RUNNER)
    assert package.pack(folder, RUNNER + b" ").digest != before.digest
    write(folder, {"a.py": b"b"})
    assert package.pack(folder, RUNNER).digest != before.digest


def test_caches_links_and_a_runner_of_the_users_are_left_out(tmp_path):
    folder = write(
        tmp_path / "code",
        {"a.py": b"a", "__pycache__/a.pyc": b"x", ".git/config": b"x", package.RUNNER_NAME: b"mine"},
    )
    (folder / "link.py").symlink_to("/etc/passwd")
    packed = package.pack(folder, RUNNER)
    assert names(packed) == [package.RUNNER_NAME, "a.py"]
    with zipfile.ZipFile(io.BytesIO(packed.data)) as archive:
        assert archive.read(package.RUNNER_NAME) == RUNNER


def test_a_package_is_known_again_by_its_bytes(tmp_path):
    packed = package.pack(write(tmp_path / "code", {"a.py": b"a"}), RUNNER)
    assert package.known(packed.data) == packed
    assert packed.uri == f"gcs://_ray_pkg_{packed.digest[:40]}.zip"


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(Refused):
        package.pack(tmp_path / "nowhere", RUNNER)


def test_too_many_files_are_refused_at_the_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(package, "MAX_FILES", 2)
    folder = write(tmp_path / "code", {"a": b"", "b": b""})
    package.pack(folder, RUNNER)
    write(folder, {"c": b""})
    with pytest.raises(Refused):
        package.pack(folder, RUNNER)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.binary(max_size=64), max_size=8))
def test_what_goes_in_comes_out(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("code")
    with zipfile.ZipFile(io.BytesIO(package.pack(write(folder, files), RUNNER).data)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {**files, package.RUNNER_NAME: RUNNER}
