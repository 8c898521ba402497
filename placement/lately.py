"""What was worked out lately, kept for whoever asks the same again. Bounded: the oldest goes when a new one comes.

To forget one at a time costs every newcomer a little; to forget everything when it is full would cost one of them a
hundred times that, and those who come after it once more. What is asked for again counts as new.

It keeps answers and knows nothing of them: under what key an answer holds is for the one who puts it to say.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Lately(Generic[Value]):
    """See the module."""

    __slots__ = ("_most", "_values")

    def __init__(self, most: int) -> None:
        """`most`: how many are kept; one at least."""
        self._values: dict[Hashable, Value] = {}
        self._most = max(most, 1)

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable) -> Value | None:
        """What was put under that key, if it has not gone since."""
        found = self._values.pop(key, None)
        if found is not None:
            self._values[key] = found
        return found

    def put(self, key: Hashable, value: Value) -> None:
        """Keep it, in place of what was under that key."""
        values = self._values
        if values.pop(key, None) is None and len(values) >= self._most:
            del values[next(iter(values))]
        values[key] = value

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()
