"""One seeded life on one disk: work, a cut at a call drawn by chance, the start after it, and what must hold then.

A life has some tens of cuts, also in starts, so that what one recovery leaves is what the next one finds. `doing` names
what was under way, so that a run can show where its cuts fell: a run that never cut a rename proves nothing of renames.
"""

import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.disks.files import PlatterFiles
from tests.disks.platter import Platter, PowerGone
from tests.disks.vfs import PlatterVfs
from tidegate.model.errors import Broken

CUTS = 24
LONGEST_WORK = 120
"""Calls that change something, between a start and its cut."""


class Life(ABC):
    """Subclasses say how it starts, works and is judged."""

    name = ""
    needed: tuple[str, ...] = ()
    """Where a run's cuts must have fallen, as `<doing> <call>`."""

    def __init__(self, seed: int, home: Path, vfs: PlatterVfs, *, lie: bool = False) -> None:
        """`home` is a real folder, for the locks that belong to this machine's processes alone."""
        self.chance = Random(f"{self.name}:{seed}")
        self.platter = Platter(self.chance)
        self.files = PlatterFiles(self.platter)
        self.home = home
        self.vfs = vfs
        vfs.platter = self.platter
        self.lie = lie
        self.fell: Counter[str] = Counter()
        self.did: Counter[str] = Counter()

    def run(self) -> None:
        """The whole life. AssertionError where a promise is broken."""
        with silent():
            self.files.make_directory(str(self.home))
            self.platter.lie = self.lie
            for _ in range(CUTS):
                self.platter.gone_at = self.platter.calls + 1 + self._when()
                try:
                    self._live()
                except PowerGone:
                    pass
                except Broken:
                    if not self.platter.dead:
                        raise
                assert self.platter.dead, "the work ended before its cut"
                self._fell()
                self.drop()
                self.platter.cut()
            self.platter.doing = "last start"
            self.start()
            self.last()
            self.drop()

    def _when(self) -> int:
        """Often early: then it falls into the start after the cut before."""
        return self.chance.randrange(LONGEST_WORK if self.chance.random() < 0.7 else 14)

    def _live(self) -> None:
        self.platter.doing = "start"
        self.start()
        while not self.platter.dead:
            self.work()

    def _fell(self) -> None:
        doing, call, path = self.platter.cut_in
        self.fell[f"{self.placed(doing, call, path)} {call}"] += 1

    def placed(self, doing: str, call: str, path: str) -> str:
        """What was under way, more exactly where the path tells."""
        return doing

    def start(self) -> None:
        """A start of the process, and what must hold after it."""
        self.recover()
        self.judge()

    @abstractmethod
    def recover(self) -> None:
        """The real recovery."""

    @abstractmethod
    def judge(self) -> None:
        """What must hold after it, whatever happened before."""

    @abstractmethod
    def work(self) -> None:
        """One deed, drawn by chance; what was acknowledged is noted."""

    @abstractmethod
    def drop(self) -> None:
        """The process is gone: let go of what it held on this machine."""

    @abstractmethod
    def last(self) -> None:
        """At the end, with the power on: everything that was ever promised."""


@contextmanager
def silent() -> Iterator[None]:
    """Nobody reads warnings of a million recoveries."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
