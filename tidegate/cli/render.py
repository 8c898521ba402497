"""The only file that prints: tables for people, JSON or YAML for programs, progress for whoever waits.

Results go to standard output, progress and errors to standard error, so that a pipe carries results alone.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TextIO

import yaml
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from tidegate.cli.plain import plain
from tidegate.model.errors import TidegateError

PIPED_WIDTH = 160
"""Columns where no terminal says how many there are; a pipe should not fold what a screen would show."""


def _console(stream: TextIO, *, stderr: bool = False) -> Console:
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else PIPED_WIDTH)


out = _console(sys.stdout)
err = _console(sys.stderr, stderr=True)

PHASE_STYLE = {
    "running": "green",
    "succeeded": "green",
    "placed": "cyan",
    "preparing": "cyan",
    "starting": "cyan",
    "waiting": "yellow",
    "stopping": "yellow",
    "cancelled": "yellow",
    "failed": "red",
    "refused": "red",
    "joined": "green",
    "unknown": "yellow",
    "declared": "dim",
}


def data(value: Any, output: str) -> bool:
    """Prints `value` for a program where `output` asks for it; says whether it did."""
    if output == "json":
        out.print_json(json.dumps(plain(value))) if out.is_terminal else print(json.dumps(plain(value), indent=2))
    elif output == "yaml":
        print(yaml.safe_dump(plain(value), sort_keys=False, allow_unicode=True), end="")
    return output != "table"


def record(value: Any, output: str) -> bool:
    """As `data`, for one of many that arrive one by one: JSON one to a line, YAML one to a document."""
    if output == "json":
        print(json.dumps(plain(value)), flush=True)
    elif output == "yaml":
        print("---")
        print(yaml.safe_dump(plain(value), sort_keys=False, allow_unicode=True), end="", flush=True)
    return output != "table"


def line(text: str | Text, style: str = "") -> None:
    """One line of a result; a long one is left to the terminal to fold."""
    out.print(text if isinstance(text, Text) else Text(text, style=style), soft_wrap=True)


def raw(text: str) -> None:
    """Text as it is, a workload's own output for instance."""
    out.file.write(text)
    out.file.flush()


def show(renderable: RenderableType) -> None:
    """Anything that rich can draw."""
    out.print(renderable)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> None:
    """A table without ruling; columns named in `right` hold numbers. Nothing to show is said in words."""
    rows = list(rows)
    if not rows:
        out.print(Text(f"no {title}", style="dim"))
        return
    drawn = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        drawn.add_column(column.upper(), justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(cell if isinstance(cell, Text) else phase(str(cell)) for cell in row))
    out.print(drawn)


def phase(word: str) -> Text:
    """A word in the colour of its state, if it is one."""
    return Text(word, style=PHASE_STYLE.get(word, ""))


def progress(text: str) -> None:
    """One line for whoever waits."""
    err.print(Text(text, style="dim"), soft_wrap=True)


def waiting(text: str) -> AbstractContextManager[Any]:
    """A spinner on a terminal, one line elsewhere, for what takes longer than a second."""
    if err.is_terminal:
        return err.status(text)
    err.print(text)
    return _quiet()


def error(problem: TidegateError) -> None:
    """What was wrong, where, and what would be right."""
    err.print(Text("error: ", style="bold red") + Text(str(problem)), soft_wrap=True)


class _quiet(AbstractContextManager[None]):
    """A spinner that is not drawn."""

    def __exit__(self, *_: object) -> None:
        """Nothing to take down."""
