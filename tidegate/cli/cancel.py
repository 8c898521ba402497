"""`tidegate cancel`: stop a workload."""

import click

from tidegate.cli import following, options, render


@click.command("cancel")
@click.argument("workload")
@click.option("--because", default="", help="Recorded in the log.")
@click.option("-w", "--wait", is_flag=True, help="Stay until every site has let go.")
@options.output
@click.pass_context
def command(ctx: click.Context, workload: str, because: str, wait: bool, output: str) -> None:
    """Stop WORKLOAD (id or name). A site that cannot be reached stops it when it returns."""
    client = options.connect(ctx)
    view = client.cancel(workload, because=because)
    if wait:
        view = following.until_settled(client, view.id, serving=False)
    if not render.data(view, output):
        render.line(f"{view.workload.name} ({view.id}) is {view.phase}")
