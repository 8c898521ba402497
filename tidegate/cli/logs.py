"""`tidegate logs`: what a workload printed."""

import click

from tidegate.cli import options, render


@click.command("logs")
@click.argument("workload")
@click.option("-f", "--follow", is_flag=True, help="Stay until the workload ends.")
@click.option("--offset", default=0, type=options.OFFSET, help="Start at this many bytes.")
@click.pass_context
def command(ctx: click.Context, workload: str, follow: bool, offset: int) -> None:
    """What WORKLOAD (id or name) printed, fetched from the site where it runs."""
    for piece in options.connect(ctx).logs(workload, offset=offset, follow=follow):
        render.raw(piece.text)
