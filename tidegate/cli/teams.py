"""`tidegate teams`: what each team is guaranteed, holds, borrows, lends and spends."""

import click

from tidegate.cli import amounts, options, render
from tidegate.model.event import TeamView
from tidegate.model.money import Quota
from tidegate.model.quantity import MICROS_PER_DOLLAR

NUMBERS = ["runs", "waits", "budget", "spent", "by month's end"]


@click.command("teams")
@options.output
@click.pass_context
def command(ctx: click.Context, output: str) -> None:
    """Every team, those below a team counted with it: amounts now, and money of this calendar month (UTC)."""
    views = options.connect(ctx).teams()
    if render.data(views, output):
        return
    render.table(
        "teams",
        [
            "team",
            "guaranteed",
            "limit",
            "used",
            "borrowed",
            "lent",
            "runs",
            "waits",
            "budget",
            "spent",
            "by month's end",
        ],
        [_row(view) for view in views],
        right=NUMBERS,
    )


def _row(view: TeamView) -> tuple[object, ...]:
    team = view.team
    return (
        f"{team.parent}/{team.name}" if team.parent else team.name or "(none)",
        held(_by_name(team.guarantee)),
        held(_by_name(team.ceiling)) or "none",
        held(view.used),
        held(view.borrowed),
        held(view.lent),
        view.running,
        view.waiting,
        dollars(team.budget_micros_per_month) if team.budget_micros_per_month else "none",
        dollars(view.spent_micros),
        dollars(view.expected_micros),
    )


def held(by_name: dict[str, int]) -> str:
    """Amounts as people read them: `4 GPUs (2 H100), 16 CPUs, 64 GiB`."""
    models = ", ".join(
        f"{milli / 1000:g} {name.removeprefix('gpus/')}" for name, milli in sorted(by_name.items()) if "/" in name
    )
    parts = [f"{by_name['gpus'] / 1000:g} GPUs" + (f" ({models})" if models else "")] if "gpus" in by_name else []
    parts += [models] if models and not parts else []
    parts += [f"{by_name['cpus'] / 1000:g} CPUs"] if "cpus" in by_name else []
    parts += [amounts.size(by_name["memory"])] if "memory" in by_name else []
    return ", ".join(parts)


def dollars(micros: int) -> str:
    """An amount of money."""
    return f"${micros / MICROS_PER_DOLLAR:,.2f}"


def _by_name(quota: Quota) -> dict[str, int]:
    sums = quota.resources
    found = {"gpus": sums.gpus * 1000, "cpus": sums.cpus_milli, "memory": sums.memory_bytes}
    found |= {f"gpus/{model}": milli for model, milli in quota.gpu_models.items()}
    return {name: amount for name, amount in found.items() if amount}
