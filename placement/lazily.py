"""Lazily: a value that is worked out when it is first asked for, and kept in its object's `__dict__`.

As `functools.cached_property`, which takes a lock of its own each time up to Python 3.11: half a microsecond, a dozen
times a decision. Here nobody works in two threads.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


class lazily(Generic[Value]):
    """See the module."""

    def __init__(self, make: Callable[[Any], Value]) -> None:
        self._make, self._name = make, make.__name__
        self.__doc__ = make.__doc__

    def __get__(self, owner: Any, kind: type) -> Value:
        value = owner.__dict__[self._name] = self._make(owner)
        return value
