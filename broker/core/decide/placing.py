"""The engine and the auditor, called together: nobody adopts a decision that the independent judge has not passed.

`watch` hears of each step as it ends, with what it counted, so that the rim can time it; nothing here reads a clock.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

from broker.core.state import State
from placement import audit, engine
from tidegate.model.decision import Decision
from tidegate.model.errors import Broken
from tidegate.model.event import Event
from tidegate.model.registry import ModelVersion
from tidegate.model.workload import Workload

Reply = TypeVar("Reply")
Deciding = Generator[Event, None, Reply]
Watch = Callable[[str, dict[str, int]], None]


class Disagreement(Broken):
    """The auditor does not pass what the engine decided. The request alone is refused, and an alarm is raised."""


def unwatched(step: str, counts: dict[str, int]) -> None:
    """Nobody is timing."""


def place(
    state: State,
    workload: Workload,
    model: ModelVersion | None,
    at: int,
    watch: Watch = unwatched,
    *,
    without: str = "",
    among: tuple[str, ...] = (),
    revision: int = -1,
) -> Decision:
    """Where the workload goes, audited. `without` names a workload whose room counts as free.

    `among` leaves out every other site, where a plan has chosen; empty means that all are asked.
    `revision` is for replays: the offset that the decision was made at, where that is not the state's own.
    Raises `Disagreement`.
    """
    revision = state.offset if revision < 0 else revision
    digest = model.artifact.digest if model else ""
    exclude = frozenset(state.sites) - set(among) if among else frozenset()
    with _vacated(state, without):
        decision = engine.decide(
            workload,
            state.fleet,
            state.law,
            now=at,
            revision=revision,
            model_digest=digest,
            exclude=exclude,
            watch=watch,
        )
        findings = audit.audit(workload, decision, state.fleet, state.law, model_digest=digest)
        watch("audit", {"findings": len(findings)})
    if findings:
        told = "; ".join(findings)
        raise Disagreement(f"the auditor does not pass this decision: {told}", field=workload.name)
    return decision


def outlaws(state: State, workload: Workload, site: str) -> tuple[str, ...]:
    """The enforced rules in force that forbid the workload at a site."""
    row = state.fleet.columns.row_of[site]
    return tuple(rule.name for rule in state.law.rules if rule.enforced and not rule.allows(workload, state.fleet)[row])


@contextmanager
def _vacated(state: State, workload_id: str) -> Generator[None]:
    """The fleet as if a workload had left. It is put back unit by unit, so afterwards nothing has changed."""
    held = [h for h in state.fleet.holdings.values() if workload_id and h.workload_id.startswith(f"{workload_id}@")]
    for holding in held:
        state.fleet.release(holding.workload_id)
    try:
        yield
    finally:
        for holding in held:
            state.fleet.restore(holding)
