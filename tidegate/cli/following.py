"""Following one workload: a line per change, until it serves or has ended."""

from tidegate.cli import prospects, render
from tidegate.client.client import Client
from tidegate.model.event import WorkloadView

SETTLED = {"succeeded", "failed", "cancelled", "refused"}


def until_settled(client: Client, workload: str, *, serving: bool = True) -> WorkloadView:
    """Shows each change of phase on the error stream; ends where it ended, or serves (where `serving`)."""
    shown = ""
    with render.waiting(f"waiting for {workload}"):
        for view in client.watch(workload):
            said = line_of(view)
            if said != shown:
                render.progress(said)
                shown = said
            if view.phase in SETTLED or (serving and view.workload.inference and serves(view)):
                break
    return view


def serves(view: WorkloadView) -> bool:
    """Whether any site answers for it."""
    return any(status.endpoints and status.phase == "running" for status in view.statuses.values())


def line_of(view: WorkloadView) -> str:
    """Where it stands, in one line."""
    parts = [f"{view.workload.name} ({view.id}): {view.phase}"]
    if view.waiting:
        parts[0] += f", {view.waiting.position} of {view.waiting.of} in line"
        parts.append(prospects.forecast(view.waiting.forecast))
    for site, status in view.statuses.items():
        detail = f", {status.detail}" if status.detail else ""
        parts.append(f"{site} {status.phase}{detail}")
    return "; ".join(parts)
