"""The one table from error family to gRPC status, and back.

The status' text is the message. What else an error knows (its field, what was found, what was wanted, how long to wait)
travels in trailing metadata under `tidegate-*` keys, percent-encoded since metadata is ASCII. A peer takes 8 KiB of
metadata and drops the whole answer beyond that, so each of them is cut at `MOST_ENCODED` characters as encoded, and the
message at `MOST_MESSAGE`, which gRPC encodes likewise.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, unquote

import grpc

from tidegate.model.errors import Broken, Conflict, NotFound, Refused, TidegateError, Unavailable
from tidegate.wire.channel import MAX_MESSAGE_BYTES

TABLE: tuple[tuple[type[TidegateError], grpc.StatusCode], ...] = (
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (Conflict, grpc.StatusCode.FAILED_PRECONDITION),
    (Refused, grpc.StatusCode.INVALID_ARGUMENT),
    (Unavailable, grpc.StatusCode.UNAVAILABLE),
    (Broken, grpc.StatusCode.INTERNAL),
)
"""First match wins, so subclasses stand before their family."""

_UNANSWERED = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
    }
)
"""Statuses that come back as `Unavailable`: the same request, with the same idempotency key, may be sent again."""
_TOO_LARGE = "larger than max"
"""How gRPC itself says, on either side, that a message will never pass. It has no status of its own for that."""
_FIELDS = ("field", "found", "wanted")
MOST_ENCODED = 1_024
MOST_MESSAGE = 512
"""Characters; as encoded at most nine times that."""
Metadata = tuple[tuple[str, str], ...]


def code_of(error: TidegateError) -> grpc.StatusCode:
    """The status that a family answers with."""
    return next(code for family, code in TABLE if isinstance(error, family))


def trailers_of(error: TidegateError) -> Metadata:
    """What the error knows beside its message."""
    trailers = []
    for name in _FIELDS:
        value = getattr(error, name)
        if value not in (None, ""):
            trailers.append((f"tidegate-{name}", _encoded(str(value)[:MOST_ENCODED])))
    if isinstance(error, Unavailable) and error.retry_after_ms:
        trailers.append(("tidegate-retry-after-ms", str(error.retry_after_ms)))
    return tuple(trailers)


def _encoded(text: str) -> str:
    """The text as metadata, cut between two characters where it would be too long."""
    encoded = quote(text, safe=" /.,:@[]")
    while len(encoded) > MOST_ENCODED:
        text = text[: len(text) * MOST_ENCODED // len(encoded)]
        encoded = quote(text, safe=" /.,:@[]")
    return encoded


def error_of(error: Any) -> TidegateError:
    """A failed call (a `grpc.RpcError`) as an error of ours. Whatever our table does not know is `Broken`."""
    code: grpc.StatusCode = error.code()
    details: str = error.details() or code.name.lower()
    known = _read(error.trailing_metadata() or ())
    wait = known.pop("retry-after-ms", "0")
    retry_after_ms = int(wait) if wait.isascii() and wait.isdecimal() and len(wait) < 16 else 0
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in details:
        return Refused("too large a message", found=details, wanted=f"at most {MAX_MESSAGE_BYTES} bytes")
    if code in _UNANSWERED:
        return Unavailable(details, **known, retry_after_ms=retry_after_ms)
    family = next((family for family, status in TABLE if status is code), Broken)
    return family(details, **known)


def _read(trailers: Iterable[tuple[str, str | bytes]]) -> dict[str, str]:
    prefix = "tidegate-"
    return {
        key.removeprefix(prefix): unquote(value if isinstance(value, str) else value.decode(errors="replace"))
        for key, value in trailers
        if key.removeprefix(prefix) in (*_FIELDS, "retry-after-ms") and key.startswith(prefix)
    }
