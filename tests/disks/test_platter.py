"""The disk under the power cuts is held against a real file system; and it forgets what a disk may forget, no more."""

import errno
from collections.abc import Iterator
from pathlib import Path
from random import Random

import apsw
import pytest

from tests.disks.files import PlatterFiles
from tests.disks.platter import Platter, PowerGone
from tests.disks.vfs import PlatterVfs
from tidegate.files import FileSystem, RealFiles, put

SCRIPTS = 40


def script(files: FileSystem, root: str, seed: int) -> list[object]:
    """A seeded run over a few names; everything that was seen on the way."""
    chance, seen = Random(seed), list[object]()
    for _ in range(60):
        folder = root + chance.choice(("", "/a", "/a/b"))
        path, other = f"{folder}/{chance.choice('xyz')}", f"{folder}/{chance.choice('xyz')}"
        data = chance.randbytes(chance.randrange(40))
        try:
            match chance.randrange(11):
                case 0:
                    files.make_directory(folder)
                case 1 | 2 | 3:
                    file = files.append(path)
                    file.write(data)
                    if data and data[0] < 60:
                        file.truncate(data[0])
                        file.write(data[:5])
                    file.sync()
                    file.close()
                case 4:
                    files.overwrite(path, data)
                case 5:
                    files.rename(path, other)
                case 6:
                    files.remove(path)
                case 7:
                    put(files, path, [data, data])
                case 8:
                    files.sync_directory(folder)
                case 9:
                    files.remove_tree(root + "/a" if data[:1] < b"\x20" else root + "/a/b")
                case _:
                    seen.append((files.exists(path), files.size(path), files.read(path), b"".join(files.pieces(path))))
        except OSError as error:
            seen.append(error.errno)
        seen.append([sorted(files.names(each)) for each in (root, root + "/a", root + "/a/b")])
    return seen


def test_the_same_script_sees_the_same_on_a_real_disk(tmp_path: Path) -> None:
    errors = 0
    for seed in range(SCRIPTS):
        real, simulated = tmp_path / str(seed), PlatterFiles(Platter(Random(seed)))
        simulated.make_directory(str(real))
        RealFiles().make_directory(str(real))
        told = script(RealFiles(), str(real), seed)
        assert script(simulated, str(real), seed) == told, f"seed {seed}"
        errors += sum(isinstance(each, int) for each in told)
    assert errors > SCRIPTS


@pytest.fixture
def platter() -> Platter:
    return Platter(Random(1))


def survivors(write: object, cuts: int = 200) -> set[object]:
    """What may be there after a cut: of many disks on which the same was done."""
    found = set[object]()
    for seed in range(cuts):
        platter = Platter(Random(seed))
        files = PlatterFiles(platter)
        write(files)  # type: ignore[operator]
        platter.cut()
        found.add(tuple(sorted((path, bytes(node.data)) for path, node in platter.files())))
    return found


def test_what_was_synced_survives_with_its_name_and_nothing_else_can_happen() -> None:
    def write(files: FileSystem) -> None:
        put(files, "/x", [b"old"])
        put(files, "/x", [b"new"])

    assert survivors(write) == {(("/x", b"new"),)}


def test_a_synced_file_is_lost_with_a_name_that_was_not() -> None:
    def write(files: FileSystem) -> None:
        file = files.append("/x")
        file.write(b"whole")
        file.sync()

    assert survivors(write) == {(), (("/x", b"whole"),)}


def test_a_rename_before_its_directory_is_synced_leaves_the_old_or_the_new_never_neither() -> None:
    def write(files: FileSystem) -> None:
        put(files, "/x", [b"old"])
        file = files.append("/x.new")
        file.write(b"new")
        file.sync()
        files.sync_directory("/")
        files.rename("/x.new", "/x")

    assert survivors(write) == {(("/x", b"new"),), (("/x", b"old"), ("/x.new", b"new"))}


def test_unsynced_bytes_are_kept_lost_and_torn_and_those_beside_them_never_change() -> None:
    def write(files: FileSystem) -> None:
        put(files, "/x", [b"s" * 700])
        files.append("/x").write(b"u" * 9000)

    found = survivors(write, 400)
    lengths = {len(files[0][1]) for files in found}  # type: ignore[index]
    assert {700, 9700} < lengths
    assert any(length % 512 for length in lengths)
    assert all(files[0][1].startswith(b"s" * 700) for files in found)  # type: ignore[index]
    assert any(b"u" in files[0][1] and b"\0" in files[0][1] for files in found)  # type: ignore[index]


def test_a_failed_sync_forgets_what_it_should_have_written_and_the_next_one_says_that_all_is_well(
    platter: Platter,
) -> None:
    files = PlatterFiles(platter)
    put(files, "/x", [b"old"])
    failures = iter([errno.EIO])
    platter.faulty = lambda call, path: next(failures, 0) if call == "sync" else 0
    file = files.append("/x")
    file.write(b" and new")
    with pytest.raises(OSError, match="Input/output"):
        file.sync()
    file.sync()
    assert files.read("/x") == b"old and new"
    platter.cut()
    assert files.read("/x") == b"old"


def test_the_power_goes_at_the_call_that_was_named_and_nothing_works_after_it(platter: Platter) -> None:
    files = PlatterFiles(platter)
    file = files.append("/x")
    platter.doing, platter.gone_at = "test", platter.calls + 2
    file.write(b"one")
    with pytest.raises(PowerGone):
        file.write(b"two")
    with pytest.raises(PowerGone):
        files.read("/x")
    assert platter.cut_in == ("test", "write", "/x")
    platter.cut()
    files.append("/x").write(b"on again")


def test_no_room_leaves_what_fits() -> None:
    platter = Platter(Random(1), room=10)
    files = PlatterFiles(platter)
    with pytest.raises(OSError) as wrong:
        files.append("/x").write(b"eleven bytes")
    assert wrong.value.errno == errno.ENOSPC
    assert files.read("/x") == b"eleven byt"
    assert files.free("/") == 0


@pytest.fixture
def vfs(platter: Platter) -> Iterator[PlatterVfs]:
    made = PlatterVfs("test-platter")
    made.platter = platter
    yield made
    made.unregister()


def test_sqlite_syncs_the_directory_with_the_first_sync_of_a_log_that_it_made(
    platter: Platter, vfs: PlatterVfs
) -> None:
    """As its own file system for Unix does: without it a synced write-ahead log could be lost with its name."""
    connection = apsw.Connection("/db", vfs=vfs.name)
    connection.pragma("locking_mode", "exclusive")
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", 2)
    connection.execute("create table t (x)")
    assert set(platter.folder("").synced) == {"db", "db-wal"}
    connection.close()
