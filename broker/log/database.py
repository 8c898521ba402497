"""How an SQLite database is opened here, whatever it holds.

The SQLite is the one that comes inside `apsw`, not the system's: versions 3.7.0 to 3.51.2 can corrupt a database in
WAL mode when two connections write or checkpoint at once, and distributions ship those versions for years. An older
library is refused, not worked around.

Every setting is read back. SQLite reports a failed change of the journal mode by the value it returns and by nothing
else, and a setting that silently did not take is the way to lose acknowledged events.

    journal_mode=WAL, synchronous=FULL   a commit returns after the sync of the write-ahead log locking_mode=EXCLUSIVE
    where one connection is all there is: no shared memory file, nobody else gets in wal_autocheckpoint=0
    the owner checkpoints, after it has answered and not before journal_size_limit                   the WAL file is
    cut to this after a checkpoint trusted_schema=OFF, cell_size_check=ON

A checkpoint's return is no promise: in tests with failing syncs some errors at a checkpoint surfaced nowhere. What is
in the WAL counts as durable because its own sync returned; nothing is deleted or archived because a checkpoint
returned.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

import apsw

from tidegate.files import FileSystem, RealFiles, fault
from tidegate.model.errors import Broken, Unavailable

OLDEST_SQLITE = (3, 51, 3)
PAGE_BYTES = 4096

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Format:
    """What a database file says it is. `version` rises with each change that older code could not read."""

    application_id: int
    version: int
    schema: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Bounds and the way in."""

    exclusive: bool = True
    wal_bytes: int = 16 * 2**20
    """Checkpoint above this, and cut the file to it afterwards."""
    most_bytes: int = 0
    """The database never grows past this; 0: as far as the disk goes."""
    vfs: str = ""
    """SQLite's name for the file system to use; empty for the real one."""
    files: FileSystem = RealFiles()  # noqa: RUF009 - it holds nothing
    """The same file system as everything else knows it: the database's directory is made and synced there."""


class Damaged(Broken):
    """What stands in the file is not what was written there, or is no database at all."""


def require_sqlite(version: str) -> None:
    """Broken where the library carries the WAL-reset bug. `version` as `apsw.sqlite_lib_version()` gives it."""
    if tuple(int(part) for part in version.split(".")[:3]) < OLDEST_SQLITE:
        wanted = ".".join(str(part) for part in OLDEST_SQLITE)
        raise Broken("this SQLite can corrupt a write-ahead log", found=version, wanted=f"{wanted} or newer")


def open_database(path: Path, form: Format, settings: Settings) -> apsw.Connection:
    """The one writing connection, with the schema in place.

    Damaged where the file is; Broken where it is something else, was written by newer code, or a setting did not take;
    Unavailable where there is no room for it.
    """
    require_sqlite(apsw.sqlite_lib_version())
    try:
        connection = apsw.Connection(str(path), vfs=settings.vfs or None)
        try:
            _configure(connection, settings)
            _adopt(connection, path, form)
            _begin_anew(connection, path)
            settings.files.sync_directory(str(path.parent))
        except BaseException:
            connection.close()
            raise
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise Damaged(f"the database is damaged: {error}", field=str(path)) from error
    except apsw.FullError as error:
        raise Unavailable("no room to open the database", field=str(path)) from error
    except apsw.Error as error:
        raise Broken(f"the database cannot be opened: {error}", field=str(path)) from error
    except OSError as error:
        raise fault("making the database's name durable", str(path), error) from error
    return connection


def make_home(directory: Path, settings: Settings) -> None:
    """The directory of a database, durably there. Unavailable or Broken, as `fault` says."""
    try:
        settings.files.make_directory(str(directory))
    except OSError as error:
        raise fault("making the directory", str(directory), error) from error


def open_reader(path: Path) -> apsw.Connection:
    """A second connection that can only read. Not for a database opened with `exclusive`."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        _settle(connection, "query_only", 1)
        _settle(connection, "trusted_schema", 0)
        connection.set_busy_timeout(5_000)
    except apsw.Error as error:
        raise Broken(f"the database cannot be read: {error}", field=str(path)) from error
    return connection


def _configure(connection: apsw.Connection, settings: Settings) -> None:
    connection.set_busy_timeout(0 if settings.exclusive else 5_000)
    if connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1) != 1:
        raise Broken("a setting of the database did not take", field="no_ckpt_on_close")
    _settle(connection, "locking_mode", "exclusive" if settings.exclusive else "normal")
    _settle(connection, "journal_mode", "wal")
    _settle(connection, "synchronous", 2)
    _settle(connection, "wal_autocheckpoint", 0)
    _settle(connection, "journal_size_limit", settings.wal_bytes)
    _settle(connection, "trusted_schema", 0)
    _settle(connection, "cell_size_check", 1)
    if settings.most_bytes:
        _settle(connection, "max_page_count", settings.most_bytes // PAGE_BYTES)


def _begin_anew(connection: apsw.Connection, path: Path) -> None:
    """Move the WAL into the database and begin another one, before anybody hears what was found in it.

    What a process that was killed had written may stand in the page cache alone: this syncs it. And of a commit that a
    power cut tore, all but the first pages may have survived; behind a commit that begins with the very same pages they
    would be its continuation, and come to life. A new WAL has new salts, under which no old page counts.
    """
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.FullError:
        logger.warning("no room to begin a new write-ahead log", extra={"path": str(path)})


def _settle(connection: apsw.Connection, name: str, wanted: int | str) -> None:
    connection.pragma(name, wanted)
    found = connection.pragma(name)
    if found != wanted:
        raise Broken("a setting of the database did not take", field=name, found=found, wanted=str(wanted))


def _adopt(connection: apsw.Connection, path: Path, form: Format) -> None:
    """Make the schema in a new file, or check that an old one is ours and not newer than this code."""
    found_id, found_version = connection.pragma("application_id"), connection.pragma("user_version")
    if found_id == 0 and found_version == 0 and not connection.execute("select count(*) from sqlite_schema").get:
        with connection:
            connection.execute(form.schema)
            connection.pragma("application_id", form.application_id)
            connection.pragma("user_version", form.version)
        return
    if found_id != form.application_id:
        raise Broken("the file is not what it should be", field=str(path), found=hex(found_id))
    if found_version != form.version:
        raise Broken(
            "the file has another format", field=str(path), found=found_version, wanted=f"format {form.version}"
        )
