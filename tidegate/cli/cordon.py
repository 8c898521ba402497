"""`tidegate cordon`: send no new work to a site."""

import click

from tidegate.cli import options, render


@click.command("cordon")
@click.argument("site")
@click.option("--lift", is_flag=True, help="End the cordon.")
@click.option("--because", default="", help="Recorded in the log.")
@options.output
@click.pass_context
def command(ctx: click.Context, site: str, lift: bool, because: str, output: str) -> None:
    """Send no new work to SITE; what runs there stays."""
    view = options.connect(ctx).cordon(site, lift=lift, because=because)
    if not render.data(view, output):
        render.line(f"{site} is {'cordoned' if view.cordoned else 'open'}")
