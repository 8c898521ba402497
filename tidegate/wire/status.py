"""The one table from error family to gRPC status, and back.

The status' text is the message. What else an error knows (its field, what was found, what was wanted, how long to wait)
travels in trailing metadata under `tidegate-*` keys, percent-encoded since metadata is ASCII.
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
            trailers.append((f"tidegate-{name}", quote(str(value)[:1024], safe=" /.,:@[]")))
    if isinstance(error, Unavailable) and error.retry_after_ms:
        trailers.append(("tidegate-retry-after-ms", str(error.retry_after_ms)))
    return tuple(trailers)


def error_of(error: Any) -> TidegateError:
    """A failed call (a `grpc.RpcError`) as an error of ours. Whatever our table does not know is `Broken`."""
    code: grpc.StatusCode = error.code()
    details: str = error.details() or code.name.lower()
    known = _read(error.trailing_metadata() or ())
    retry_after_ms = int(known.pop("retry-after-ms", "0"))
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in details:
        return Refused("too large a message", found=details, wanted=f"at most {MAX_MESSAGE_BYTES} bytes")
    if code in _UNANSWERED:
        return Unavailable(details, **known, retry_after_ms=retry_after_ms)
    family = next((family for family, status in TABLE if status is code), Broken)
    return family(details, **known)


def _read(trailers: Iterable[tuple[str, str | bytes]]) -> dict[str, str]:
    prefix = "tidegate-"
    return {
        key.removeprefix(prefix): unquote(value if isinstance(value, str) else value.decode())
        for key, value in trailers
        if key.removeprefix(prefix) in (*_FIELDS, "retry-after-ms") and key.startswith(prefix)
    }
