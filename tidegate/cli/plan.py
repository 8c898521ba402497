"""`tidegate plan`: the decision that `submit` would record, without recording it."""

import click

from tidegate.cli import explanation, options, render
from tidegate.cli.main import REFUSED_DECISION
from tidegate.client.submission import workload_of
from tidegate.model.decision import Outcome


@click.command("plan")
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--matrix", is_flag=True, help="Every rule by every candidate, not only the refusals.")
@options.output
@click.pass_context
def command(ctx: click.Context, file: str, matrix: bool, output: str) -> int:
    """Where would the workload in FILE run, and why? Nothing is recorded; exits 1 where it would be refused."""
    source = options.source(file)
    planned = options.connect(ctx).plan(source)
    if not render.data(planned, output):
        explanation.show(workload_of(source).workload.name, planned.decision, matrix=matrix)
        render.line(f"submit --if-revision {planned.revision} gives this answer or none", "dim")
    return REFUSED_DECISION if planned.decision.outcome is Outcome.REFUSED else 0
