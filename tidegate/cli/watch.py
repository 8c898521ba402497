"""`tidegate watch`: follow a workload until it ends."""

import click

from tidegate.cli import following, options, render
from tidegate.cli.main import REFUSED_DECISION


@click.command("watch")
@click.argument("workload")
@options.output
@click.pass_context
def command(ctx: click.Context, workload: str, output: str) -> int:
    """Follow WORKLOAD (id or name) until it ends; exits 1 where it failed or was refused. Ctrl-C leaves it alone.

    With -o json one change to a line, with -o yaml one to a document.
    """
    client = options.connect(ctx)
    if output == "table":
        phase = following.until_settled(client, workload, serving=False).phase
    else:
        for view in client.watch(workload):
            render.record(view, output)
            phase = view.phase
    return REFUSED_DECISION if phase in {"failed", "refused"} else 0
