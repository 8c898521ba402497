"""`tidegate explain`: why here, why not there."""

import click

from tidegate.cli import explanation, options, prospects, render


@click.command("explain")
@click.argument("workload")
@click.option(
    "--at",
    "at_offset",
    default=0,
    type=options.OFFSET,
    metavar="OFFSET",
    help="The decision that stood at this offset of the log.",
)
@click.option("--matrix", is_flag=True, help="Every rule by every candidate, not only the refusals.")
@options.output
@click.pass_context
def command(ctx: click.Context, workload: str, at_offset: int, matrix: bool, output: str) -> None:
    """The decision for WORKLOAD (id or name): every verdict, the price, the runner-up, the smallest change."""
    view, decision = options.connect(ctx).explain(workload, at_offset=at_offset)
    if not render.data(decision, output):
        explanation.show(f"{view.workload.name} ({view.id})", decision, workload=view.workload, matrix=matrix)
        for line in prospects.lines(view.waiting) if view.waiting and not at_offset else ():
            render.line(f"  {line}", "yellow")
