"""`tidegate drain`: move what can move away from a site."""

import click

from tidegate.cli import options, render


@click.command("drain")
@click.argument("site")
@click.option("--because", default="", help="Recorded in the log.")
@options.output
@click.pass_context
def command(ctx: click.Context, site: str, because: str, output: str) -> None:
    """Cordon SITE and decide again for each service there. What lawfully fits nowhere else stays, and is named."""
    moved = options.connect(ctx).drain(site, because=because)
    if not render.data(moved, output):
        render.table(
            "services to move",
            ["id", "name", "goes to"],
            [(one.workload_id, one.name, ", ".join(one.sites) or "stays: nothing else would do") for one in moved],
        )
