"""The journal: which units changed, in the order in which they did, and what was left on each before.

Whoever remembers an answer keeps the place that the journal had then, and is told which units differ from that place
on: each once, as it was. A unit that changed and changed back is told too, and looks as it does now.

Limits: the newest `MOST_ENTRIES` changes are kept, and at most `MOST_CAUGHT_UP` are gone through. Who is further behind
is told so, and looks at everything again.
"""

from typing import NamedTuple

MOST_ENTRIES = 4_096
MOST_CAUGHT_UP = 192


class Left(NamedTuple):
    """What is left on one unit. The same as of an empty one where nothing stands there."""

    gpus: int
    """Wholly free."""
    cpus_milli: int
    memory_bytes: int


class Before(NamedTuple):
    """A unit as it was."""

    left: Left
    gpus_changed: bool
    """Whether something came to one of its GPUs, or left it, since: two units with as many free ones may differ."""


Unit = tuple[int, int]
"""The offer's row, and the unit's number."""


class Journal:
    """See the module."""

    def __init__(self) -> None:
        self._entries: list[tuple[Unit, Left, bool]] = []
        self._first = 0

    @property
    def end(self) -> int:
        """The place after the newest entry."""
        return self._first + len(self._entries)

    def add(self, unit: Unit, before: Left, gpus_changed: bool) -> None:
        """The unit changes now."""
        self._entries.append((unit, before, gpus_changed))
        if len(self._entries) > 2 * MOST_ENTRIES:
            del self._entries[:MOST_ENTRIES]
            self._first += MOST_ENTRIES

    def undo(self, end: int) -> None:
        """Everything since that place was undone: the units are as they were then."""
        del self._entries[max(end - self._first, 0) :]
        self._first = min(self._first, end)

    def since(self, place: int) -> dict[Unit, Before] | None:
        """The units that changed from a place on, as they were there; None where that is too much to tell."""
        start = place - self._first
        if start < 0 or len(self._entries) - start > MOST_CAUGHT_UP:
            return None
        found: dict[Unit, Before] = {}
        for unit, left, gpus_changed in self._entries[start:]:
            had = found.get(unit)
            if had is None:
                found[unit] = Before(left, gpus_changed)
            elif gpus_changed and not had.gpus_changed:
                found[unit] = Before(had.left, True)
        return found
