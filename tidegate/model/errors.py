"""The three families that every error belongs to, and what each family obliges its catcher to do.

`Refused`: your request; say what was wrong, where, and what would be right. Never retried as it is.
`Unavailable`: the world; a link, a disk, a peer. The rim retries, with a bound.
`Broken`: us; an impossible state, a failed sync. The process writes the story and ends.

Nothing else is raised on purpose. `tidegate.wire.status` holds the one table from family to gRPC status.
"""


class TidegateError(Exception):
    """The common root; never raised itself."""

    def __init__(self, message: str, *, field: str = "", found: object = None, wanted: str = "") -> None:
        """`field` is a dotted path into the request; `found` what stood there; `wanted` what would be right."""
        super().__init__(message)
        self.message = message
        self.field = field
        self.found = found
        self.wanted = wanted

    def __str__(self) -> str:
        parts = [f"{self.field}: {self.message}" if self.field else self.message]
        if self.found is not None:
            parts.append(f"found {self.found!r}")
        if self.wanted:
            parts.append(f"wanted {self.wanted}")
        return ", ".join(parts)


class Refused(TidegateError):
    """The request cannot be met as it stands, and asking again unchanged will not help."""


class NotFound(Refused):
    """The request names something that is not there."""


class Conflict(Refused):
    """The request was right once; the state has moved since (a revision, a name in use, a key reused)."""


class Unavailable(TidegateError):
    """The world did not answer; the same request may succeed later. `retry_after_ms` is a hint, 0 for none."""

    def __init__(
        self, message: str, *, field: str = "", found: object = None, wanted: str = "", retry_after_ms: int = 0
    ) -> None:
        super().__init__(message, field=field, found=found, wanted=wanted)
        self.retry_after_ms = retry_after_ms


class Broken(TidegateError):
    """A promise of ours does not hold. The process ends after writing what it knows."""
