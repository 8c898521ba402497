"""What was worked out lately, kept for whoever asks the same again. Bounded: when it is full, the oldest tenth goes.

To forget everything then would cost whoever comes next a hundred times what one answer takes to forget, and those who
come after it their answers once more; to forget one at a time would make every newcomer go through what nobody has
looked at for long. What is put again counts as new.

It keeps answers and knows nothing of them: under what key an answer holds is for the one who puts it to say.
"""

from collections.abc import Hashable
from itertools import islice
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
        return self._values.get(key)

    def put(self, key: Hashable, value: Value) -> None:
        """Keep it, in place of what was under that key."""
        values = self._values
        if values.pop(key, None) is None and len(values) >= self._most:
            for old in list(islice(values, -(-self._most // 10))):
                del values[old]
        values[key] = value

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()
