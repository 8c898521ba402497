"""`tidegate submit`: hand in workloads; each is recorded with its decision."""

import click

from tidegate.cli import explanation, following, options, prospects, render
from tidegate.cli.main import REFUSED_DECISION
from tidegate.client.submission import workload_of
from tidegate.model.decision import Outcome

MOST_DIGITS = 19
"""Of a number that a message carries."""


@click.command("submit")
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--key", default="", help="Idempotency key: the same key never submits twice.")
@click.option(
    "--if-revision",
    default="",
    metavar="N[@MOMENT]",
    help="Refuse where the answer would differ from plan N (of MOMENT).",
)
@click.option("-w", "--wait", is_flag=True, help="Stay until a service answers or a job has ended.")
@options.output
@click.pass_context
def command(ctx: click.Context, file: str, key: str, if_revision: str, wait: bool, output: str) -> int:
    """Hand in the workload in FILE. Exits 1 where it is refused, or with --wait where it fails.

    A job for which there is no room now waits for it: that is exit 0, with its place in line and a forecast.
    """
    client = options.connect(ctx)
    revision, moment = _planned(if_revision)
    source = options.source(file)
    workload = workload_of(source).workload
    submission = client.submit(source, key=key, if_revision=revision, if_decided_at=moment)
    refused = submission.decision.outcome is Outcome.REFUSED
    if not wait or refused:
        if not render.data(submission, output):
            explanation.show(submission.workload_id, submission.decision, workload=workload, offset=submission.offset)
            if submission.decision.outcome is Outcome.WAITING:
                view = client.get(submission.workload_id)
                for line in prospects.lines(view.waiting) if view.waiting else ():
                    render.line(f"  {line}", "yellow")
        return REFUSED_DECISION if refused else 0
    if output == "table":
        explanation.show(submission.workload_id, submission.decision, workload=workload, offset=submission.offset)
    view = following.until_settled(client, submission.workload_id)
    render.data(view, output)
    return REFUSED_DECISION if view.phase in {"failed", "refused"} else 0


def _planned(told: str) -> tuple[int, int]:
    """The revision and the moment of a plan, as `plan` tells them; 0 for what is not told."""
    revision, _, moment = told.partition("@")
    parts = (revision or "0", moment or "0")
    if not all(part.isdecimal() and part.isascii() and len(part) < MOST_DIGITS for part in parts):
        raise click.BadParameter("is no plan as `plan` tells it", param_hint="--if-revision")
    return int(parts[0]), int(parts[1])
