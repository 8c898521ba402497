"""`tidegate prices`: the price books that hold, and published tables turned into one."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import yaml

from tidegate.cli import options, render
from tidegate.manifests import output as written
from tidegate.manifests import price_tables, values
from tidegate.model.errors import Refused
from tidegate.model.money import EgressPrice, Price, PriceBook

LISTS = ("prices", "egress")
"""The lists of a book that are written one entry a line."""


@click.group("prices")
def command() -> None:
    """Price books."""


@command.command("list")
@options.output
@click.pass_context
def list_(ctx: click.Context, output: str) -> int:
    """The price books that hold or will hold, as the broker knows them."""
    told = options.connect(ctx).prices()
    books = sorted(told.books, key=lambda book: (book.name, book.version))
    if not render.data(books, output):
        render.table(
            "price books",
            ["book", "from", "holds", "precedence", "prices", "egress", "sources"],
            [
                (
                    book.ref,
                    datetime.fromtimestamp(book.effective_from / 1000, UTC).date(),
                    "yes" if _holds(book, told.books, told.at) else "not yet",
                    book.precedence,
                    len(book.prices),
                    len(book.egress),
                    "; ".join(book.sources),
                )
                for book in books
            ],
            right=["precedence", "prices", "egress"],
        )
    return 0


@command.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="TABLE.csv...")
@click.option("--name", required=True, help="The book's name.")
@click.option(
    "--version", default=1, show_default=True, type=click.IntRange(1, 2**53), help="A higher one replaces a lower one."
)
@click.option("--effective-from", default="1970-01-01", show_default=True, help="The date from which the prices hold.")
@click.option(
    "--source", "sources", multiple=True, required=True, help="Where the table is from, its date and licence."
)
def import_(files: tuple[Path, ...], name: str, version: int, effective_from: str, sources: tuple[str, ...]) -> int:
    """Turn published tables into one PriceBook manifest, on standard output.

    A table of instances has the columns instance_type, region and usd_per_hour, and may have usd_per_hour_spot,
    gpu_model, gpus, vcpus and memory_gib; a table of egress has src, dst and cost (US dollars per GB). Rows that cannot
    be read are left out and named on standard error.
    """
    prices: list[Price] = []
    egress: list[EgressPrice] = []
    for file in files:
        try:
            table = price_tables.read(file.read_text("utf-8-sig"), source=str(file))
        except (OSError, UnicodeDecodeError) as error:
            raise Refused("cannot be read", field=str(file), found=str(error)) from error
        prices += table.prices
        egress += table.egress
        for reason in table.left_out:
            render.progress(f"left out: {reason}")
    book = PriceBook(
        _checked(values.NAME, name, "--name"),
        version,
        effective_from=_checked(values.MOMENT, effective_from, "--effective-from"),
        prices=tuple(prices),
        egress=tuple(egress),
        sources=sources,
    )
    render.raw(manifest(book))
    return 0


def manifest(book: PriceBook) -> str:
    """The book as YAML, an entry to a line, so that two versions of it can be compared by eye."""
    whole: dict[str, Any] = written.document(book)
    lists = {name: whole["spec"].pop(name) for name in LISTS if name in whole["spec"]}
    head = yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=120)
    lines = [head.rstrip("\n")]
    for name, entries in lists.items():
        lines.append(f"  {name}:")
        flow = (yaml.safe_dump(one, sort_keys=False, default_flow_style=True, width=10_000).strip() for one in entries)
        lines += [f"  - {one}" for one in flow]
    return "\n".join(lines) + "\n"


def _holds(book: PriceBook, books: tuple[PriceBook, ...], at: int) -> bool:
    newer = (one for one in books if one.name == book.name and one.version > book.version)
    return book.effective_from <= at and all(one.effective_from > at for one in newer)


def _checked(value: Any, text: str, option: str) -> Any:
    try:
        return value.parse(text)
    except ValueError as error:
        raise Refused("is not as it must be", field=option, found=text, wanted=str(error) or value.wanted) from error
