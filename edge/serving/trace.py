"""W3C trace context, as far as a model server needs it: read `traceparent`, continue it or begin anew. Pure.

Form: `00-<32 hex trace id>-<16 hex span id>-<2 hex flags>`, lower case, neither id all zero; a later version may have
more behind it. A header that is not of that form counts as missing, as the recommendation says: a caller's broken
tracing must not cost it its answer.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@dataclass(frozen=True, slots=True)
class SpanContext:
    """A span's identity: 16 and 8 bytes."""

    trace_id: bytes
    span_id: bytes


def parse(traceparent: str | None) -> SpanContext | None:
    """The context that the header names; None when there is none or it is not of the form."""
    found = _FORM.fullmatch(traceparent) if traceparent else None
    if found is None:
        return None
    version, trace_id, span_id, _, rest = found.groups()
    if version == "ff" or (version == "00" and rest) or not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return SpanContext(bytes.fromhex(trace_id), bytes.fromhex(span_id))


def begin(parent: SpanContext | None, chance: Callable[[int], bytes]) -> SpanContext:
    """A new span: in the parent's trace, or in a trace of its own."""
    return SpanContext(parent.trace_id if parent else chance(16), chance(8))
