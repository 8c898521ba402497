"""Runs every benchmark, or those named, and prints one table: `python -m tests.bench [decisions submits ...]`.

What follows a name and starts with `--` is that bench's own: `python -m tests.bench packing --all-variants`.
"""

import importlib
import sys

from rich.console import Console
from rich.table import Table

BENCHES = ("decisions", "packing", "money", "submits", "inference", "drain")


def main(names: list[str]) -> None:
    """Prints the table; a bench that cannot run says so by failing."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("WHAT", "FIGURE", "BESIDE"):
        table.add_column(column, overflow="fold")
    options = names[1:] if len(names) > 1 and names[1].startswith("--") else []
    for name in names[:1] if options else names or BENCHES:
        print(f"running {name}", file=sys.stderr)
        for row in importlib.import_module(f"tests.bench.{name}").rows(*([options] if options else [])):
            table.add_row(row.what, row.figure, row.beside)
    Console(width=150).print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
