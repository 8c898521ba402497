"""The state as bytes and back: what a snapshot holds, and how a test compares a live state with a replayed one.

    line 1    JSON object: every field of the state, and `holdings`; of workloads and answers their keys alone
    after it  the workloads, one a line, in that order; then the answers

JSON, UTF-8, no spaces; a record is the list of its fields in order, a dictionary keeps its order, bytes are base64.

A workload that has ended and an answer do not change any more. Once written they are held as their lines (`cold.py`),
and a start reads no line but those of what still lives: both cost what changed and what lives, not what ever was.

Field order is the format: whoever changes a record that the state holds, or the fold itself, raises `FORMAT`; older
snapshots are then passed over and the log is replayed.
"""

import base64
import dataclasses
import json
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import cache
from typing import Any

from broker.core.cold import Cold
from broker.core.records import Answer, WorkloadRecord
from broker.core.state import State
from placement.fleet.facts import Holding
from tidegate.model.errors import TidegateError

FORMAT = 16

_DERIVED = ("fleet", "law", "queues")
_LINES = ("workloads", "answers")


def freeze(state: State) -> bytes:
    """The state's bytes: equal states give equal bytes."""
    return b"".join(pieces(state, state.fleet.holdings))


def pieces(state: State, holdings: Mapping[str, Holding]) -> Iterator[bytes]:
    """The same in pieces, one for each record, so that nobody has to stand still for all of them.

    `state` may be a part of one, whose fleet is not asked for what it holds.
    """
    for index, name in enumerate(_kept()):
        value = getattr(state, name)
        yield f"{',' if index else '{'}{_json(name)}:".encode()
        if name in _LINES:
            yield _json(list(value)).encode()
        else:
            yield from _entries(value) if isinstance(value, dict) else (_json(_plain(value)).encode(),)
    yield b',"holdings":['
    for index, (_, holding) in enumerate(sorted(holdings.items())):
        yield f"{',' if index else ''}{_json(_plain(holding))}".encode()
    yield b"]}\n"
    yield from _lines(state.workloads, state.ended, _workload)
    yield from _lines(state.answers, state.answers, _answer)


def _entries(values: dict[str, Any]) -> Iterator[bytes]:
    if isinstance(next(iter(values.values()), None), str | int):
        yield _json(values).encode()
        return
    yield b"{"
    for index, (key, value) in enumerate(values.items()):
        yield f"{',' if index else ''}{_json(key)}:{_json(_plain(value))}".encode()
    yield b"}"


def _lines(values: Cold[Any], settled: Mapping[str, Any], thaw: Callable[[bytes], Any]) -> Iterator[bytes]:
    """A line for each value. Those that are settled are held as their lines from here on."""
    for key in values:
        line = values.kept(key)
        if line is None:
            line = _json(_plain(values[key])).encode()
            if key in settled:
                values.keep(key, line, thaw)
        yield line + b"\n"


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def thaw(data: bytes) -> State:
    """The inverse of `freeze`. ValueError where the bytes are no state of this format."""
    try:
        return _thawed(data)
    except (LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, TidegateError) as error:
        raise ValueError(f"is no state: {error!r}") from error


def _thawed(data: bytes) -> State:
    head, *lines = data.split(b"\n")
    kept = json.loads(head)
    hints = typing.get_type_hints(State)
    holdings = _reader(tuple[Holding, ...])(kept.pop("holdings"))
    workloads, answers = kept.pop("workloads"), kept.pop("answers")
    state = State(**{name: _reader(hints[name])(kept[name]) for name in _kept() if name not in _LINES})
    state.workloads.keep_all(zip(workloads, lines[: len(workloads)], strict=True), _workload)
    for key in workloads:
        if key not in state.ended:
            state.workloads[key] = state.workloads[key]
    state.answers.keep_all(zip(answers, lines[len(workloads) : -1], strict=True), _answer)
    state.rebuild(holdings)
    return state


def _workload(line: bytes) -> WorkloadRecord:
    record: WorkloadRecord = _reader(WorkloadRecord)(json.loads(line))
    return record


def _answer(line: bytes) -> Answer:
    return Answer(*json.loads(line))


def _kept() -> list[str]:
    return [field.name for field in dataclasses.fields(State) if field.name not in _DERIVED]


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return [_plain(getattr(value, name)) for name in _names(value.__class__)]
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


@cache
def _names(record: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(record))


@cache
def _reader(hint: Any) -> Callable[[Any], Any]:
    """How a value of that type comes back."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is dict:
        inner = _reader(arguments[1])
        return lambda value: {key: inner(item) for key, item in value.items()}
    if origin is tuple:
        inner = _reader(arguments[0])
        return lambda value: tuple(inner(item) for item in value)
    if origin in (types.UnionType, typing.Union):
        inner = _reader(next(argument for argument in arguments if argument is not type(None)))
        return lambda value: None if value is None else inner(value)
    if dataclasses.is_dataclass(hint):
        return _record_reader(hint)
    if hint is bytes:
        return base64.b64decode
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint
    return lambda value: value


def _record_reader(record: Any) -> Callable[[Any], Any]:
    hints = typing.get_type_hints(record)
    readers: list[Callable[[Any], Any]] = []

    def read(values: list[Any]) -> Any:
        if not readers:  # filled at first use, since records may hold records of their own kind
            readers.extend(_reader(hints[name]) for name in _names(record))
        return record(*(reader(value) for reader, value in zip(readers, values, strict=True)))

    return read
