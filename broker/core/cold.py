"""A dictionary of which most values are kept as the bytes that a snapshot has of them.

What has ended and what was answered is kept for years and seldom asked for: as bytes it takes a tenth of the room, a
snapshot writes it as it is, and a start reads none of it. A value becomes an object when it is asked for, each time
anew; putting a value takes the place of its bytes. Nobody who reads sees a difference, so equality is that of values.
"""

from collections.abc import Callable, Container, Iterable, Iterator
from typing import Any, Self, TypeVar

V = TypeVar("V")


class Cold(dict[str, V]):
    """As a `dict` with values that are never bytes themselves. `thaw` makes a value of its bytes."""

    __slots__ = ("_thaw",)

    _thaw: Callable[[bytes], V]

    def keep(self, key: str, data: bytes, thaw: Callable[[bytes], V]) -> None:
        """Hold these bytes in place of the value that they stand for; a key keeps its place in the order."""
        self._thaw = thaw
        super().__setitem__(key, data)  # type: ignore[assignment]

    def keep_all(self, lines: Iterable[tuple[str, bytes]], thaw: Callable[[bytes], V]) -> None:
        """The same for many at once."""
        self._thaw = thaw
        super().update(lines)  # type: ignore[arg-type]

    def kept(self, key: str) -> bytes | None:
        """The bytes held for a key, None where a value is."""
        held: Any = super().__getitem__(key)
        return held if type(held) is bytes else None

    def copy(self) -> Self:
        """A shallow copy, as cold as this one."""
        copied: Self = type(self)()
        if hasattr(self, "_thaw"):
            copied._thaw = self._thaw
        for key in self:
            dict.__setitem__(copied, key, dict.__getitem__(self, key))
        return copied

    def __getitem__(self, key: str) -> V:
        return self._value(super().__getitem__(key))

    def __iter__(self) -> Iterator[str]:
        """Overridden so that `dict(this)` and `{**this}` ask for values and do not take bytes."""
        return super().__iter__()

    def get(self, key: str, default: V | None = None) -> V | None:  # type: ignore[override]
        held = super().get(key)
        return default if held is None else self._value(held)

    def pop(self, key: str, *default: Any) -> Any:
        return self._value(super().pop(key, *default))

    def values(self) -> Iterator[V]:  # type: ignore[override]
        """One pass over the values."""
        return map(self._value, super().values())

    def items(self) -> Iterator[tuple[str, V]]:  # type: ignore[override]
        """One pass over keys and values."""
        return ((key, self._value(held)) for key, held in super().items())

    def without(self, keys: Container[str]) -> Iterator[V]:
        """One pass over the values of all other keys; those of these keys stay cold."""
        return (self._value(held) for key, held in super().items() if key not in keys)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, dict) and len(self) == len(other) and all(other.get(k) == v for k, v in self.items())

    def __ne__(self, other: object) -> bool:
        return not self == other

    def _value(self, held: Any) -> V:
        return self._thaw(held) if type(held) is bytes else held
