"""`tidegate trace`: the waterfall of a workload, from submit to prediction."""

import click

from tidegate.cli import options, render, waterfall
from tidegate.model.errors import NotFound


@click.command("trace")
@click.argument("workload", default="")
@click.option("--id", "trace_id", default="", help="One trace by its id, instead of a workload's.")
@click.option("--linked/--alone", default=True, help="Also the traces that link here, predictions for instance.")
@click.option("--limit", default=60, type=options.COUNT, show_default=True, help="At most this many spans.")
@options.output
@click.pass_context
def command(ctx: click.Context, workload: str, trace_id: str, linked: bool, limit: int, output: str) -> None:
    """Draw the spans of WORKLOAD (id or name): late arrivals and a device's away windows are marked."""
    if bool(workload) == bool(trace_id):
        raise click.UsageError("name a WORKLOAD, or a trace with --id")
    client = options.connect(ctx)
    answer = client.trace(workload, trace_id=trace_id, linked=linked, limit=limit)
    if not answer.spans:
        if workload:
            client.get(workload)  # a name that nobody has is a mistake of another kind
        raise NotFound("no spans yet", field="workload" if workload else "trace_id", found=workload or trace_id)
    if not render.data(answer, output):
        render.show(waterfall.draw(list(answer.spans), list(answer.away)))
