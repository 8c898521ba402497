"""Files that arrive in parts: whole by their digest alone, and never by a second sync."""

import errno
import hashlib
from pathlib import Path
from random import Random

import pytest

from tests.disks.files import PlatterFiles
from tests.disks.platter import Platter
from tidegate.arrivals import Arrivals
from tidegate.model.errors import Refused

DATA = b"some bytes of a model" * 100
DIGEST = hashlib.sha256(DATA).hexdigest()
HERE = Path("/data/artifacts")


def arrivals(data: bytes) -> tuple[Platter, Arrivals]:
    platter = Platter(Random(1))
    files = PlatterFiles(platter)
    files.make_directory(str(HERE))
    found = Arrivals(files, HERE)
    file = files.append(found.part(DIGEST))
    file.write(data)
    file.close()
    return platter, found


def test_a_part_is_whole_by_its_digest() -> None:
    _, found = arrivals(DATA)
    assert found.held(DIGEST) == (len(DATA), False)
    assert found.finish(DIGEST) == DIGEST
    assert found.held(DIGEST) == (len(DATA), True)


def test_a_part_with_another_digest_is_dropped_and_the_digest_told() -> None:
    _, found = arrivals(DATA + b"!")
    assert found.finish(DIGEST) == hashlib.sha256(DATA + b"!").hexdigest()
    assert found.held(DIGEST) == (0, False)


def test_a_part_whose_sync_failed_is_gone_and_not_synced_again() -> None:
    platter, found = arrivals(DATA)
    failures = iter([errno.EIO])
    platter.faulty = lambda call, path: next(failures, 0) if call == "sync" else 0
    with pytest.raises(OSError):
        found.finish(DIGEST)
    assert found.held(DIGEST) == (0, False)


def test_a_name_that_is_no_digest_is_refused() -> None:
    _, found = arrivals(DATA)
    with pytest.raises(Refused) as told:
        found.whole("../etc/passwd")
    assert told.value.field == "digest"
