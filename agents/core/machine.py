"""From what a task should be and what it is seen to be: the one step that comes next.

    wanted, ended before                         rest
    wanted, files missing                        fetch
    wanted, not prepared                         prepare
    wanted, engine knows nothing of it           start      (a server that died is started again)
    wanted, a training job that succeeded        collect    (its outputs, before success is told)
    not wanted, engine has it alive              stop
    not wanted, engine or disk has remains       remove
    not wanted, nothing left                     forget

A task is not wanted when a newer generation leaves it out, or when its own `disconnect` block has run out. That the
broker is silent is no input here, so silence can stop nothing.

Steps are level-triggered: each may be lost or repeated, and the next look gives the right one again.
"""

from dataclasses import dataclass
from enum import StrEnum

from tidegate.model.assignment import Assignment, Phase


class Seen(StrEnum):
    """What the engine says of a task; the runtime maps each driver's observation to one of these."""

    UNKNOWN = "unknown"
    """Not asked yet, or the engine did not answer."""
    ABSENT = "absent"
    STARTING = "starting"
    ALIVE = "alive"
    """At work: a training job that runs, a service that answers."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"


class Step(StrEnum):
    """What to do next."""

    OBSERVE = "observe"
    FETCH = "fetch"
    PREPARE = "prepare"
    START = "start"
    COLLECT = "collect"
    STOP = "stop"
    REMOVE = "remove"
    FORGET = "forget"
    REST = "rest"


@dataclass(frozen=True, slots=True)
class TaskView:
    """Everything the next step depends on."""

    wanted: bool
    seen: Seen = Seen.UNKNOWN
    fetched: bool = False
    prepared: bool = False
    started: int = -1
    """The generation that was last started; -1 for none in this life of the agent."""
    generation: int = 0
    collected: bool = False
    """The outputs are with the broker."""
    ended: bool = False
    """An ended phase was recorded for this generation."""
    remains: bool = False
    """Something of it lies on the disk or in the engine."""


def next_step(task: TaskView) -> Step:
    """The one next step; REST when there is nothing to do before the next look."""
    if not task.wanted:
        return _wind_down(task)
    if task.ended:
        return Step.REST
    if not task.fetched:
        return Step.FETCH
    if not task.prepared:
        return Step.PREPARE
    if task.seen is Seen.UNKNOWN:
        return Step.OBSERVE
    if task.seen in (Seen.ABSENT, Seen.STOPPED) or task.started != task.generation:
        # An adopted task is started too: starting what runs does nothing, and a changed model is swapped in.
        return Step.START if task.seen not in (Seen.SUCCEEDED, Seen.FAILED) else _collected(task)
    return _collected(task)


def _collected(task: TaskView) -> Step:
    return Step.COLLECT if task.seen is Seen.SUCCEEDED and not task.collected else Step.REST


def _wind_down(task: TaskView) -> Step:
    if task.seen is Seen.UNKNOWN and task.remains:
        return Step.OBSERVE
    if task.seen in (Seen.STARTING, Seen.ALIVE):
        return Step.STOP
    return Step.REMOVE if task.remains else Step.FORGET


def phase_of(task: TaskView) -> Phase:
    """How far the task has come, as it is reported; `lifecycle.advance` keeps it from going back."""
    if not task.wanted:
        return Phase.STOPPING
    if task.seen is Seen.FAILED:
        return Phase.FAILED
    if task.seen is Seen.SUCCEEDED:
        return Phase.SUCCEEDED if task.collected else Phase.RUNNING
    if task.seen is Seen.ALIVE:
        return Phase.RUNNING
    return Phase.STARTING if task.prepared else Phase.PREPARING


def ran_out(assignment: Assignment, away_ms: int) -> bool:
    """Whether the assignment's own `disconnect` block ends it. `away_ms` 0: the broker is there."""
    bound = assignment.workload.disconnect.serve_for_ms
    return bool(bound and away_ms >= bound)
