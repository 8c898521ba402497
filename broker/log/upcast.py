"""Rows written by older code, turned into what this code reads.

The log keeps what was written for years and is never rewritten. When an event's encoding changes, its version rises by
one and a step goes into a table: from (kind, version) and the payload to the next (kind, version, payload). A step may
change the kind too, for an event that was renamed. On reading, steps are taken until the kind's current version is
reached.

Steps are pure functions of the payload: the same row gives the same event on any machine, in any year. The table and
the current versions come in as data, so this file knows no event.

A row that is newer than this code, or of a kind it never knew, is Broken: to skip it would fold another history. An
older broker started on a newer log therefore stops before it writes anything.
"""

from collections.abc import Callable, Mapping

from tidegate.model.errors import Broken

Written = tuple[str, int, bytes]
"""Kind, version and payload."""

Step = Callable[[bytes], Written]
"""From a payload to what it is called and looks like one step later. ValueError where the payload is not such a one."""


class Upcasts:
    """The steps from every version ever written to the current one."""

    def __init__(self, current: Mapping[str, int], steps: Mapping[tuple[str, int], Step]) -> None:
        """`current` gives each kind's version today. Broken where a version of a current kind has no way up."""
        for kind, version in current.items():
            for older in range(1, version):
                if (kind, older) not in steps:
                    raise Broken("old events could not be read", field=f"{kind}@{older}", wanted="a step upward")
        for kind, version in steps:
            if version >= current.get(kind, version + 1):
                raise Broken("a step starts at a version that is current or newer", field=f"{kind}@{version}")
        self._current = dict(current)
        self._steps = dict(steps)

    def read(self, kind: str, version: int, payload: bytes) -> tuple[str, bytes]:
        """The kind and payload as this code reads them. The common case, a current row, is one look-up."""
        taken = 0
        while self._current.get(kind) != version:
            step = self._steps.get((kind, version))
            if step is None:
                raise self._unreadable(kind, version)
            if taken > len(self._steps):
                raise Broken("the steps go round in a circle", field=f"{kind}@{version}")
            try:
                kind, version, payload = step(payload)
            except ValueError as error:
                raise Broken(f"an old event cannot be read: {error}", field=f"{kind}@{version}") from error
            taken += 1
        return kind, payload

    def _unreadable(self, kind: str, version: int) -> Broken:
        known = self._current.get(kind)
        if known is None:
            return Broken("the log holds a kind of event that this code does not know", field=f"{kind}@{version}")
        return Broken(
            "the log was written by newer code",
            field=f"{kind}@{version}",
            wanted=f"{kind}@{known} or older; start the version that wrote it",
        )
