"""Inputs from inputs: by byte, by word, by number, by nesting, and by the fields of a protobuf message.

All chance is the caller's `Random`: the same seed makes the same inputs on any machine.
"""

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError

NUMBERS = (0, 1, -1, 2, 63, 64, 127, 128, 255, 256, 2**15, 2**16, 2**31 - 1, 2**31, 2**32, 2**53, 2**62, 2**63 - 1)
WRITTEN = (b"0", b"-1", b"1e999", b"1e-999", b"NaN", b"Infinity", b"0.1", b"9" * 30, b"9" * 5_000, b"-0", b"0x10")
TEXTS = (
    "",
    "a",
    "9" * 5_000,
    "-5",
    "1e9",
    "x" * 300,
    "x" * 5_000,
    "../../etc/passwd",
    "\0",
    "\u202e",
    "é",
    "\U0001f600",
    " ",
    "-",
    "a/b",
    "w1",
)
PAIRS = ((b"[", b"]"), (b"{", b"}"), (b'{"a":', b"}"), (b"(", b")"), (b"- ", b""), (b'"', b'"'))
_DIGITS = re.compile(rb"[0-9]+(?:\.[0-9]+)?")
DEPTH = 6


def mutated(random: Random, data: bytes, others: Sequence[bytes], tokens: Sequence[bytes], largest: int) -> bytes:
    """The bytes after one to six changes."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 6))):
        data = random.choice(_CHANGES)(random, data, others, tokens)[:largest]
    return data


def _flip(random: Random, data: bytes, others: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    if not data:
        return bytes([random.randrange(256)])
    at = random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << random.randrange(8))]) + data[at + 1 :]


def _set(random: Random, data: bytes, others: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + bytes([random.choice((0, 1, 10, 32, 34, 45, 58, 127, 128, 255))]) + data[at + 1 :]


def _cut(random: Random, data: bytes, others: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    start, end = _span(random, data)
    return data[:start] + data[end:]


def _double(random: Random, data: bytes, others: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    start, end = _span(random, data)
    return data[:end] + data[start:end] * random.choice((1, 1, 2, 10, 500)) + data[end:]


def _splice(random: Random, data: bytes, others: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    other = random.choice(others) if others else b""
    start, end = _span(random, other)
    at = random.randrange(len(data) + 1)
    return data[:at] + other[start:end] + data[at + random.choice((0, 0, end - start)) :]


def _word(random: Random, data: bytes, others: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    at = random.randrange(len(data) + 1)
    word = random.choice(tokens) if tokens else random.choice(WRITTEN)
    return data[:at] + word + data[at + random.choice((0, 0, len(word))) :]


def _number(random: Random, data: bytes, others: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """A written number becomes another; where none is written, eight bytes become one."""
    found = list(_DIGITS.finditer(data))
    if found and random.random() < 0.8:
        one = random.choice(found)
        return data[: one.start()] + random.choice(WRITTEN) + data[one.end() :]
    width, order = random.choice((1, 2, 4, 8)), random.choice(("little", "big"))
    at = random.randrange(len(data) + 1)
    number = random.choice(NUMBERS) & ((1 << (8 * width)) - 1)
    return data[:at] + number.to_bytes(width, order) + data[at + width :]


def _nest(random: Random, data: bytes, others: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    opening, closing = random.choice(PAIRS)
    depth = random.choice((1, 3, 40, 1_000, 4_000))
    start, end = _span(random, data)
    return data[:start] + opening * depth + data[start:end] + closing * depth + data[end:]


_CHANGES: tuple[Callable[[Random, bytes, Sequence[bytes], Sequence[bytes]], bytes], ...] = (
    *(_flip, _set, _cut, _double, _splice, _splice, _word, _word, _number, _number, _nest),
)


def _span(random: Random, data: bytes) -> tuple[int, int]:
    start = random.randrange(len(data) + 1)
    return start, min(len(data), start + random.choice((1, 2, 4, 8, 32, 200, len(data))))


def by_field(message_type: Any) -> Callable[[Random, bytes], bytes]:
    """A mutation that knows the message in the bytes."""

    def mutation(random: Random, data: bytes) -> bytes:
        try:
            message = message_type.FromString(data)
        except DecodeError:
            message = message_type()
        for _ in range(random.choice((1, 1, 2, 4))):
            change(random, message)
        return bytes(message.SerializeToString(deterministic=True))

    return mutation


def change(random: Random, message: Any, depth: int = 0) -> None:
    """Change one field of the message, or of one under it."""
    fields = message.DESCRIPTOR.fields
    if not fields:
        return
    field = random.choice(fields)
    under = [held for held, _ in message.ListFields() if held.message_type and not _is_map(held)]
    if under and depth < DEPTH and random.random() < 0.7:
        field = random.choice(under)
    if _is_map(field):
        _change_map(random, message, field)
    elif field.is_repeated:
        _change_repeated(random, getattr(message, field.name), field, depth)
    elif random.random() < 0.15:
        message.ClearField(field.name)
    elif field.message_type:
        held = getattr(message, field.name)
        held.SetInParent()
        if depth < DEPTH:
            change(random, held, depth + 1)
    else:
        setattr(message, field.name, _scalar(random, field))


def _change_repeated(random: Random, held: Any, field: FieldDescriptor, depth: int) -> None:
    what = random.random()
    if what < 0.15 and len(held):
        del held[random.randrange(len(held)) :]
    elif what < 0.5 or not len(held):
        times = random.choice((1, 1, 1, 2, 40, 300))
        if not field.message_type:
            held.extend([_scalar(random, field) for _ in range(times)])
        elif len(held):
            held.extend([random.choice(held) for _ in range(min(times, 40))])
        elif depth < DEPTH:
            change(random, held.add(), depth + 1)
    elif field.message_type:
        if depth < DEPTH:
            change(random, random.choice(held), depth + 1)
    else:
        held[random.randrange(len(held))] = _scalar(random, field)


def _change_map(random: Random, message: Any, field: FieldDescriptor) -> None:
    held = getattr(message, field.name)
    entry = field.message_type.fields_by_name
    key = random.choice(sorted(held)) if held and random.random() < 0.6 else _scalar(random, entry["key"])
    if entry["value"].message_type:
        change(random, held[key], DEPTH - 1)
    else:
        held[key] = _scalar(random, entry["value"])


def _is_map(field: FieldDescriptor) -> bool:
    return bool(field.message_type and field.message_type.GetOptions().map_entry)


def _scalar(random: Random, field: FieldDescriptor) -> Any:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            return random.random() < 0.5
        case FieldDescriptor.CPPTYPE_STRING:
            text = random.choice(TEXTS)
            return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text
        case FieldDescriptor.CPPTYPE_ENUM:
            numbers = [value.number for value in field.enum_type.values]
            return random.choice(numbers if field.enum_type.is_closed else [*numbers, 99])
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return random.choice((0.0, -1.0, 1e300, float("nan"), float("inf")))
    width = 32 if field.cpp_type in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_UINT32) else 64
    unsigned = field.cpp_type in (FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64)
    number = random.choice((*NUMBERS, random.randrange(1_000), -(2**63), 2**64 - 1))
    low, high = (0, 2**width - 1) if unsigned else (-(2 ** (width - 1)), 2 ** (width - 1) - 1)
    return min(max(number, low), high)
