"""One value of every noun, by what its fields are: a seed for what reads them."""

import dataclasses
import types
import typing
from enum import StrEnum
from typing import Any

from tidegate.wire.codec import UNIONS


def example(hint: Any, depth: int = 0) -> Any:
    """A small value of that type, with something in every field."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in UNIONS:
        return example(typing.get_args(hint)[0], depth)
    if origin is tuple:
        return (example(arguments[0], depth + 1),) if depth < 8 else ()
    if origin is dict:
        return {"key": example(arguments[1], depth + 1)}
    if origin in (types.UnionType, typing.Union):
        return example(next(one for one in arguments if one is not type(None)), depth) if depth < 8 else None
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        made = {field.name: example(hints[field.name], depth + 1) for field in dataclasses.fields(hint)}
        return typing.cast(Any, hint)(**made)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return next(iter(hint))
    return {int: 7, str: "press-7", bool: True, bytes: b"\x01\x02"}[hint]
