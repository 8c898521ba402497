"""Messages to nouns, for every noun and every union that crosses a wire, and errors to statuses and back."""

import typing
from functools import cache
from random import Random
from typing import Any

import grpc

from tests.fuzzing.made import example
from tests.fuzzing.mutation import by_field
from tests.fuzzing.target import Target
from tidegate.model.errors import Broken, Conflict, NotFound, Refused, TidegateError, Unavailable
from tidegate.wire import codec
from tidegate.wire.status import code_of, error_of, trailers_of

FAMILIES = (Refused, NotFound, Conflict, Unavailable, Broken)
MOST_METADATA = 6_000
"""Bytes of an error's trailers: gRPC peers take 8 KiB of metadata, and other trailers stand beside ours."""


def nouns(data: bytes) -> None:
    """The first byte says which noun or union; what is read is written and read as the same."""
    kinds = _kinds()
    kind, rest = kinds[data[0] % len(kinds)] if data else kinds[0], data[1:]
    if kind in codec.UNIONS:
        noun = codec.union_from_message(kind, codec._parse(codec.UNIONS[kind], rest))
        written = codec.union_to_message(kind, noun).SerializeToString(deterministic=True)
        again = codec.union_from_message(kind, codec._parse(codec.UNIONS[kind], written))
    else:
        noun = codec.decode(kind, rest)
        again = codec.decode(kind, codec.encode(noun))
    assert again == noun


def statuses(data: bytes) -> None:
    """What a peer answers becomes an error of ours; an error of ours fits into what a peer takes."""
    text = data[2:].decode(errors="replace")
    family = FAMILIES[data[0] % len(FAMILIES)] if data else Refused
    error = family("is not as it should be", field=text, found=text, wanted=text)
    trailers = trailers_of(error)
    size = sum(len(key) + len(value) + 32 for key, value in trailers)
    assert size <= MOST_METADATA, f"{size} bytes of trailers"
    back = error_of(_Failed(code_of(error), error.message, trailers))
    assert type(back) is family
    code = list(grpc.StatusCode)[data[1] % len(grpc.StatusCode)] if len(data) > 1 else grpc.StatusCode.OK
    pairs = [line.partition("=") for line in text.split("\n")]
    given = tuple(
        (f"tidegate-{key}", value.encode() if index % 2 else value) for index, (key, _, value) in enumerate(pairs)
    )
    found = error_of(_Failed(code, text, given))
    assert isinstance(found, TidegateError)
    str(found)


class _Failed:
    """A failed call, as far as `error_of` looks at it."""

    def __init__(self, code: grpc.StatusCode, details: str, trailers: Any) -> None:
        self._code, self._details, self._trailers = code, details, trailers

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> Any:
        return self._trailers


@cache
def _kinds() -> tuple[Any, ...]:
    return (*codec.UNIONS, *sorted(codec.MESSAGES, key=lambda noun: noun.__name__))


def noun_seeds() -> list[bytes]:
    found: list[bytes] = []
    for number, kind in enumerate(_kinds()):
        if kind in codec.UNIONS:
            for member in typing.get_args(kind):
                message = codec.union_to_message(kind, example(member))
                found.append(bytes([number]) + message.SerializeToString(deterministic=True))
        else:
            found.append(bytes([number]) + codec.encode(example(kind)))
    return found


def noun_mutation(random: Random, data: bytes) -> bytes:
    kinds = _kinds()
    number = data[0] % len(kinds) if data else random.randrange(len(kinds))
    kind = kinds[number]
    return bytes([number]) + by_field(codec.UNIONS.get(kind) or codec.MESSAGES[kind])(random, data[1:])


def status_seeds() -> list[bytes]:
    return [
        b"\0\3field=site\nfound=press-7\nwanted=a name",
        b"\3\16retry-after-ms=500",
        b"\1\5" + "\U0001f600é ".encode() * 300,
    ]


TARGETS = (
    Target("nouns", nouns, noun_seeds, mutation=noun_mutation),
    Target("statuses", statuses, status_seeds, tokens=(b"field=", b"found=", b"retry-after-ms=", b"%", b"%ff", b"\n")),
)
