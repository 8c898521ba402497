"""`tidegate audit replay`, of old `tidegate replay`: fold the log to each decision and decide again."""

import click

from tidegate.cli import options, render
from tidegate.cli.main import REFUSED_DECISION


@click.command("replay")
@click.option("--from", "from_offset", default=0, type=options.OFFSET, metavar="OFFSET", help="First offset.")
@click.option(
    "--to",
    "to_offset",
    default=0,
    type=options.OFFSET,
    metavar="OFFSET",
    help="Last offset; 0 means the newest.",
)
@options.output
@click.pass_context
def command(ctx: click.Context, from_offset: int, to_offset: int, output: str) -> int:
    """Decide every recorded decision again and compare the bytes; exits 1 where one differs, and says in which input.

    For instance: tidegate audit replay --from 1200
    """
    if to_offset and to_offset < from_offset:
        raise click.UsageError(f"--to {to_offset} comes before --from {from_offset}")
    with render.waiting("replaying the log"):
        answer = options.connect(ctx).replay(from_offset=from_offset, to_offset=to_offset)
    if not render.data(answer, output):
        render.line(f"{answer.decisions} decisions, {answer.equal} equal, {len(answer.different)} different")
        render.line(f"log head {answer.head_offset}, chain {answer.head_chain}", "dim")
        told = {one.offset: one for one in answer.diverging}
        for offset in answer.different:
            one = told.get(offset)
            render.line(f"  differs: offset {offset}" + (f", {one.name} ({one.workload_id})" if one else ""), "red")
            for each in one.differences if one else ():
                render.line(f"    {each.input}: {each.about}: recorded {each.recorded}, now {each.again}")
    return REFUSED_DECISION if answer.different else 0
