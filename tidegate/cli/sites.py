"""`tidegate sites`: the fleet, or one site with its offers and links."""

import datetime

import click
from rich.text import Text

from tidegate.cli import options, render
from tidegate.client.calls import MeasuredLink
from tidegate.model.event import SiteView
from tidegate.model.site import Offer


@click.command("sites")
@click.argument("site", required=False)
@options.output
@click.pass_context
def command(ctx: click.Context, site: str | None, output: str) -> None:
    """Every site, or SITE with its offers and the round trips measured to it."""
    client = options.connect(ctx)
    if site:
        view, links = client.site(site)
        if not render.data({"site": view, "links": links}, output):
            _detail(view, links)
        return
    views = client.sites()
    if not render.data(views, output):
        render.table(
            "sites",
            ["site", "tier", "state", "jurisdiction", "operator", "engines", "offers", "runs", "generation"],
            [_row(view) for view in views],
        )


def _row(view: SiteView) -> tuple[object, ...]:
    site = view.site
    jurisdiction = site.jurisdiction
    if site.compelled_by != site.jurisdiction:
        jurisdiction += f" (operator {site.compelled_by})"
    state = render.phase(view.state) + (Text(" cordoned", style="yellow") if view.cordoned else Text(""))
    return (
        site.name,
        site.tier.value,
        state,
        jurisdiction,
        site.operator,
        ", ".join(site.engines),
        len(view.observed or site.offers),
        len(view.workloads),
        f"{view.held_generation}/{view.generation}",
    )


def _detail(view: SiteView, links: list[MeasuredLink]) -> None:
    render.table(
        "sites",
        ["site", "tier", "state", "jurisdiction", "operator", "engines", "offers", "runs", "generation"],
        [_row(view)],
    )
    render.line("")
    render.table(
        "offers",
        ["offer", "count", "gpus", "gpu model", "cpus", "memory", "pricing", "device"],
        [_offer(offer) for offer in view.site.offers or view.observed],
    )
    render.line("")
    render.table(
        "measured links",
        ["from", "p50", "p99", "at most", "samples", "measured"],
        [
            (
                link.origin,
                _ms(link.p50_us),
                _ms(link.p99_us),
                _ms(link.bound_us),
                link.samples,
                _moment(link.measured_at),
            )
            for link in links
        ],
        right=["p50", "p99", "at most", "samples"],
    )
    if view.workloads:
        render.line("")
        render.line(f"runs {', '.join(view.workloads)}")


def _ms(us: int) -> str:
    return f"{us / 1000:.2f} ms" if us else ""


def _moment(at_ms: int) -> str:
    return datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC).isoformat(timespec="seconds")


def _offer(offer: Offer) -> tuple[object, ...]:
    resources = offer.resources
    return (
        offer.name,
        f"up to {offer.count}" if offer.elastic else offer.count,
        resources.gpus,
        offer.gpu_model,
        f"{resources.cpus_milli / 1000:g}",
        f"{resources.memory_bytes / 2**30:g} GiB",
        offer.pricing.value,
        offer.device_class,
    )
