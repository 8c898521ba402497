"""A site's disk in a history: a platter of `tests.disks` that knows whose it is, and what goes wrong with it.

    full      a bound on all bytes, a little above what lies there: what is beyond it finds no room
    failing   every call of some kinds fails, for as long as it lasts: EIO, as from a disk that goes
    error     one such call fails, and none after it: a write, a sync, a name, a look
    rot       some bytes of what lies there are others: of the spool's segments and of cached files, which are known by
              their sums. What the broker told is not touched: an agent without it does not start, by design.

`failures` counts the calls that failed, so that the end of an agent can be told from one without a reason.
"""

import errno
from random import Random

from tests.disks.platter import Platter
from tests.simulation.loop import Process, current

CALLS = ("write", "sync", "sync_directory", "rename", "make", "remove", "read", "size")
"""What a disk may fail to do."""
SPARE = 2_000
"""Bytes that a full disk still has, at most."""
ROTTEN = (1, 1, 64, 512)
"""How many bytes rot at once: a bit's fault, or a sector's."""


class SiteDisk(Platter):
    """See the module. `tests.disks.files` is the daemons' port to it."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.process: Process | None = None
        """Whose it is: what a dead process asks has no effect."""
        self.failing: frozenset[str] = frozenset()
        """Calls that fail now."""
        self.once = ""
        """A call that fails the next time, for that time alone."""
        self.failures = 0
        self._rotted = False
        self._cuts = 0
        self.faulty = self._asked

    @property
    def end_in_doubt(self) -> bool:
        """Whether the newest of what is kept may pass for what a cut tore: it rotted, and the power went as well."""
        return self._rotted and self._cuts > 0

    def cut(self, keep: float | None = None) -> None:
        super().cut(keep)
        self._cuts += 1
        self.faulty = self._asked

    # What goes wrong

    def fill(self, amount: float) -> None:
        """From now on there is room for a little more, and no further."""
        self.room = self.occupied() + int(amount**2 * SPARE)

    def break_calls(self, amount: float) -> None:
        """From now on some kinds of call fail, or (now and then) all of them."""
        chance = Random(amount)
        few = chance.sample(CALLS, chance.randint(1, 3))
        self.failing = frozenset(CALLS if chance.random() < 0.2 else few)

    def break_once(self, amount: float) -> None:
        """The next call of one kind fails."""
        self.once = Random(amount).choice(CALLS)

    def rot_somewhere(self, amount: float) -> bool:
        """Spoil some bytes of a file; False where nothing lies there that is known by its sum."""
        found = sorted(path for path, node in self.files() if node.data and _summed(path))
        if not found:
            return False
        self._rotted = True
        chance = Random(amount)
        path = chance.choice(found)
        self.rot(path, chance.randrange(len(self.node(path).data)), chance.choice(ROTTEN))
        return True

    def mend(self) -> None:
        """It is well again; what was lost stays lost."""
        self.room, self.failing, self.once = None, frozenset(), ""

    # Each call

    def _asked(self, call: str, path: str) -> int:
        owner = self.process
        if owner is None or current() is not owner:
            return 0  # the judge looks
        owner.check()
        if call not in self.failing and call != self.once:
            return 0
        if call == self.once:
            self.once = ""
        self.failures += 1
        return errno.EIO


def _summed(path: str) -> bool:
    """Segments, and files called by their digest."""
    return path.endswith(".log") or len(path.rpartition("/")[2]) == 64
