"""Published price tables, as CSV, to the entries of a PriceBook. What a table says is known by its header:

| header has | one row is |
|---|---|
| `instance_type`, `region`, `usd_per_hour` | the price of an instance type in a region, on demand |
| and perhaps `usd_per_hour_spot` | a second price, as spot, where it is not empty |
| and perhaps `gpu_model`, `gpus`, `vcpus`, `memory_gib` | what one unit has |
| `src`, `dst`, `cost` | what moving a GB (10**9 bytes) costs; `internet` is anywhere that has no row of its own |

Amounts are US dollars; what is finer than a micro is rounded up. Rows that repeat a key are refused, as a book could
not hold both. A row that cannot be read is left out and told, by file and line: a table of a thousand prices is not
useless because one of its names holds a space. A table of which nothing can be read is refused.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal, InvalidOperation

from tidegate.manifests import values as v
from tidegate.model.errors import Refused
from tidegate.model.money import EgressPrice, Price
from tidegate.model.quantity import MICROS_PER_DOLLAR, Resources
from tidegate.model.site import Pricing

INSTANCES = ("instance_type", "region", "usd_per_hour")
EGRESS = ("src", "dst", "cost")
MOST_ROWS = 50_000
ANYWHERE = "internet"


@dataclass(slots=True)
class Table:
    """What a table held."""

    prices: list[Price] = field(default_factory=list)
    egress: list[EgressPrice] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Why a row could not be taken, as `file:line: reason`."""


def read(text: str, *, source: str) -> Table:
    """The entries of one table; `source` is what errors call it. Raises Refused where it is none."""
    try:
        return _table(csv.DictReader(text.splitlines(), strict=True), source)
    except csv.Error as error:
        raise Refused(f"is no CSV: {error}", field=source) from error


def _table(rows: "csv.DictReader[str]", source: str) -> Table:
    header = tuple(rows.fieldnames or ())
    table, seen = Table(), set[tuple[str, ...]]()
    instances = set(INSTANCES) <= set(header)
    if not instances and not set(EGRESS) <= set(header):
        wanted = f"columns {', '.join(INSTANCES)}, or {', '.join(EGRESS)}"
        raise Refused("is no price table", field=source, found=",".join(header)[:200], wanted=wanted)
    for row in rows:
        where = f"{source}:{rows.line_num}"
        if rows.line_num > MOST_ROWS:
            raise Refused("has too many rows", field=source, wanted=f"at most {MOST_ROWS}")
        try:
            found: list[Price | EgressPrice] = list(_instance(row) if instances else _move(row))
        except ValueError as error:
            table.left_out.append(f"{where}: {error}")
            continue
        for one in found:
            key = _key(one)
            if key in seen:
                raise Refused("is given twice", field=where, found=", ".join(filter(None, key)))
            seen.add(key)
            if isinstance(one, Price):
                table.prices.append(one)
            else:
                table.egress.append(one)
    if not table.prices and not table.egress:
        why = table.left_out[0] if table.left_out else "it has no rows"
        raise Refused(f"holds no price: {why}", field=source)
    return table


def _instance(row: dict[str, str]) -> Iterator[Price]:
    name, region = _word(row, "instance_type"), _word(row, "region")
    gpus = _whole(row, "gpus")
    model = (row.get("gpu_model") or "").strip()
    has = Resources(
        gpus=gpus if model else 0,
        cpus_milli=_whole(row, "vcpus") * 1_000,
        memory_bytes=_whole(row, "memory_gib") * 2**30,
    )
    yield Price(name, _micros(row, "usd_per_hour"), region, Pricing.ON_DEMAND, model, has)
    if (row.get("usd_per_hour_spot") or "").strip():
        yield Price(name, _micros(row, "usd_per_hour_spot"), region, Pricing.SPOT, model, has)


def _move(row: dict[str, str]) -> Iterator[EgressPrice]:
    to = _word(row, "dst")
    yield EgressPrice(_word(row, "src"), "" if to == ANYWHERE else to, micros_per_gb=_micros(row, "cost"))


def _key(one: Price | EgressPrice) -> tuple[str, ...]:
    if isinstance(one, Price):
        return one.instance_type, one.region, one.pricing.value
    return one.source or "*", one.destination or "*"


def _word(row: dict[str, str], column: str) -> str:
    written = (row[column] or "").strip()
    try:
        word: str = v.WORD.parse(written)
    except ValueError:
        raise ValueError(f"{column}: found {written!r}, wanted {v.WORD.wanted}") from None
    return word


def _whole(row: dict[str, str], column: str) -> int:
    written = (row.get(column) or "").strip()
    if written and not (written.isascii() and written.isdigit() and len(written) < 10):
        raise ValueError(f"{column}: found {written!r}, wanted a whole number")
    return int(written or 0)


def _micros(row: dict[str, str], column: str) -> int:
    written = (row[column] or "").strip()
    try:
        amount = Decimal(written)
    except InvalidOperation:
        raise ValueError(f"{column}: found {written!r}, wanted US dollars such as 1.20") from None
    if not amount.is_finite() or not 0 <= amount < 10**6:
        raise ValueError(f"{column}: found {written!r}, wanted US dollars, not negative and below a million")
    return int((amount * MICROS_PER_DOLLAR).to_integral_value(ROUND_CEILING))
