"""The journal: which units changed, in the order in which they did, and what was left on each before and after.

Whoever remembers an answer keeps the place that the journal had then, and is told which units may differ from that
place on: each once, as it was there and as it is now. One that changed and changed back is not among them.

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


class Change(NamedTuple):
    """A unit as it was and as it is."""

    had: Left
    has: Left
    gpus_changed: bool
    """Whether something came to one of its GPUs, or left it, since: two units with as many free ones may differ."""


Unit = tuple[int, int]
"""The offer's row, and the unit's number."""
Changes = dict[Unit, Change]


class Journal:
    """See the module."""

    def __init__(self) -> None:
        self._entries: list[tuple[Unit, Change]] = []
        self._first = 0

    @property
    def end(self) -> int:
        """The place after the newest entry."""
        return self._first + len(self._entries)

    def add(self, unit: Unit, change: Change) -> None:
        """The unit has changed now."""
        self._entries.append((unit, change))
        if len(self._entries) > 2 * MOST_ENTRIES:
            del self._entries[:MOST_ENTRIES]
            self._first += MOST_ENTRIES

    def undo(self, end: int) -> None:
        """Everything since that place was undone: the units are as they were then."""
        del self._entries[max(end - self._first, 0) :]
        self._first = min(self._first, end)

    def since(self, place: int) -> Changes | None:
        """The units that may differ from what they were at a place; None where that is too much to tell."""
        start = place - self._first
        if start < 0 or len(self._entries) - start > MOST_CAUGHT_UP:
            return None
        found: Changes = {}
        for unit, change in self._entries[start:]:
            first = found.get(unit)
            if first is not None:
                change = Change(first.had, change.has, first.gpus_changed or change.gpus_changed)
            found[unit] = change
        return {unit: change for unit, change in found.items() if change.gpus_changed or change.had != change.has}
