"""`python -m tests.disks.failing`: each call of each deed fails, one after the other; then the power is cut.

A deed is run once for each of its calls (reads included) and each way to fail: EIO once and for good, no room once and
for good, and a write of which half came to pass before there was no room. What must hold:

- What is raised belongs to a family, never a bare error of the file system or the database.
- No room passes (`Unavailable`), and the same process goes on once there is room again, but for a sync that found none.
- After a failed sync of a log the process is told `Broken` then and for ever, whatever a second sync would say: the
  disk below forgets what it failed to sync, so going on would lose it.
- After the cut, and a start on a disk that works again, everything that was ever acknowledged is there.
"""

import argparse
import errno
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.spool import Limits
from tests.disks.lives import LIVES, Life
from tests.disks.lives.agent import ARCHIVES, MODELS, AgentLife
from tests.disks.lives.life import silent
from tests.disks.lives.spool import SpoolLife
from tests.disks.powercuts import memory
from tests.disks.vfs import PlatterVfs
from tidegate.model.errors import Broken, TidegateError, Unavailable

SEED = 11
MOST_CALLS = 2_000
FIRST, SECOND, THIRD = list(MODELS)[1:4]
CODE = max(ARCHIVES)

WAYS = {
    "EIO once": (errno.EIO, False),
    "EIO for good": (errno.EIO, True),
    "no room once": (errno.ENOSPC, False),
    "no room for good": (errno.ENOSPC, True),
    "half a write, then no room": (-errno.ENOSPC, False),
}
TAKES_ROOM = ("make", "write", "sync", "rename")
"""Calls that can find none. Where a copying file system finds none even to delete, all ends as with EIO."""


@dataclass(frozen=True)
class Deed:
    """`act` on a life that `before` has brought there."""

    life: str
    name: str
    act: Callable[[Any], object]
    before: Callable[[Any], object] = lambda life: None
    passes: bool = False
    """Whether any failure passes: nothing depends on it, or all of it is done anew from the start."""


def _ended(life: Any) -> None:
    _many(life, 3)
    life.keep()
    life.drop()
    life.platter.killed()


def _pressed(life: SpoolLife) -> None:
    life.platter.killed()
    life.limits, life.shedding, life.audit = Limits(6144, 1024), True, 0.0
    life.recover()
    _many(life, 12)


def _killed(life: SpoolLife) -> None:
    """In the middle of an append: the next start has an end to mend."""
    _many(life, 3)
    life.files.append(f"{life.root}/agent/{1:020d}.log").write(b"torn")
    life.platter.killed()


def _cut(life: Any) -> None:
    """The power goes between two deeds: the next start finds a write-ahead log."""
    for _ in range(3):
        life.work()
    life.platter.dead = True
    life.drop()
    life.platter.cut()


def _used(life: AgentLife) -> None:
    life.hold()
    for digest in (FIRST, CODE, THIRD):
        life.install(digest, "inspect")
        life.unpack()


def _many(life: Any, count: int) -> None:
    for _ in range(count):
        life.append(5)


DEEDS = (
    Deed("log", "start", lambda life: life.recover(), lambda life: _ended(life)),
    Deed("log", "start after a cut", lambda life: life.recover(), lambda life: _cut(life)),
    Deed("log", "first start", lambda life: life.recover(), lambda life: _anew(life)),
    Deed("log", "append", lambda life: life.append(4), lambda life: _many(life, 2)),
    Deed("log", "checkpoint", lambda life: life.checkpoint(), lambda life: _many(life, 5)),
    Deed("log", "close", lambda life: life.drop(), lambda life: _many(life, 3), passes=True),
    Deed("log", "snapshot", lambda life: life.keep(), lambda life: _kept_twice(life), passes=True),
    Deed("spool", "start", lambda life: life.recover(), lambda life: _killed(life)),
    Deed("spool", "first start", lambda life: life.recover(), lambda life: _anew(life)),
    Deed("spool", "append", lambda life: life.append(2), lambda life: _many(life, 1)),
    Deed("spool", "rollover", lambda life: life.append(14), lambda life: _many(life, 2)),
    Deed("spool", "append under pressure", lambda life: life.append(6), lambda life: _pressed(life)),
    Deed("spool", "acknowledge", lambda life: life.sync(2_500), lambda life: _many(life, 5), passes=True),
    Deed("agent", "start", lambda life: life.recover(), lambda life: _used(life), passes=True),
    Deed("agent", "first start", lambda life: life.recover(), lambda life: _anew(life), passes=True),
    Deed("agent", "hold", lambda life: life.hold(), lambda life: life.hold(), passes=True),
    Deed("agent", "install", lambda life: life.install(FIRST, "inspect"), passes=True),
    Deed("agent", "unpack", lambda life: life.unpack(), lambda life: life.install(CODE, "train"), passes=True),
    Deed("agent", "let go", lambda life: life.install(SECOND, "inspect"), lambda life: _used(life), passes=True),
    Deed("agent", "forget", lambda life: life.forget(["inspect"]), lambda life: _used(life), passes=True),
    Deed("agent", "record", lambda life: life.keep_record(), lambda life: life.keep_record(), passes=True),
    Deed("agent", "configure", lambda life: life.serve(), passes=True),
    Deed("telemetry", "start", lambda life: life.recover(), lambda life: (life.span(), life.send(), life.drop())),
    Deed("telemetry", "start after a cut", lambda life: life.recover(), lambda life: _cut(life)),
    Deed("telemetry", "first start", lambda life: life.recover(), lambda life: _anew(life)),
    Deed("telemetry", "receive", lambda life: life.send(), lambda life: (life.send(), life.span())),
)


def _anew(life: Life) -> None:
    """As it was before the first start."""
    life.drop()
    life.files.remove_tree(str(life.home))
    life.files.make_directory(str(life.home))
    life.platter.killed()


def _kept_twice(life: Any) -> None:
    for _ in range(2):
        life.append(2)
        life.keep()
    life.append(1)


@dataclass
class Points:
    """What came of failing every call of some deeds."""

    tried: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


@dataclass
class _Failing:
    """The `at`-th call fails, and with `good` every later one. `hit` is what it was."""

    number: int
    good: bool
    at: int
    hit: str = ""
    seen: int = 0

    def __call__(self, call: str, path: str) -> int:
        if abs(self.number) == errno.ENOSPC and (call not in TAKES_ROOM or path.endswith("/durable")):
            return 0  # a mark is written over in place
        if self.number < 0 and call != "write":
            return 0
        self.seen += 1
        if self.seen == self.at:
            self.hit = f"{call} of a new file" if path.endswith(".new") else call
        return self.number if self.seen == self.at or (self.good and self.seen > self.at) else 0


def point(deed: Deed, way: str, at: int, home: Path, vfs: PlatterVfs) -> tuple[str, str]:
    """One failure: the call that it hit ("" where the deed had no more of them), and what the deed told of it.

    AssertionError where something does not hold.
    """
    number, good = WAYS[way]
    life = LIVES[deed.life](SEED, home, vfs)
    try:
        life.files.make_directory(str(home))
        life.start()
        deed.before(life)
        failing = life.platter.faulty = _Failing(number, good, at)
        told = _attempt(deed, life)
        life.platter.faulty = None
        if failing.hit:
            _judge(deed, failing.hit, number, told)
            if "start" not in deed.name and not (deed.passes and good and number == errno.EIO):
                _goes_on(deed, life, told)  # a disk that failed for good does not come back within one process
        life.drop()
        life.platter.cut()
        life.start()
        life.last()
        return failing.hit, type(told).__name__ if told else "done"
    finally:
        life.drop()


def _attempt(deed: Deed, life: Life) -> TidegateError | None:
    try:
        deed.act(life)
    except TidegateError as error:
        assert isinstance(error, Unavailable | Broken), f"a failing disk is nobody's request: {error}"
        assert str(error), "it says nothing"
        return error
    return None


def _judge(deed: Deed, hit: str, number: int, told: TidegateError | None) -> None:
    """Whether that is what such a failure must be called."""
    if deed.passes:
        assert not isinstance(told, Broken) or "start" in deed.name, f"nothing depends on it, and it broke: {told}"
    elif number == errno.EIO:
        assert told is None or isinstance(told, Broken), f"an error of the disk passed as {told!r}"
    elif "sync" not in hit and "start" not in deed.name:
        assert told is None or isinstance(told, Unavailable), f"no room, and it broke: {told}"
    if hit == "sync" and not deed.passes:
        assert isinstance(told, Broken), f"a sync failed and nobody was told but {told!r}"


def _goes_on(deed: Deed, life: Life, told: TidegateError | None) -> None:
    """In the same process, with the disk well again."""
    again = _attempt(deed, life)
    if isinstance(told, Broken):
        assert isinstance(again, Broken), "it broke and went on"
    else:
        assert again is None, f"the disk is well, and it does not go on: {again}"


def points(deeds: tuple[Deed, ...] = DEEDS, ways: tuple[str, ...] = tuple(WAYS)) -> Points:
    """Every call of the deeds, failing in each of the ways."""
    found = Points()
    vfs = PlatterVfs("failing")
    try:
        with silent(), tempfile.TemporaryDirectory(dir=memory()) as folder:
            for deed in deeds:
                for way in ways:
                    for at in _calls(deed, way, Path(folder), vfs, found):
                        found.tried[f"{deed.life}: {deed.name}"] += 1
                        assert at < MOST_CALLS
    finally:
        vfs.unregister()
    return found


def _calls(deed: Deed, way: str, home: Path, vfs: PlatterVfs, found: Points) -> Iterator[int]:
    at = 0
    while True:
        at += 1
        try:
            hit, told = point(deed, way, at, home, vfs)
        except Exception as error:
            story = "".join(traceback.format_exception(error)[-3:]).strip().replace("\n", " | ")
            found.wrong.append(f"{deed.life} {deed.name}, {way}, call {at}: {story}")
            if at > 400:
                return
            yield at
            continue
        if not hit:
            return
        found.told[f"{deed.life}: {deed.name}, {way.partition(' ')[0]} at {hit}: {told}"] += 1
        yield at


def main(arguments: list[str]) -> int:
    """Exits with 1 where anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.disks.failing", description=__doc__.splitlines()[0])
    parser.add_argument("deeds", nargs="*", help="`life name` of those alone")
    parser.add_argument("--told", action="store_true", help="what each deed told of each failing call")
    chosen = parser.parse_args(arguments)
    wanted = tuple(deed for deed in DEEDS if not chosen.deeds or f"{deed.life} {deed.name}" in chosen.deeds)
    found = points(wanted)
    for wrong in found.wrong:
        print(f"FOUND {wrong}")
    for deed, count in (found.told if chosen.told else found.tried).items():
        print(f"{deed:72} {count:>6,}")
    print(f"{sum(found.tried.values()):,} failing calls, {len(found.wrong)} with findings")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
