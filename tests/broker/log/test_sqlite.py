"""The log in SQLite: what it promises while it is open, at its bounds, and when a file is not what it was."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.log.database import PAGE_BYTES, Settings, open_database, require_sqlite
from broker.log.record import GENESIS, Damage, Head, Record, Row
from broker.log.sqlite import FORMAT, MOST_RECORDS, SqliteLog
from tests.broker.log.history import made_up, made_up_run
from tests.broker.log.test_record import records
from tidegate.model.errors import Broken, Refused, Unavailable


def test_an_empty_log_has_a_head_and_a_genesis(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path)
    assert log.head == Head(0, GENESIS)
    assert log.append([]) == 0
    assert log.read(0, 10) == []
    assert log.chain_at(0) == GENESIS
    assert log.chain_at(1) is None
    assert log.verify() is None
    log.close()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=st.lists(st.lists(records, max_size=5), max_size=6), limit=st.integers(1, 7))
def test_what_is_read_is_what_was_appended_before_and_after_a_restart(
    tmp_path_factory: pytest.TempPathFactory, runs: list[list[Record]], limit: int
) -> None:
    directory = tmp_path_factory.mktemp("log")
    told = [record for run in runs for record in run]
    log = SqliteLog(directory)
    for run in runs:
        log.append(run)
    head = log.head
    for _ in range(2):
        assert log.head == head
        assert log.verify() is None
        found: list[Row] = []
        while rows := log.read(len(found), limit):
            found += rows
        assert [row.offset for row in found] == list(range(1, len(told) + 1))
        assert [Record(row.kind, row.version, row.at, row.payload) for row in found] == told
        assert all(log.chain_at(row.offset) == row.chain for row in found)
        log.close()
        log = SqliteLog(directory)
    log.close()


def test_records_of_one_append_share_one_transaction(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path)
    too_late = [*made_up_run(0, 3), Record("k", 0, 0, b"")]
    with pytest.raises(Refused, match=r"records\[3\]\.version"):
        log.append(too_late)
    assert log.head.offset == 0
    assert log.append(made_up_run(0, 3)) == 3
    log.close()


def test_an_append_is_bounded(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path)
    with pytest.raises(Refused, match="too much for one append"):
        log.append([Record("k", 1, 0, b"")] * (MOST_RECORDS + 1))
    assert log.append([Record("k", 1, 0, b"")] * MOST_RECORDS) == MOST_RECORDS
    log.close()


def test_a_second_opener_is_refused_and_told_whose_it_is(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path)
    with pytest.raises(Refused, match=f"belongs to process {os.getpid()}"):
        SqliteLog(tmp_path)
    script = "import pathlib, sys; from broker.log.sqlite import SqliteLog; SqliteLog(pathlib.Path(sys.argv[1]))"
    other = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert f"log.db belongs to process {os.getpid()}" in other.stderr
    log.append(made_up_run(0, 1))
    log.close()
    reopened = SqliteLog(tmp_path)
    assert reopened.head.offset == 1
    reopened.close()


def test_the_log_refuses_change_even_from_its_own_connection(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path)
    log.append(made_up_run(0, 2))
    for statement in ("update log set at = 0 where offset = 1", "delete from log where offset = 2"):
        with pytest.raises(apsw.ConstraintError, match="the log never"):
            log._connection.execute(statement)
    log.close()


def test_the_wal_stays_within_its_bound(tmp_path: Path) -> None:
    bound = 256 * 1024
    log = SqliteLog(tmp_path, Settings(wal_bytes=bound))
    largest = 0
    for _ in range(60):
        log.append([Record("k", 1, 0, bytes(20_000))])
        log.tidy()
        largest = max(largest, (tmp_path / "log.db-wal").stat().st_size)
    assert largest < bound + 20 * PAGE_BYTES
    for _ in range(120):  # nobody tidies: the append does
        log.append([Record("k", 1, 0, bytes(20_000))])
    assert (tmp_path / "log.db-wal").stat().st_size < 4 * bound + 20 * PAGE_BYTES
    assert log.verify() is None
    log.close()


def test_a_start_goes_on_in_another_wal_than_the_one_it_found(tmp_path: Path) -> None:
    """Else what is left of a torn commit could become the continuation of a later one that begins like it."""
    killed = tmp_path / "killed"
    log = SqliteLog(tmp_path / "log")
    log.append(made_up_run(0, 20))
    shutil.copytree(tmp_path / "log", killed, ignore=shutil.ignore_patterns("*.lock"))
    log.close()
    wal = killed / "log.db-wal"
    salts = wal.read_bytes()[16:24]
    log = SqliteLog(killed)
    assert log.head.offset == 20
    assert wal.stat().st_size == 0, "what was found is in the database"
    log.append(made_up_run(20, 1))
    assert wal.read_bytes()[16:24] != salts
    log.close()


def flip(path: Path, marker: bytes) -> None:
    """Change one bit of the only place in the file that holds `marker`."""
    content = bytearray(path.read_bytes())
    assert content.count(marker) == 1
    content[content.index(marker) + 3] ^= 0x10
    path.write_bytes(content)


def test_a_flipped_bit_in_the_tail_stops_the_start(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path)
    log.append([*made_up_run(0, 9), Record("k", 1, 0, b"look for this"), Record("k", 1, 0, b"")])
    log.close()
    flip(tmp_path / "log.db", b"look for this")
    with pytest.raises(Broken, match="row 10 is damaged: the checksum"):
        SqliteLog(tmp_path)
    with pytest.raises(Broken):  # and leaves the lock free, so that the message is the same the next time
        SqliteLog(tmp_path)


def test_a_flipped_bit_in_a_kind_is_damage_and_no_fault_of_the_reader(tmp_path: Path) -> None:
    """It can leave bytes that are no text at all, at which a driver of the database gives up."""
    log = SqliteLog(tmp_path)
    log.append([*made_up_run(0, 9), Record("kind-to-look-for", 1, 0, b"")])
    log.close()
    content = bytearray((tmp_path / "log.db").read_bytes())
    content[content.index(b"kind-to-look-for")] ^= 0xFF
    (tmp_path / "log.db").write_bytes(content)
    with pytest.raises(Broken, match="damaged"):
        SqliteLog(tmp_path)


def test_damage_before_the_tail_is_found_on_request_and_by_its_reader(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path)
    log.append([*made_up_run(0, 4), Record("k", 1, 0, b"look for this")])
    log.append(made_up_run(5, 3_000))
    log.close()
    flip(tmp_path / "log.db", b"look for this")
    log = SqliteLog(tmp_path, tail_rows=100)
    assert log.verify(6) == log.verify(1, 4) is None
    assert log.verify() == Damage(5, "the checksum does not hold")
    with pytest.raises(Broken, match="row 5 is damaged"):
        log.read(4, 1)
    with pytest.raises(Broken):  # a log that lied once is not appended to
        log.append(made_up_run(3_005, 1))
    log.close()


def test_rows_cut_out_behind_our_back_are_missed(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path)
    log.append(made_up_run(0, 10))
    log.close()
    connection = apsw.Connection(str(tmp_path / "log.db"))
    connection.execute("drop trigger log_never_shrinks; delete from log where offset = 4")
    connection.close()
    with pytest.raises(Broken, match="row 4 is damaged: the row is missing"):
        SqliteLog(tmp_path)


def test_a_file_of_another_kind_or_a_newer_format_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"not a database at all, but long enough to be read as one" * 40)
    with pytest.raises(Broken, match="damaged"):
        SqliteLog(tmp_path)
    (tmp_path / "log.db").unlink()
    connection = apsw.Connection(str(tmp_path / "log.db"))
    connection.execute("create table other (id); pragma application_id = 7")
    connection.close()
    with pytest.raises(Broken, match="not what it should be"):
        SqliteLog(tmp_path)
    (tmp_path / "log.db").unlink()
    SqliteLog(tmp_path).close()
    connection = apsw.Connection(str(tmp_path / "log.db"))
    connection.execute("pragma user_version = 2")
    connection.close()
    with pytest.raises(Broken, match="another format"):
        SqliteLog(tmp_path)


def test_the_settings_are_what_they_should_be(tmp_path: Path) -> None:
    connection = open_database(tmp_path / "x.db", FORMAT, Settings(wal_bytes=65536, most_bytes=10 * 2**20))
    found = {
        name: connection.pragma(name)
        for name in ("journal_mode", "synchronous", "locking_mode", "wal_autocheckpoint", "journal_size_limit")
    }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "locking_mode": "exclusive",
        "wal_autocheckpoint": 0,
        "journal_size_limit": 65536,
    }
    connection.close()


def test_an_sqlite_with_the_wal_reset_bug_is_refused() -> None:
    require_sqlite("3.51.3")
    require_sqlite("3.100.0")
    for version in ("3.40.1", "3.51.2"):
        with pytest.raises(Broken, match="can corrupt"):
            require_sqlite(version)


def test_a_full_disk_leaves_the_log_whole_and_usable(tmp_path: Path) -> None:
    """`max_page_count` is how SQLite can be brought to say SQLITE_FULL in the middle of a statement."""
    log = SqliteLog(tmp_path, Settings(most_bytes=80 * PAGE_BYTES))
    log.append([made_up(1)])
    with pytest.raises(Unavailable, match="no room"):
        log.append([Record("k", 1, 0, bytes(50_000))] * 10)
    assert log.head.offset == 1
    assert log.verify() is None
    assert log.append([made_up(2)]) == 2
    assert log.room() < 80 * PAGE_BYTES
    log.close()
    log = SqliteLog(tmp_path)
    assert [row.payload for row in log.read(0, 10)] == [made_up(1).payload, made_up(2).payload]
    log.close()


def test_room_is_what_the_disk_has_above_the_reserve(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path, Settings(wal_bytes=1_000), reserve_bytes=5_000, free=lambda path: 6_500)
    assert log.room() == 500
    log.close()


def test_a_closed_log_is_closed(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path)
    log.close()
    log.close()
    with pytest.raises(Broken, match="closed"):
        log.append(made_up_run(0, 1))
