"""`tidegate audit`: the log judged again, and what stands now."""

import click

from tidegate.cli import options, render, replay
from tidegate.cli.main import REFUSED_DECISION


@click.group("audit")
def command() -> None:
    """Judge what was decided and what stands."""


command.add_command(replay.command)


@command.command("verify")
@options.output
@click.pass_context
def verify(ctx: click.Context, output: str) -> int:
    """Judge the log's whole chain, and everything that stands now: room, law in force, the books that are kept.

    Exits 1 where something is wrong.

    The judges share no code with the engine that placed it.
    """
    with render.waiting("judging what stands"):
        answer = options.connect(ctx).verify()
    if not render.data(answer, output):
        for finding in answer.findings:
            render.line(f"  {finding.about}: {finding.text}", "red")
        wrong = len(answer.findings)
        render.line(f"{answer.checked} workloads stand, {answer.rows} rows chained, {wrong or 'no'} findings")
    return REFUSED_DECISION if answer.findings else 0
