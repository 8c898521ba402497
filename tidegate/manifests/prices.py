"""The part of the table that speaks of money: what a PriceBook may say, and what must hold between its fields.

A price's amount is written in exactly one way (`perHour`, `perMonth` or `owned`). An egress price is written for a GB
or for a GiB, as its source has it: price lists say GB, which is 10**9 bytes, and a GiB is 7.4 % more.
"""

from collections.abc import Hashable, Iterator
from typing import Any

from tidegate.manifests import tree
from tidegate.manifests import values as v
from tidegate.manifests.shapes import MISSING, Field, ListOf, Notes, Record, Schema, Through, Wrong
from tidegate.model.money import ApiPrice, Availability, EgressPrice, Ownership, Price, PriceBook, Uplift
from tidegate.model.site import Pricing


class OneOf(Record):
    """A block in which exactly one of several fields must stand; where all are 0, one is written all the same."""

    __slots__ = ()
    AMOUNTS: dict[type, tuple[tuple[str, ...], str]] = {  # noqa: RUF012
        Price: (("perHour", "perMonth", "owned"), "perHour"),
        EgressPrice: (("perGB", "perGiB"), "perGB"),
    }

    def read(self, node: tree.Node, path: str, notes: Notes) -> Any:
        names, _ = self.AMOUNTS[self.noun]
        given = [name for name in names if isinstance(node, tree.Mapping) and name in node.items]
        if isinstance(node, tree.Mapping) and len(given) != 1:
            said = f"says {' and '.join(given)}" if given else "says no amount"
            notes.note(node.keys[given[1]] if given else node, path, said, hint=f"give one of {', '.join(names)}")
            super().read(node, path, notes)
            return MISSING
        return super().read(node, path, notes)

    def write(self, value: Any) -> Any:
        names, zero = self.AMOUNTS[self.noun]
        block = super().write(value)
        return block if any(name in block for name in names) else block | {zero: "$0.00"}

    def schema(self) -> Schema:
        names, _ = self.AMOUNTS[self.noun]
        return super().schema() | {"oneOf": [{"required": [name]} for name in names]}


def _check_owned(owned: Ownership) -> Iterator[Wrong]:
    if bool(owned.purchase_micros) != bool(owned.lifetime_hours):
        yield Wrong("purchase", "needs lifetime, and lifetime purchase", "over how long it is written off, such as 5y")
    if bool(owned.watts) != bool(owned.micros_per_kwh):
        yield Wrong("watts", "needs perKWh, and perKWh watts")
    if owned.pue_milli < 1_000:
        yield Wrong("pue", "is below 1: a building never draws less than what stands in it")


def _check_price(price: Price) -> Iterator[Wrong]:
    if not price.instance_type and not price.gpu_model:
        yield Wrong("instanceType", "is missing, and gpuModel too: it would be the price of nothing")
    if not price.instance_type and price.resources.gpus:
        yield Wrong("gpus", "needs instanceType", "without it the amount is for each GPU of the model")
    if price.owned is not None and price.pricing is not Pricing.OWNED:
        yield Wrong("owned", "needs pricing: owned")


def _check_availability(one: Availability) -> Iterator[Wrong]:
    if one.available_ppm == 0:
        yield Wrong("available", "is never there", "a share above 0")
    if (one.restart_ms or one.lost_work_ms) and not one.interruptions_ppm_per_hour:
        yield Wrong("interruptionsPerHour", "is missing: nothing would ever be lost")


def _check_uplift(uplift: Uplift) -> Iterator[Wrong]:
    if not uplift.jurisdiction and not uplift.data_class:
        yield Wrong("jurisdiction", "is missing, and dataClass too", "say where it applies, or to what")


def check_prices(book: PriceBook) -> Iterator[Wrong]:
    """No two entries of a book price the same thing."""
    lists: tuple[tuple[str, list[Hashable]], ...] = (
        ("prices", [(p.instance_type or f"one {p.gpu_model}", p.region, p.pricing.value) for p in book.prices]),
        ("egress", [(one.source or "*", one.destination or "*") for one in book.egress]),
        ("uplifts", [(one.jurisdiction, one.data_class) for one in book.uplifts]),
        ("availability", [(a.pricing.value, a.instance_type, a.region) for a in book.availability]),
    )
    for name, keys in lists:
        seen: set[Hashable] = set()
        for index, key in enumerate(keys):
            if key in seen:
                told = ", ".join(str(part) for part in key if part) if isinstance(key, tuple) else str(key)
                yield Wrong(f"spec.{name}[{index}]", f"is given twice for {told}")
            seen.add(key)


OWNED = Record(
    Ownership,
    (
        Field("purchase", v.MONEY, "US dollars that one unit cost.", "purchase_micros"),
        Field("lifetime", v.LIFETIME, "Over which it is written off, such as 5y.", "lifetime_hours"),
        Field("watts", v.integer(0, 10_000_000), "What one unit draws on average.", "watts"),
        Field("perKWh", v.MONEY, "US dollars for a kilowatt-hour.", "micros_per_kwh"),
        Field("pue", v.TIMES, "What the building draws for each watt of it, such as 1.3.", "pue_milli"),
        Field("hosting", v.MONEY, "US dollars a month for space, network and hands.", "hosting_micros_per_month"),
    ),
    _check_owned,
)
PRICE = OneOf(
    Price,
    (
        Field(
            "instanceType",
            v.WORD,
            "The instance type or the offer's name; left out: any with GPUs of gpuModel, priced by the GPU.",
            "instance_type",
        ),
        Field("perHour", v.MONEY, "US dollars per hour for one unit.", "micros_per_hour"),
        Field("perMonth", v.MONEY, "US dollars per month of 730 hours for one unit.", "micros_per_month"),
        Field("owned", OWNED, "What one owned unit cost and what it eats.", "owned"),
        Field("region", v.WORD, "Left out: every region.", "region"),
        Field("pricing", v.choice(Pricing), "How it is paid for.", "pricing"),
        Field("gpuModel", v.TEXT, "The model of its GPUs.", "gpu_model"),
        Field("gpus", v.integer(0, 100_000), "How many GPUs one unit has.", "resources.gpus"),
        Field("gpuMemory", v.BYTES, "Memory on each GPU.", "resources.gpu_memory_bytes"),
        Field("cpus", v.CPUS, "CPUs of one unit.", "resources.cpus_milli"),
        Field("memory", v.BYTES, "Main memory of one unit.", "resources.memory_bytes"),
    ),
    _check_price,
)
REGION = v.text("a region, or * for any", r"\*|[-A-Za-z0-9._/:]+")
EGRESS = Through(
    OneOf(
        EgressPrice,
        (
            Field("from", REGION, "The region left; * is any.", "source", required=True),
            Field("to", REGION, "The region entered; * is any.", "destination", required=True),
            Field("perGB", v.MONEY, "US dollars per GB (10**9 bytes) moved, as price lists have it.", "micros_per_gb"),
            Field("perGiB", v.MONEY, "US dollars per GiB (2**30 bytes) moved.", "micros_per_gib"),
        ),
    ),
    lambda one: EgressPrice(_any(one.source), _any(one.destination), one.micros_per_gib, one.micros_per_gb),
    lambda one: EgressPrice(one.source or "*", one.destination or "*", one.micros_per_gib, one.micros_per_gb),
)
UPLIFT = Record(
    Uplift,
    (
        Field(
            "jurisdiction",
            v.JURISDICTION,
            "The places it applies to; a group such as EEA is all of it. Left out: everywhere.",
            "jurisdiction",
        ),
        Field("dataClass", v.WORD, "The class of data that it applies to. Left out: every class.", "data_class"),
        Field("share", v.PERCENT, "What is added to compute, such as 5%.", "ppm", required=True),
        Field("because", v.TEXT, "Why.", "because"),
    ),
    _check_uplift,
)
AVAILABILITY = Record(
    Availability,
    (
        Field("pricing", v.choice(Pricing), "What is paid for in this way.", "pricing"),
        Field("instanceType", v.WORD, "Left out: every type.", "instance_type"),
        Field("region", v.WORD, "Left out: every region.", "region"),
        Field("available", v.PERCENT, "The share of the time that it is there, such as 99.5%.", "available_ppm"),
        Field(
            "interruptionsPerHour",
            v.OFTEN,
            "How often one unit is taken away in an hour, such as 0.002.",
            "interruptions_ppm_per_hour",
        ),
        Field("restart", v.milliseconds(), "What is paid for until work goes on.", "restart_ms"),
        Field(
            "lostWork",
            v.milliseconds(),
            "What a job does again, unless its checkpointEvery says otherwise.",
            "lost_work_ms",
        ),
        Field("because", v.TEXT, "Where that is known from.", "because"),
    ),
    _check_availability,
)
API = Record(
    ApiPrice,
    (
        Field("name", v.WORD, "Whose service.", "name", required=True),
        Field("perThousand", v.MONEY, "US dollars for a thousand predictions.", "micros_per_thousand", required=True),
        Field("device", v.WORD, "What it computes on, such as gpu or cpu.", "device"),
    ),
)
PRICE_BOOK = (
    Field("currency", v.constant("USD"), "The currency of every amount.", "currency"),
    Field("effectiveFrom", v.MOMENT, "The moment from which it holds.", "effective_from"),
    Field(
        "precedence",
        v.integer(0, 1_000),
        "Where two books price the same thing, the higher one counts.",
        "precedence",
    ),
    Field("sources", ListOf(v.TEXT), "Where the prices were read, and when.", "sources"),
    Field("prices", ListOf(PRICE), "What instances cost.", "prices"),
    Field("egress", ListOf(EGRESS), "What moving data costs.", "egress"),
    Field("uplifts", ListOf(UPLIFT), "What compliance adds.", "uplifts"),
    Field("availability", ListOf(AVAILABILITY), "How often capacity is taken away or missing.", "availability"),
    Field("apis", ListOf(API, distinct="name"), "What others ask for predictions, to compare with.", "apis"),
    Field("idleOwned", v.PERCENT, "The share of its price that idle owned capacity is charged at.", "idle_owned_ppm"),
)


def _any(region: str) -> str:
    return "" if region == "*" else region
