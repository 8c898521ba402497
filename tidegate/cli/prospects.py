"""A place in line as people read it: how far from the front, when it is likely to start, and what that rests on."""

import datetime

from tidegate.cli import amounts
from tidegate.model.decision import Relaxation, Victim
from tidegate.model.event import Basis, Forecast, Waiting


def lines(waiting: Waiting) -> list[str]:
    """The place in line, the forecast, and what would start it now; one a line. Moments are UTC."""
    place = f"{waiting.position} of {waiting.of} in line, {waiting.team_position} of its team's"
    told = [f"{place}; since {moment(waiting.since)}"]
    if waiting.because:
        told.append(waiting.because)
    told.append(forecast(waiting.forecast))
    if waiting.until:
        told.append(f"refused if it has not started by {moment(waiting.until)}")
    told += [f"or now: {instead(one)}" for one in waiting.instead]
    return told


def forecast(one: Forecast) -> str:
    """When it is likely to start, and from what that is known."""
    if one.basis is Basis.UNKNOWN or not one.latest:
        return "when it starts is not known: nothing says when what stands in its way ends"
    learned = f"from {one.samples} ended jobs" if one.samples else ""
    declared = "from declared times" if one.basis is not Basis.LEARNED else ""
    known = " and ".join(part for part in (learned, declared) if part)
    if one.earliest == one.latest:
        return f"starts about {moment(one.earliest)} ({known})"
    return f"starts between {moment(one.earliest)} and {moment(one.latest)} ({known})"


def instead(one: Relaxation) -> str:
    """What would have to give, and what it costs."""
    changes = " and ".join(f"{change.field} {change.before or 'none'} -> {change.after}" for change in one.changes)
    return f"{changes}  at {one.site}  {amounts.dollars_per_month(one.cost_micros_per_hour)}"


def victim(one: Victim) -> str:
    """Who makes room, why it was his to give, and what is lost."""
    whose = f" of {one.team}" if one.team else ""
    why = "held what its team only borrows" if one.because == "borrowed" else "is less important to its team"
    return f"{one.name} ({one.workload_id}){whose} makes room: it {why}; {one.lost_gpu_seconds} GPU-seconds are lost"


def moment(ms: int) -> str:
    """Day and minute, UTC."""
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC).strftime("%Y-%m-%d %H:%M")
