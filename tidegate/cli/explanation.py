"""A decision as people read it: where and why, what was refused and how narrowly, what would help, what law costs."""

from collections.abc import Callable

from rich.table import Table
from rich.text import Text

from tidegate.cli import amounts, month, prospects, render
from tidegate.model.decision import Cost, Decision, Outcome, Relaxation
from tidegate.model.explanation import RuleSummary, summarise
from tidegate.model.workload import Workload

MOST_SEATS = 8
"""Copies whose GPUs are printed; `-o json` has them all."""

CAUSES: dict[str, Callable[[Cost], int]] = {
    "compute": lambda cost: cost.compute,
    "egress": lambda cost: cost.egress,
    "uplift": lambda cost: cost.uplift,
    "idle": lambda cost: cost.idle,
    "spot loss": lambda cost: cost.spot_loss,
    "availability": lambda cost: cost.availability,
    "total": lambda cost: cost.total,
}


def show(
    name: str, decision: Decision, *, workload: Workload | None = None, matrix: bool = False, offset: int = 0
) -> None:
    """Prints the whole explanation; `matrix` adds every verdict. Prices are told for what the workload runs in."""
    per = month.Per.of(decision, workload)
    render.line(_headline(name, decision, offset))
    if decision.outcome is Outcome.PLACED:
        _show_ranking(decision, per)
        _show_seats(decision)
        _show_readings(decision)
        month.show(decision.monthly)
    for victim in decision.victims:
        render.line(f"  {prospects.victim(victim)}", "yellow")
    if any(column.bits for column in decision.columns):
        render.line("")
        _show_refusals(decision, per)
    if matrix:
        render.line("")
        _show_matrix(decision)
    if decision.relaxations:
        render.line("")
        cheaper = decision.outcome is Outcome.PLACED
        render.line("would be cheaper if" if cheaper else "would fit if", "bold")
        for relaxation in decision.relaxations:
            render.line(f"  {relaxation_text(relaxation, per)}")
    if decision.rule_prices:
        render.line("")
        render.line("what the rules cost", "bold")
        for price in decision.rule_prices:
            render.line(f"  {price.rule}  {per.told(price.micros_per_hour)} against {price.cheaper_site}")


def _show_seats(decision: Decision) -> None:
    """Which GPUs the copies have, where they have any; the first `MOST_SEATS`."""
    stands = [slot for slot in decision.slots for _ in range(slot.count)]
    seated = [(slot, seat) for slot, seat in zip(stands, decision.seats, strict=False) if seat.gpus]
    if not seated:
        return
    render.line("")
    render.line("sits on", "bold")
    for slot, seat in seated[:MOST_SEATS]:
        gpus = ", ".join(map(str, seat.gpus))
        start = f" from slice {seat.mig_start}" if seat.mig_start else ""
        render.line(f"  {slot.site}/{slot.offer}  unit {seat.unit}  GPU {gpus}{start}")
    if len(seated) > MOST_SEATS:
        render.line(f"  and {len(seated) - MOST_SEATS} more")


def _show_readings(decision: Decision) -> None:
    """How soon it answers, and what says so; the first `MOST_SEATS`."""
    if not decision.readings:
        return
    render.line("")
    render.line("answers in", "bold")
    for one in decision.readings[:MOST_SEATS]:
        render.line(f"  {amounts.reading(one, decision.decided_at)}")
    if len(decision.readings) > MOST_SEATS:
        render.line(f"  and {len(decision.readings) - MOST_SEATS} more")


def relaxation_text(relaxation: Relaxation, per: month.Per = month.ALWAYS) -> str:
    """One way to make it fit, in one line."""
    changes = " and ".join(
        f"{change.field} {change.before or 'none'} -> {change.after}" for change in relaxation.changes
    )
    return f"{changes}  at {relaxation.site}  {per.told(relaxation.cost_micros_per_hour)}"


def _headline(name: str, decision: Decision, offset: int) -> Text:
    placed = decision.outcome is Outcome.PLACED
    style = {Outcome.PLACED: "bold green", Outcome.WAITING: "bold yellow"}.get(decision.outcome, "bold red")
    text = Text(decision.outcome.value, style=style)
    text.append(f"  {name}")
    if placed:
        where = ", ".join(f"{slot.site} ({slot.count} x {slot.offer})" for slot in decision.slots)
        text.append(f"  {where}  {month.headline(decision)}", style="bold")
    law = f" under {', '.join(decision.policies)}" if decision.policies else ""
    record = f", recorded at {offset}" if offset else ""
    text.append(f"  (decided on revision {decision.revision}{law}{record})", style="dim")
    text.append(f"  {decision.allowed} of {len(decision.candidates)} candidates")
    return text


def _show_ranking(decision: Decision, per: month.Per) -> None:
    render.line("")
    ranked = decision.ranked
    causes = {
        name: cause
        for name, cause in CAUSES.items()
        if name not in month.RARE or any(cause(one.cost) for one in ranked)
    }
    leaning = ["not charged"] if any(one.penalty_micros_per_hour for one in ranked) else []
    render.table(
        "candidates",
        ["", "candidate", *causes, *leaning],
        [
            (
                index + 1,
                one.site,
                *(per.told(cause(one.cost)) for cause in causes.values()),
                *([per.told(one.penalty_micros_per_hour)] if leaning else []),
            )
            for index, one in enumerate(ranked)
        ],
        right=[*causes, *leaning],
    )
    if decision.runner_up:
        margin = per.told(decision.margin_micros_per_hour)
        render.line(f"the runner-up {decision.runner_up} lost by {margin}", "dim")


def _manner(summary: RuleSummary, per: month.Per) -> str:
    """What its "no" does, where it does not forbid."""
    if summary.enforced:
        return ""
    if not summary.penalty_micros_per_hour:
        return " (warns)"
    return f" (prefers others, by {per.told(summary.penalty_micros_per_hour)})"


def _show_refusals(decision: Decision, per: month.Per) -> None:
    rows: list[tuple[object, ...]] = []
    for summary in summarise(decision):
        miss = summary.nearest
        basis = amounts.basis(miss, decision.decided_at)
        where = f"{miss.site}/{miss.offer}" if miss.offer else miss.site
        nearest = f"{amounts.found(miss)}, {where}" + (f", {basis}" if basis else "")
        rows.append((summary.refused, summary.rule + _manner(summary, per), amounts.wanted(miss), nearest))
    render.table("refusals", ["candidates", "rule", "wanted", "nearest"], rows, right=["candidates"])
    for summary in summarise(decision):
        if summary.because:
            render.line(f"  {summary.rule}: {summary.because}", "dim")


def _show_matrix(decision: Decision) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("RULE")
    for candidate in decision.candidates:
        table.add_column(candidate, justify="center")
    candidates = len(decision.candidates)
    for column in decision.columns:
        refused = Text("no", style="red") if column.enforced else Text("warn", style="yellow")
        table.add_row(
            column.rule, *(Text("yes", style="green") if yes else refused for yes in column.allowed(candidates))
        )
    render.show(table)
