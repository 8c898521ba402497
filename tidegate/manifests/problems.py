"""What is wrong with a manifest: one record per mistake, and the error that carries them all.

A reader that stops at the first mistake makes its user run it ten times. So readers note problems and go on; whoever
holds the list at the end raises it whole. Problems are data: prose is made in `Problem.__str__` alone.
"""

from dataclasses import dataclass

from tidegate.model.errors import Refused

MOST_PROBLEMS = 200
"""Told of one file: whoever has more has one that repeats."""
LONGEST_FOUND = 60
"""Characters of the user's own text that a message repeats."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake, where it stands, and what would be right."""

    source: str
    """The file's name as the user gave it."""
    line: int
    """From 1; 0 where the file as a whole is meant."""
    column: int
    """From 1; 0 where the file as a whole is meant."""
    field: str
    """Dotted path, `spec.offers[0].count`; empty where the document as a whole is meant."""
    message: str = ""
    found: str = ""
    wanted: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """`file:line: field: message, found "this", wanted that; hint`, without the parts that are empty."""
        place = f"{self.source}:{self.line}" if self.line else self.source
        found = f'found "{_short(self.found)}"' if self.found else ""
        wanted = f"wanted {self.wanted}" if self.wanted else ""
        said = ", ".join(part for part in (self.message, found, wanted) if part)
        said = f"{said}; {self.hint}" if self.hint else said
        return ": ".join(part for part in (place, self.field, said) if part)


class Enough(Exception):
    """`MOST_PROBLEMS` are noted; the rest of the file is not looked at."""


class ManifestError(Refused):
    """Everything that is wrong with the manifests given, in the order in which it stands there."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        first = problems[0]
        super().__init__(first.message or "not as it must be", field=first.field, found=first.found or None)
        self.problems = problems

    def __str__(self) -> str:
        """One line for each problem."""
        return "\n".join(str(problem) for problem in self.problems)


def _short(text: str) -> str:
    flat = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return flat if len(flat) <= LONGEST_FOUND else f"{flat[:LONGEST_FOUND]}..."
