"""`tidegate advise`: own or rent, GPU or CPU, which GPU, cloud API or own; with the break-evens."""

import sys
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tidegate import manifests
from tidegate.cli import amounts, options, render
from tidegate.manifests import quantities, values
from tidegate.manifests.kinds import Noun
from tidegate.model.errors import Refused
from tidegate.model.money import PriceBook
from tidegate.model.workload import Workload

if TYPE_CHECKING:
    from placement.money.advise import Advice, BreakEven
    from placement.money.means import Choice

NEVER = -1
DOING = {"own": "owning", "reserve": "reserving", "rent": "renting", "spot": "renting as spot", "api": "calling"}
LATEST = 2**62
"""Where no moment is asked about: the newest version of every book in the files."""


def _service_times(ctx: click.Context, param: click.Parameter, written: tuple[str, ...]) -> dict[str, int]:
    """`DEVICE=TIME`, in microseconds by device."""
    found: dict[str, int] = {}
    for one in written:
        device, _, time = one.partition("=")
        try:
            found[device] = quantities.parse_duration(time)
        except ValueError as error:
            raise click.BadParameter(f"{one!r}: wanted DEVICE={error}", ctx, param) from error
        if not device or not found[device]:
            raise click.BadParameter(f"{one!r}: wanted a device and a time, such as gpu=5ms or cpu=80ms", ctx, param)
    return found


def _peak(ctx: click.Context, param: click.Parameter, written: str) -> Fraction:
    """1 or more: a day's busiest moment is not quieter than its average."""
    try:
        milli = quantities.parse_times(written)
    except ValueError as error:
        raise click.BadParameter(f"{written!r}: wanted {error}", ctx, param) from error
    if milli < 1_000:
        raise click.BadParameter(f"{written!r}: wanted 1 or more", ctx, param)
    return Fraction(milli, 1_000)


def _moment(ctx: click.Context, param: click.Parameter, written: str | None) -> int | None:
    """A date as manifests write it, in ms since the epoch."""
    try:
        return None if written is None else int(values.MOMENT.parse(written))
    except ValueError as error:
        raise click.BadParameter(f"{written!r}: wanted {error}", ctx, param) from error


@click.command("advise")
@options.files()
@click.option(
    "--service-time",
    "times",
    callback=_service_times,
    multiple=True,
    metavar="DEVICE=TIME",
    help="How long one prediction takes on a device: a GPU model, `gpu` or `cpu`. May be given several times.",
)
@click.option(
    "--peak", callback=_peak, default="1", show_default=True, help="The busiest moment, in averages of the day."
)
@click.option("--at", callback=_moment, default=None, help="Which prices: those that hold then. Left out: the newest.")
@options.output
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    times: dict[str, int],
    peak: Fraction,
    at: int | None,
    output: str,
) -> int:
    """Compare owning, renting and calling an API for the workloads in FILE..., by the prices in FILE....

    Where the files hold no PriceBook the broker's books are taken, with the service times it has measured; else no
    broker is needed. For instance: tidegate advise deploy/examples/own-or-rent deploy/prices
    """
    try:
        from placement.money import advise
        from placement.money.books import in_force, merged
    except ModuleNotFoundError as missing:
        raise Refused(
            "advice is the placement engine's, which this installation lacks", wanted="a checkout of Tidegate"
        ) from missing
    nouns = _nouns(files)
    workloads = [noun for noun in nouns if isinstance(noun, Workload)]
    if not workloads:
        wanted = "at least one TrainingJob or InferenceService"
        raise Refused("no workload there", field="FILE", found=", ".join(files), wanted=wanted)
    books = tuple(noun for noun in nouns if isinstance(noun, PriceBook))
    measured: dict[str, dict[str, int]] = {}
    moment = LATEST if at is None else at
    if not books:
        client = options.connect(ctx)
        for workload in workloads:
            told = client.prices(model=workload.inference.model_uri if workload.inference else "")
            books, measured[workload.name] = told.books, told.service_times_us
            moment = told.at if at is None else at
    book = merged(in_force(books, moment))
    if book is None:
        raise Refused("no price holds", field="PriceBook", found=f"{len(books)} books", wanted="one that holds by then")
    advices = [advise.advise(w, book, measured.get(w.name, {}) | times, peak) for w in workloads]
    refs = [one.ref for one in in_force(books, moment)]
    sums = advise.together(advices)
    if not render.data({"price_books": refs, "advice": advices, "together": sums}, output):
        for advice in advices:
            _show(advice)
        if len(advices) > 1:
            render.line("all together", "bold")
            for one in sums:
                lacking = f"  (without {', '.join(one.without)})" if one.without else ""
                render.line(f"  {one.way}  {amounts.dollars(one.per_month)} a month{lacking}")
        render.line(f"prices: {', '.join(refs)}; {'; '.join(book.sources) or 'no source said'}", "dim")
    return 0


def _nouns(files: tuple[str, ...]) -> tuple[Noun, ...]:
    if "-" in files:
        return manifests.load(sys.stdin.read(), source="<stdin>")
    return manifests.load_files([Path(file) for file in files])


def _show(advice: "Advice") -> None:
    render.line(f"{advice.workload}  {advice.kind}", "bold")
    _show_choices(advice.choices)
    if advice.break_evens:
        render.line("break-even", "bold")
        for one in advice.break_evens:
            render.line(f"  {_break_even(one)}")
    if len(advice.sensitivity) > 1:
        render.line("if it were used", "bold")
        for use in advice.sensitivity:
            rest = "".join(f", {one.way} {amounts.dollars(one.per_month)}" for one in use.dearer_ways)
            best = f"{use.best.way} {use.best.name} {amounts.dollars(use.best.per_month)}"
            render.line(f"  {use.percent} %: {best}{rest}")
    _show_models(advice)
    for title, told in (("not found", advice.lacks), ("taken for granted", advice.assumptions)):
        if told:
            render.line(title, "bold")
            for sentence in told:
                render.line(f"  {sentence}", "dim")
    render.line("")


def _show_choices(choices: Iterable["Choice"]) -> None:
    columns = [
        "",
        "way",
        "what",
        "region",
        "device",
        "units",
        "a month",
        "a year",
        "a run",
        "per 1,000",
        "a day at most",
    ]
    render.table(
        "prices that fit",
        columns,
        [
            (
                index,
                one.way,
                one.name,
                one.region or "any",
                one.device,
                one.units or "",
                amounts.dollars(one.per_month),
                amounts.dollars(one.per_year),
                amounts.dollars(one.per_run) if one.per_run else "",
                amounts.dollars(one.per_thousand) if one.per_thousand else "",
                f"{one.carries_per_day:,}" if one.carries_per_day else "",
            )
            for index, one in enumerate(choices, 1)
        ],
        right=["units", "a month", "a year", "a run", "per 1,000", "carries a day"],
    )


def _doing(means: str) -> str:
    """`own node-a` as what one would be doing: `owning node-a`."""
    way, _, name = means.partition(" ")
    return f"{DOING[way]} {name}"


def _break_even(one: "BreakEven") -> str:
    first, second = _doing(one.first), _doing(one.second)
    if one.kind == "hours":
        if one.value == NEVER:
            return f"{first} never costs less than {second}, however long it is used"
        return (
            f"{first} costs no more than {second} from {one.value / 1_000:,.1f} hours a month"
            f" ({one.utilisation_ppm / 10_000:.1f} %, {one.weekly_hours_milli / 1_000:.1f} hours a week);"
            f" now {one.now / 1_000:,.1f}"
        )
    if one.kind == "months":
        if one.value == NEVER:
            return f"{first} never pays for itself against {second}: it costs more to run"
        if one.value > one.now:
            return f"{first} would pay for itself against {second} in month {one.value:,}, but lasts {one.now}"
        return f"{first} has paid for itself against {second} in month {one.value:,} of {one.now}"
    if one.value == NEVER:
        return f"{first} never costs less than {second}, however many predictions"
    return f"{first} costs no more than {second} from {one.value:,} predictions a day; now {one.now:,}"


def _show_models(advice: "Advice") -> None:
    if len(advice.models) < 2:
        return
    render.line("an hour of one GPU, or of one unit without", "bold")
    render.table(
        "devices",
        ["device", "way", "an hour", "what", "region", "service time", "per 1,000, never idle"],
        [
            (
                one.device,
                one.way,
                f"${one.per_gpu_hour / 1_000_000:,.4f}",
                one.name,
                one.region or "any",
                f"{one.service_time_us / 1_000:g} ms" if one.service_time_us else "",
                amounts.dollars(one.per_thousand) if one.per_thousand else "",
            )
            for one in advice.models
        ],
        right=["an hour", "service time", "per 1,000, never idle"],
    )
