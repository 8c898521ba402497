"""`tidegate drain`: move what can move away from a site."""

import click

from tidegate.cli import options, planned, render
from tidegate.client.calls import Proposed


@click.command("drain")
@click.argument("site")
@click.option("--because", default="", help="Recorded in the log.")
@click.option("--plan", "plan_only", is_flag=True, help="Only show what would move where; nothing is recorded.")
@options.output
@click.pass_context
def command(ctx: click.Context, site: str, because: str, plan_only: bool, output: str) -> None:
    """Cordon SITE and move every service there to where it does best. What lawfully fits nowhere else stays."""
    if plan_only:
        plan = options.connect(ctx).plan_drain(site)
        if not render.data(plan, output):
            planned.show(Proposed(plan, 0, 0), title=f"what leaves {site}")
        return
    moved = options.connect(ctx).drain(site, because=because)
    if not render.data(moved, output):
        render.table(
            "services to move",
            ["id", "name", "goes to"],
            [(one.workload_id, one.name, ", ".join(one.sites) or "stays: nothing else would do") for one in moved],
        )
