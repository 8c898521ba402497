"""Options that several verbs share."""

import sys
from collections.abc import Callable
from typing import Any

import click

from tidegate.client.client import Client

output = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    show_default=True,
    help="A table for people, or data for programs.",
)


OFFSET = click.IntRange(0, 2**63 - 1)
"""Places in the log, counts of bytes: what a message carries."""
COUNT = click.IntRange(0, 2**31 - 1)


def connect(ctx: click.Context) -> Client:
    """The client for this invocation; closed when the verb is done."""
    client = Client(ctx.obj or "", retry_budget_s=5.0)
    ctx.call_on_close(client.close)
    return client


def files() -> Callable[[Any], Any]:
    """Manifests: files, folders, or `-` for standard input."""
    return click.argument("files", nargs=-1, required=True, type=click.Path(allow_dash=True), metavar="FILE...")


def source(path: str) -> str:
    """What a client takes for a path argument; `-` reads standard input."""
    if path == "-":
        text = str(sys.stdin.read())
        return text if "\n" in text else text + "\n"
    return path
