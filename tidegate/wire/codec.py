"""Nouns to protobuf messages and back, for every noun at once.

A message mirrors its noun: same name, same fields (`protos/tidegate/v1/`). So one reflective codec serves them all, and
`tests/tidegate/wire/test_codec.py` proves the mirror for each of them. The converters are compiled once per type.

How types map: int `int64`, str `string`, bool `bool`, bytes `bytes`, `StrEnum` an enum whose values carry its name as
prefix, a tuple `repeated`, a dict `map`, `X | None` a message that may be absent, a union of nouns a message with one
`oneof kind`.

What is refused: an absent message without a default, and an enum left unspecified or from a newer peer. Unknown fields
are ignored, as protobuf does; that is how old readers live with new writers.

`encode` is deterministic within one version of protobuf, and a decision's bytes are compared that way on replay.
"""

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Hashable
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar, cast

from google.protobuf.message import DecodeError, Message

from tidegate.model import (
    assignment,
    decision,
    event,
    impact,
    money,
    plan,
    policy,
    quantity,
    reading,
    registry,
    session,
    site,
    sketch,
    workload,
)
from tidegate.model.errors import Refused
from tidegate.v1 import (
    assignment_pb2,
    decision_pb2,
    event_pb2,
    impact_pb2,
    money_pb2,
    plan_pb2,
    policy_pb2,
    quantity_pb2,
    registry_pb2,
    session_pb2,
    site_pb2,
    workload_pb2,
)

Noun = TypeVar("Noun")

_ROOMS: tuple[tuple[types.ModuleType, types.ModuleType], ...] = (
    (quantity, quantity_pb2),
    (site, site_pb2),
    (workload, workload_pb2),
    (policy, policy_pb2),
    (money, money_pb2),
    (registry, registry_pb2),
    (reading, decision_pb2),
    (decision, decision_pb2),
    (plan, plan_pb2),
    (impact, impact_pb2),
    (assignment, assignment_pb2),
    (event, event_pb2),
    (session, session_pb2),
    (sketch, session_pb2),
)

MESSAGES: dict[type, Any] = {
    noun: getattr(messages, name)
    for nouns, messages in _ROOMS
    for name, noun in vars(nouns).items()
    if isinstance(noun, type) and noun.__module__ == nouns.__name__ and dataclasses.is_dataclass(noun)
    if hasattr(messages, name)
}
"""Each noun's message class. A record without a message of its name is local to the process and never travels."""

UNIONS: dict[Any, Any] = {
    event.Event: event_pb2.Event,
    session.AgentSays: session_pb2.AgentSays,
    session.BrokerSays: session_pb2.BrokerSays,
}
"""The closed unions, each with its message."""

_SCALARS = (int, str, bool, bytes)
ToWire = Callable[[Any], Any]
FromWire = Callable[[Any, str], Any]


def to_message(noun: Any) -> Any:
    """The noun as its message."""
    return _to(cast(Hashable, type(noun)))(noun)


def from_message(noun_type: type[Noun], message: Any) -> Noun:
    """The message as a noun of that type. Raises `Refused` with the path of the field that is not as it should be."""
    return cast(Noun, _from(cast(Hashable, noun_type))(message, ""))


def encode(noun: Any) -> bytes:
    """The noun's bytes; equal nouns give equal bytes."""
    return cast(bytes, to_message(noun).SerializeToString(deterministic=True))


def decode(noun_type: type[Noun], data: bytes) -> Noun:
    """The noun in these bytes."""
    return from_message(noun_type, _parse(MESSAGES[noun_type], data))


def union_to_message(union: Any, noun: Any) -> Any:
    """A member of a closed union, as the union's message."""
    return UNIONS[union](**{_snake(type(noun).__name__): to_message(noun)})


def union_from_message(union: Any, message: Any) -> Any:
    """What a union's message holds."""
    kind = message.WhichOneof("kind")
    if kind is None:
        raise Refused("says nothing", field="kind", wanted=f"one of {', '.join(_members(union))}")
    return _from(_members(union)[kind])(getattr(message, kind), f"{kind}.")


def encode_event(happened: event.Event) -> bytes:
    """An event's bytes, as the log keeps them."""
    message: Message = union_to_message(event.Event, happened)
    return message.SerializeToString(deterministic=True)


def decode_event(data: bytes) -> event.Event:
    """The event in these bytes."""
    return cast(event.Event, union_from_message(event.Event, _parse(event_pb2.Event, data)))


def _parse(message_type: Any, data: bytes) -> Any:
    try:
        return message_type.FromString(data)
    except DecodeError as error:
        raise Refused(f"not a {message_type.DESCRIPTOR.name}: {error}", found=data[:16]) from error


@cache
def _members(union: Any) -> dict[str, type]:
    return {_snake(member.__name__): member for member in typing.get_args(union)}


@cache
def _to(noun_type: Any) -> ToWire:
    message_type = MESSAGES[noun_type]
    hints = typing.get_type_hints(noun_type)
    parts = [(field.name, _to_value(hints[field.name])) for field in dataclasses.fields(noun_type)]
    plain = tuple(name for name, convert in parts if convert is None)
    converted: tuple[tuple[str, ToWire], ...] = tuple((name, convert) for name, convert in parts if convert is not None)

    def convert_noun(noun: Any) -> Any:
        values = {name: getattr(noun, name) for name in plain}
        for name, convert in converted:
            value = getattr(noun, name)
            if value is not None:
                values[name] = convert(value)
        return message_type(**values)

    return convert_noun


def _to_value(hint: Any) -> ToWire | None:
    """How one value goes out; None where it goes as it is."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in _SCALARS:
        return None
    if hint in UNIONS:
        return lambda noun: union_to_message(hint, noun)
    if origin is tuple:
        item = _to_value(arguments[0])
        return None if item is None else lambda values: [item(value) for value in values]
    if origin is dict:
        inner = _to_value(arguments[1])
        return None if inner is None else lambda values: {key: inner(value) for key, value in values.items()}
    if origin is types.UnionType:
        return _to_value(_present(arguments)) or (lambda value: value)
    if issubclass(hint, StrEnum):
        prefix = _snake(hint.__name__).upper()
        return lambda member: f"{prefix}_{member.name}"
    return lambda noun: _to(hint)(noun)


@cache
def _from(noun_type: Any) -> FromWire:
    hints = typing.get_type_hints(noun_type)
    parts = [(field.name, _from_field(field, hints[field.name])) for field in dataclasses.fields(noun_type)]

    def convert_message(message: Any, path: str) -> Any:
        return noun_type(**{name: convert(message, path) for name, convert in parts})

    return convert_message


def _from_field(field: dataclasses.Field[Any], hint: Any) -> FromWire:
    """How one field comes in, out of the message that holds it."""
    name = field.name
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    default = _default(field)
    if hint in _SCALARS:
        return lambda message, path: getattr(message, name)
    if hint in UNIONS:
        return lambda message, path: union_from_message(hint, getattr(message, name))
    if origin is tuple:
        inner = _from_item(arguments[0])
        return lambda message, path: tuple(
            inner(value, f"{path}{name}[{index}].") for index, value in enumerate(getattr(message, name))
        )
    if origin is dict:
        inner = _from_item(arguments[1])
        return lambda message, path: {  # a map on the wire has no order, and a fold must come out the same every time
            key: inner(value, f"{path}{name}[{key}].") for key, value in sorted(getattr(message, name).items())
        }
    if origin is types.UnionType:
        inner = _from_item(_present(arguments))
        return lambda message, path: inner(getattr(message, name), f"{path}{name}.") if message.HasField(name) else None
    if issubclass(hint, StrEnum):
        member = _from_enum(hint)

        def enum_value(message: Any, path: str) -> Any:
            number = getattr(message, name)
            if number == 0 and default is not dataclasses.MISSING:
                return default()
            return member(number, f"{path}{name}")

        return enum_value

    def noun_value(message: Any, path: str) -> Any:
        if message.HasField(name):
            return _from(hint)(getattr(message, name), f"{path}{name}.")
        if default is not dataclasses.MISSING:
            return default()
        raise Refused("is missing", field=f"{path}{name}", wanted=f"a {hint.__name__}")

    return noun_value


def _from_item(hint: Any) -> FromWire:
    """How one element of a repeated field or a map comes in."""
    if hint in _SCALARS:
        return lambda value, path: value
    if issubclass(hint, StrEnum):
        member = _from_enum(hint)
        return lambda value, path: member(value, path.rstrip("."))
    return lambda value, path: _from(hint)(value, path)


def _from_enum(enum_type: type[StrEnum]) -> FromWire:
    members = dict(enumerate(enum_type, 1))

    def member(number: int, path: str) -> StrEnum:
        if number not in members:
            raise Refused("is not known", field=path, found=number, wanted=f"one of {', '.join(enum_type)}")
        return members[number]

    return member


def _default(field: dataclasses.Field[Any]) -> Any:
    """A function that gives the field's default, or MISSING where it has none."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory
    if field.default is not dataclasses.MISSING:
        return lambda: field.default
    return dataclasses.MISSING


def _present(arguments: tuple[Any, ...]) -> Any:
    """`X` of `X | None`."""
    return next(argument for argument in arguments if argument is not type(None))


@cache
def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
