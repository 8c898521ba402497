"""What the broker answers to commands. Readers get views; these are the answers to changes."""

from dataclasses import dataclass

from tidegate.model.decision import Brief, Decision
from tidegate.model.plan import Plan
from tidegate.model.registry import ModelVersion


@dataclass(frozen=True, slots=True)
class Submission:
    """A workload that is recorded, with its decision. `repeated` where an earlier call was answered again.

    Then `decision` is None: the state keeps no matrix, the log has the whole at `offset`.
    """

    workload_id: str
    brief: Brief
    offset: int
    """Of the decision in the log."""
    decision: Decision | None = None
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Declared:
    """What became of one declaration: `created`, `changed`, `unchanged` or `superseded`."""

    kind: str
    name: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Application:
    """What became of all of them, and which workloads a new law forbids where they stand."""

    declared: tuple[Declared, ...]
    outlawed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """What was applied and is likely a mistake."""


@dataclass(frozen=True, slots=True)
class Move:
    """Where a workload of a drained or lost site goes; `sites` empty where nothing else would do."""

    workload_id: str
    name: str
    sites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moves:
    """All moves, and what the auditor refused to let happen."""

    moves: tuple[Move, ...] = ()
    alarms: tuple[str, ...] = ()
    plan: Plan | None = None
    """Where the command made one: a drain."""


@dataclass(frozen=True, slots=True)
class Cancellation:
    """The workload that is being stopped, or had ended before."""

    workload_id: str


@dataclass(frozen=True, slots=True)
class Registration:
    """The model version as registered."""

    model: ModelVersion


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing to say but that it is durable."""


Reply = Submission | Application | Moves | Cancellation | Registration | Done
