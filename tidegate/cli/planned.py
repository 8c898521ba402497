"""A plan as people read it: its moves in their order, what stays and why, and how far it is from what is possible."""

from collections.abc import Callable

from tidegate.cli import amounts, render
from tidegate.client.calls import MovedWorkload, Proposed
from tidegate.model.decision import Slot
from tidegate.model.plan import Plan, PlannedMove, Stays
from tidegate.model.quantity import MICROS_PER_DOLLAR

WHY = {
    Stays.NOWHERE: "no lawful place has room for it",
    Stays.NO_ROOM: "the better place is full, or has no room for both copies at once",
    Stays.TOO_DEAR: "moving costs more than it gains within the horizon",
    Stays.LATER: "this plan was long enough; plan again",
    Stays.ENDS: "a job runs to its end where it is",
}


def show(proposed: Proposed, moved: list[MovedWorkload] | None = None, title: str = "moves worth making") -> None:
    """Prints a plan; `moved` says what became of its moves, once it was adopted."""
    plan = proposed.plan
    made = {one.workload_id: one.sites for one in moved or ()}
    columns = ["workload", "from", "to", "because", "gain", "costs once", "manner"]
    if moved is not None:
        columns.append("outcome")
    rows = []
    for move in plan.moves:
        row = _row(move)
        out = "waits for room" if move.wave else "LEFT OUT"
        rows.append(row if moved is None else (*row, "moves" if made.get(move.workload_id) else out))
    render.table(title, columns, rows, right=["gain", "costs once"])
    if plan.staying:
        render.line("")
        render.table(
            "staying",
            ["stays", "though", "because"],
            [(one.name, f"wanted {one.goal}", WHY[one.why]) for one in plan.staying],
        )
    render.line("")
    render.line(_money(plan))
    if not plan.solver:
        render.line(f"{plan.considered} considered at revision {plan.revision}", "dim")
        return
    seconds = f"{proposed.taken_ms / 1000:.1f} s, the broker's loop stood still for {proposed.copied_us / 1000:.1f} ms"
    render.line(f"{plan.considered} considered at revision {plan.revision} ({plan.solver}, {seconds})", "dim")


def show_joint(proposed: Proposed) -> None:
    """Prints where workloads would stand that nobody has submitted yet; by the hour, since jobs have no month."""
    plan = proposed.plan
    render.table(
        "workloads placed",
        ["workload", "goes to", "costs"],
        [(m.name, _slots(m.after), amounts.dollars_per_hour(-m.gain_micros_per_hour)) for m in plan.moves],
        right=["costs"],
    )
    for one in plan.staying:
        render.line(f"{one.name}: {WHY[one.why]}", "red")
    render.line("")
    before = plan.cost_before_micros_per_hour
    one_by_one = amounts.dollars_per_hour(before) if before else "not all of them would find room"
    render.line(f"{_after(plan, amounts.dollars_per_hour)}; one at a time, in this order: {one_by_one}")
    render.line(f"{plan.considered} planned together at revision {plan.revision} ({plan.solver})", "dim")


def _row(move: PlannedMove) -> tuple[str, ...]:
    disruption = move.disruption
    because = ", ".join(move.outlawed_by) or move.goal.value
    once = f"${disruption.cost_micros / MICROS_PER_DOLLAR:,.2f}"
    manner = disruption.manner.value.replace("_", " ")
    gain = amounts.dollars_per_month(move.gain_micros_per_hour)
    restarts = f"{manner}, {disruption.copies_restarted} restarted, {amounts.size(disruption.bytes_moved)}"
    if move.wave:
        restarts = f"{restarts}, in wave {move.wave + 1}"
    return move.name, _slots(move.before), _slots(move.after), because, gain, once, restarts


def _slots(slots: tuple[Slot, ...]) -> str:
    return ", ".join(f"{slot.site} ({slot.count} x {slot.offer})" for slot in slots)


def _money(plan: Plan) -> str:
    before = amounts.dollars_per_month(plan.cost_before_micros_per_hour)
    units = f"; {plan.units_before} units in use, {plan.units_after} afterwards" if plan.units_before else ""
    return f"{before} now, {_after(plan)}{units}"


def _after(plan: Plan, told: Callable[[int], str] = amounts.dollars_per_month) -> str:
    """What it comes to, and how far that is above what nothing can be below."""
    after, bound = told(plan.cost_after_micros_per_hour), told(plan.bound_micros_per_hour)
    above = f", which is {plan.over_bound_ppm / 10_000:.2f} % above the least possible ({bound})"
    return f"{after} as planned{above if plan.bound_micros_per_hour else ''}"
