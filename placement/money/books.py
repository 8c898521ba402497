"""Books: which price books hold at a moment, and what counts where two of them price the same thing.

    in_force(books, now)   of each name the highest version whose `effective_from` has come, first the one that counts
    merged(books)          one book that says what all of them say
    changes(books)         the moments at which the answer changes; between two of them it is one answer

Order of books: higher `precedence`, then later `effective_from`, then name. Two entries price the same thing where
their keys are equal: (instance type or GPU model, region, pricing) for a price, (from, to) for egress, (jurisdiction,
data class) for an uplift, (pricing, type, region) for availability, the name for an API. The book earlier in the order
is then believed; within a book the last entry is. The idle share is that of the first book that prices what is owned,
or of the first book where none does.

Limits: `check_book` refuses what could not be added up: an hour of a unit over $100,000, a GB over $1,000, a
thousand predictions over $1,000,000, an uplift over the whole price, more than 1,000 interruptions an hour, more than
`MOST_ENTRIES` entries; and what is negative.

Everything here is a pure function of its arguments: a book that was declared for next year changes nothing today, and a
decision of last year, replayed, finds the prices of last year.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from tidegate.model.errors import Refused
from tidegate.model.money import Price, PriceBook
from tidegate.model.site import Pricing

Entry = TypeVar("Entry")

MOST_ENTRIES = 50_000
MOST_MICROS_PER_HOUR = 10**11
MOST_MICROS_PER_GB = 10**9
MOST_MICROS_PER_THOUSAND = 10**12
BACK_MS = 24 * 3_600_000
"""The furthest that a clock is set back."""
MOST_MS = 30 * 24 * 3_600_000
END_OF_DATES_MS = 253_402_300_800_000
"""The year 10,000: a later moment cannot be written as a date."""
WHOLE = 1_000_000


def in_force(books: Iterable[PriceBook], now: int) -> tuple[PriceBook, ...]:
    """Of each name the highest version whose moment has come, in the order in which they are believed."""
    newest: dict[str, PriceBook] = {}
    for book in books:
        if book.effective_from <= now:
            standing = newest.get(book.name)
            if standing is None or standing.version <= book.version:
                newest[book.name] = book
    return tuple(sorted(newest.values(), key=lambda book: (-book.precedence, -book.effective_from, book.name)))


def merged(books: tuple[PriceBook, ...]) -> PriceBook | None:
    """What books say together, in the order in which they are believed; None of none, and one alone as it is."""
    if len(books) < 2:
        return books[0] if books else None
    owning = (book for book in books if any(price.pricing is Pricing.OWNED for price in book.prices))
    return PriceBook(
        name="+".join(book.ref for book in books),
        effective_from=max(book.effective_from for book in books),
        prices=_first(books, lambda book: book.prices, price_key),
        egress=_first(books, lambda book: book.egress, lambda e: (e.source, e.destination)),
        uplifts=_first(books, lambda book: book.uplifts, lambda u: (u.jurisdiction, u.data_class)),
        idle_owned_ppm=next(owning, books[0]).idle_owned_ppm,
        availability=_first(books, lambda book: book.availability, lambda a: (a.pricing, a.instance_type, a.region)),
        apis=_first(books, lambda book: book.apis, lambda api: api.name),
        sources=tuple(dict.fromkeys(source for book in books for source in book.sources)),
    )


def changes(books: Iterable[PriceBook]) -> tuple[int, ...]:
    """The moments at which a book comes into force, each once, in order."""
    return tuple(sorted({book.effective_from for book in books}))


def standing(books: Iterable[PriceBook], now: int) -> tuple[PriceBook, ...]:
    """The books that hold now or may yet hold, by name and version: what is to be kept of all that were declared.

    A book is left out once a higher version of its name has been in force for `BACK_MS`, or comes into force no later
    than it: until then a clock that is set back finds the prices of that moment, and not none.
    """
    by_name: dict[str, list[PriceBook]] = {}
    for book in sorted(books, key=lambda book: (book.name, -book.version)):
        kept = by_name.setdefault(book.name, [])
        if all(max(book.effective_from, now - BACK_MS) < higher.effective_from for higher in kept):
            kept.append(book)
    return tuple(book for kept in by_name.values() for book in reversed(kept))


def price_key(price: Price) -> tuple[str, str, str, Pricing]:
    """What a price is the price of: instance type or, where none is named, GPU model; then region and pricing."""
    return price.instance_type, "" if price.instance_type else price.gpu_model, price.region, price.pricing


def _first(
    books: tuple[PriceBook, ...], of: Callable[[PriceBook], tuple[Entry, ...]], key: Callable[[Entry], Hashable]
) -> tuple[Entry, ...]:
    """The entries of all books, one for each key: of the first book that has it, the last with it."""
    found: dict[Hashable, Entry] = {}
    for book in reversed(books):
        found.update((key(entry), entry) for entry in of(book))
    return tuple(found.values())


def check_book(book: PriceBook) -> None:
    """Raise Refused, naming the field, where a book could not come into force."""
    if book.version < 1:
        raise Refused("counts from 1", field="version", found=book.version)
    if book.currency != "USD":
        raise Refused("is not a currency that amounts are kept in", field="currency", found=book.currency, wanted="USD")
    if not 0 <= book.effective_from < END_OF_DATES_MS:
        raise Refused("is not a moment", field="effective_from", found=book.effective_from, wanted="ms since the epoch")
    for field, numbers in _bounded(book):
        for number, most in numbers:
            if not 0 <= number <= most:
                raise Refused("is out of bounds", field=field, found=number, wanted=f"0 to {most}")


def _bounded(book: PriceBook) -> Iterable[tuple[str, tuple[tuple[int, int], ...]]]:
    """Every number of a book with the most that it may be, by field."""
    entries = (book.prices, book.egress, book.uplifts, book.availability, book.apis)
    yield "entries", ((sum(map(len, entries)), MOST_ENTRIES),)
    yield "idle_owned_ppm", ((book.idle_owned_ppm, WHOLE),)
    yield "precedence", ((book.precedence, 1_000),)
    for index, price in enumerate(book.prices):
        yield f"prices[{index}]", ((price.micros_per_hour, MOST_MICROS_PER_HOUR), *_of_price(price))
    for index, egress in enumerate(book.egress):
        yield (
            f"egress[{index}]",
            ((egress.micros_per_gib, MOST_MICROS_PER_GB), (egress.micros_per_gb, MOST_MICROS_PER_GB)),
        )
    for index, uplift in enumerate(book.uplifts):
        yield f"uplifts[{index}]", ((uplift.ppm, WHOLE),)
    for index, one in enumerate(book.availability):
        yield (
            f"availability[{index}]",
            (
                (one.available_ppm - 1, WHOLE - 1),
                (one.interruptions_ppm_per_hour, 1_000 * WHOLE),
                (one.restart_ms, MOST_MS),
                (one.lost_work_ms, MOST_MS),
            ),
        )
    for index, api in enumerate(book.apis):
        yield f"apis[{index}]", ((api.micros_per_thousand, MOST_MICROS_PER_THOUSAND),)


def _of_price(price: Price) -> Iterable[tuple[int, int]]:
    yield price.micros_per_month, MOST_MICROS_PER_HOUR * 730
    owned = price.owned
    if owned is not None:
        yield owned.purchase_micros, MOST_MICROS_PER_HOUR * 8_760
        yield owned.lifetime_hours, 100 * 8_760
        yield owned.watts, 10_000_000
        yield owned.micros_per_kwh, 1_000 * WHOLE
        yield owned.pue_milli, 100_000
        yield owned.hosting_micros_per_month, MOST_MICROS_PER_HOUR * 730
        yield price.hourly if min(owned.lifetime_hours, owned.watts) >= 0 else 0, MOST_MICROS_PER_HOUR
