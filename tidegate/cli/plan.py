"""`tidegate plan`: the decision that `submit` would record, without recording it."""

from dataclasses import replace

import click

from tidegate.cli import explanation, options, planned, render
from tidegate.cli.main import REFUSED_DECISION
from tidegate.client.submission import workload_of
from tidegate.model.decision import Outcome


@click.command("plan")
@options.files()
@click.option("--together", is_flag=True, help="Plan the workloads of all FILEs as one batch, to the least sum.")
@click.option("--matrix", is_flag=True, help="Every rule by every candidate, not only the refusals.")
@options.output
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...], together: bool, matrix: bool, output: str) -> int:
    """Where would the workload in FILE run, and why? Nothing is recorded; exits 1 where it would be refused.

    With --together: where would all of them best run at once, what does that come to, and how far is it from the least
    that is possible?
    """
    if together:
        return _jointly(ctx, files, output)
    if len(files) != 1:
        raise click.UsageError("one FILE, or several with --together")
    source = options.source(files[0])
    answer = options.connect(ctx).plan(source, advise=True)
    if not render.data(answer, output):
        workload = workload_of(source).workload
        decision = replace(answer.decision, relaxations=answer.cheaper or answer.decision.relaxations)
        explanation.show(workload.name, decision, workload=workload, matrix=matrix)
        planned = f"{answer.revision}@{answer.decision.decided_at}"
        render.line(f"submit --if-revision {planned} gives this answer or none", "dim")
    return REFUSED_DECISION if answer.decision.outcome is Outcome.REFUSED else 0


def _jointly(ctx: click.Context, files: tuple[str, ...], output: str) -> int:
    proposed = options.connect(ctx).propose_plan(together=[options.source(file) for file in files])
    if not render.data(proposed, output):
        planned.show_joint(proposed)
    return REFUSED_DECISION if proposed.plan.staying else 0
