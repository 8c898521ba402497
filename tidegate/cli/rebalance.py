"""`tidegate rebalance`: what could stand better, each move with its gain and its disruption; --adopt carries it out."""

import secrets
import time

import click

from tidegate.cli import options, planned, render
from tidegate.cli.main import REFUSED_DECISION
from tidegate.client.calls import MovedWorkload
from tidegate.client.client import Client
from tidegate.manifests.quantities import parse_duration
from tidegate.model.plan import FLEET_GOALS, Goal, Plan

US_PER_HOUR = 3_600_000_000


def hours(ctx: click.Context, parameter: click.Parameter, text: str) -> int:
    """Whole hours, 1 or more."""
    try:
        found = parse_duration(text) // US_PER_HOUR
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if found < 1:
        raise click.BadParameter(f"{text} is less than an hour")
    return found


@click.command("rebalance")
@click.option("--adopt", is_flag=True, help="Carry the plan out, if nothing has changed since it was made.")
@click.option(
    "--goal",
    "goals",
    multiple=True,
    type=click.Choice([goal.value for goal in FLEET_GOALS]),
    help="Only for this; may be given several times. Without it: all of them.",
)
@click.option(
    "--horizon", default="24h", callback=hours, show_default=True, help="A move must gain more than it costs within it."
)
@click.option("--most", default=0, type=options.COUNT, metavar="N", help="At most N moves, the most useful first.")
@click.option(
    "--wait",
    default=0,
    type=options.COUNT,
    metavar="SECONDS",
    help="With --adopt: go on for so long with moves that wait until others have left.",
)
@options.output
@click.pass_context
def command(
    ctx: click.Context, adopt: bool, goals: tuple[str, ...], horizon: int, most: int, wait: int, output: str
) -> int:
    """Plan moves over the whole fleet: legal again, cheaper, on fewer units. Nothing moves without --adopt.

    Exits 1 where something stays against the law, or where an adopted move came out otherwise than planned; 2 where the
    fleet has changed since the plan was made.
    """
    client = options.connect(ctx)
    proposed = client.propose_plan(*map(Goal, goals), horizon_hours=horizon, most_moves=most)
    moved = _adopted(client, proposed.plan, wait) if adopt else None
    if not render.data({"proposed": proposed, "moved": moved}, output):
        planned.show(proposed, moved)
    outlawed = any(one.goal is Goal.LEGAL for one in proposed.plan.staying)
    left_out = any(not one.sites for one in moved or ())
    return REFUSED_DECISION if outlawed or left_out else 0


def _adopted(client: Client, plan: Plan, wait_s: int) -> list[MovedWorkload]:
    """What became of the moves. The same request is sent again, and makes what had no room before and has it now."""
    key = secrets.token_hex(16)
    later = {move.workload_id for move in plan.moves if move.wave}
    moved = client.adopt_plan(plan, key=key)
    for _ in range(wait_s):
        if not any(one.workload_id in later and not one.sites for one in moved):
            break
        time.sleep(1)
        moved = client.adopt_plan(plan, key=key)
    return moved
