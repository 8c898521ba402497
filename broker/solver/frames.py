"""What goes to the worker and comes back, in frames (`broker.workers.frames`).

request   frame: JSON head; frame: the state, as `broker.core.freeze` writes it; a frame (protobuf) each workload
answer    frame: JSON head, `{}` or a refusal's parts; then, without a refusal, a frame: the plan (protobuf)
"""

import json
from typing import Any

from broker.core.decide.proposing import Wish
from broker.workers.frames import joined, parts_of
from tidegate.model.errors import Conflict, NotFound, Refused, Unavailable
from tidegate.model.plan import Goal, Plan
from tidegate.model.workload import Workload
from tidegate.wire.codec import decode, encode

_FAMILIES = {family.__name__: family for family in (Refused, NotFound, Conflict)}


def request(wish: Wish, at: int, limit_s: float, state: bytes) -> bytes:
    """What the worker is asked."""
    head = {
        "goals": [goal.value for goal in wish.goals],
        "horizon_hours": wish.horizon_hours,
        "most_moves": wish.most_moves,
        "at": at,
        "limit_s": limit_s,
    }
    return joined([json.dumps(head).encode(), state, *map(encode, wish.together)])


def asked(data: bytes) -> tuple[Wish, int, float, bytes]:
    """What `request` wrote: the wish, the moment, the seconds that it may take, and the state's bytes."""
    head_bytes, state, *workloads = parts_of(data)
    head = json.loads(head_bytes)
    wish = Wish(
        goals=tuple(Goal(goal) for goal in head["goals"]),
        horizon_hours=head["horizon_hours"],
        most_moves=head["most_moves"],
        together=tuple(decode(Workload, workload) for workload in workloads),
    )
    return wish, head["at"], head["limit_s"], state


def answer(outcome: Plan | Refused) -> bytes:
    """What the worker answers."""
    if isinstance(outcome, Plan):
        return joined([b"{}", encode(outcome)])
    found = None if outcome.found is None else str(outcome.found)
    told = {"message": outcome.message, "field": outcome.field, "found": found, "wanted": outcome.wanted}
    return joined([json.dumps({"family": type(outcome).__name__, **told}).encode()])


def plan_of(data: bytes) -> Plan:
    """What `answer` wrote. Raises the refusal that it holds, or Unavailable where it is none."""
    parts = parts_of(data)
    try:
        head: Any = json.loads(parts[0]) if parts else {}
    except (ValueError, RecursionError) as error:
        raise Unavailable("the solver's answer is not JSON", field="head", found=str(error)[:80]) from error
    if not isinstance(head, dict):
        raise Unavailable("the solver's answer has no head", field="head", found=type(head).__name__)
    if "family" in head:
        family = _FAMILIES.get(str(head["family"]), Refused)
        told = {name: str(head.get(name) or "") for name in ("message", "field", "found", "wanted")}
        raise family(told["message"], field=told["field"], found=told["found"] or None, wanted=told["wanted"])
    if len(parts) != 2:
        raise Unavailable("the solver's answer is not whole", field="frames", found=len(parts))
    return decode(Plan, parts[1])
