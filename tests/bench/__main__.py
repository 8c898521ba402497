"""Runs every benchmark, or those named, and prints the table of each: `python -m tests.bench [decisions submits ...]`.

What follows a name and starts with `--` is that bench's own: `python -m tests.bench packing --parts`. Under each
table stands what it took of the processor, its own processes counted in, and of the clock.
"""

import importlib
import os
import sys
import time

from rich.console import Console
from rich.table import Table

BENCHES = ("decisions", "audits", "packing", "money", "submits", "inference", "drain", "recovery", "storm")


def main(names: list[str]) -> None:
    """Prints each bench's table as it ends; a bench that cannot run says so by failing."""
    options = names[1:] if len(names) > 1 and names[1].startswith("--") else []
    for name in names[:1] if options else names or BENCHES:
        print(f"running {name}", file=sys.stderr)
        began, had = time.perf_counter(), _cpu()
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", title_justify="left")
        for column, ratio in (("WHAT", 2), ("FIGURE", 2), ("BESIDE", 3)):
            table.add_column(column, overflow="fold", ratio=ratio)
        for row in importlib.import_module(f"tests.bench.{name}").rows(*([options] if options else [])):
            print(f"  {row.what}: {row.figure}", file=sys.stderr, flush=True)
            table.add_row(row.what, row.figure, row.beside)
        console = Console(width=150)
        console.print(table)
        console.print(f"[dim]{name}: {_cpu() - had:.0f} s of CPU in {time.perf_counter() - began:.0f} s[/dim]\n")


def _cpu() -> float:
    """Seconds that this process and the children that have ended had a CPU."""
    return sum(os.times()[:4])


if __name__ == "__main__":
    main(sys.argv[1:])
