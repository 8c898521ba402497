"""The one contract between an agent and the engines that do its work.

A driver makes one engine (Ray, Kubernetes, processes of this machine) do what a task asks. It decides nothing: the
agent's core compares desired with observed and calls the one operation that comes next; the driver carries it out.

What every driver promises:

- **Keyed by `Task.id`.** One id is one piece of work; a second task under the same id is the same work.
- **Idempotent.** Each operation may be repeated at any time, after a crash too: starting what runs, stopping what
  stopped and removing what is gone do nothing and raise nothing.
- **Recoverable.** What is needed to find the work again lies in `Task.data_dir` or in the engine, never in memory
  alone: a driver built anew after `kill -9` observes the same work and starts no second copy.
- **Quick.** An operation asks the engine and returns; it does not wait for the work to end. `prepare` and `start` may
  take as long as moving files or bringing the engine up takes; `observe` has at most `OBSERVE_SECONDS`.
- **Failures of the work are observations.** A job that exits with 3 is `FAILED` with exit code 3. Exceptions speak of
  the engine: `Unavailable` (it did not answer; ask again) and `Broken` (our promise does not hold). A task that no
  retry can help (no such file, no such shape of worker) is `Refused`.

Not here: placement, backoff, reporting to the broker, and the files of a task before `prepare` (the agent's cache
brings code and models by digest, and hands over paths).
"""

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tidegate.model.quantity import Resources

OBSERVE_SECONDS = 10.0
"""The longest that one `observe` may take, its own network deadlines included."""

LOG_CHUNK_BYTES = 256 * 1024
"""The most UTF-8 bytes that one `logs` call hands back."""

ERROR_TAIL_LINES = 20
"""How many of its last lines an unlucky piece of work leaves in its observation."""


class TaskKind(enum.StrEnum):
    """What shape of work a task is; it says which of the two specs is there."""

    TRAINING = "training"
    INFERENCE = "inference"


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """A job that runs to its end with a gang of workers, whole or not at all."""

    entrypoint: str
    """A command line for `/bin/sh`; `python` in it is the site's interpreter."""
    working_dir: Path
    """A folder of code, complete and verified; read, never written."""
    worker: Resources
    """What each worker needs."""
    workers: int = 1
    env: dict[str, str] = field(default_factory=dict)
    max_retries: int = 0
    """How often a failed run is tried again; 0 means that the first failure is the last."""
    timeout_ms: int = 0
    """The longest that one attempt may run; 0 for no bound."""
    gpu_share_milli: int = 0
    """The part of one GPU that each worker has in place of whole ones, in thousandths; 1000 for a MIG instance."""
    apart: bool = False
    """Whether each worker needs a machine of its own."""


@dataclass(frozen=True, slots=True)
class InferenceSpec:
    """A service that answers until it is stopped."""

    model_name: str
    model_version: str
    model_path: Path
    """The model's file, complete and verified against `model_digest`."""
    model_digest: str
    """SHA-256, hex."""
    replica: Resources
    """What each replica needs."""
    replicas: int = 1
    model_format: str = "onnx"
    env: dict[str, str] = field(default_factory=dict)
    """Beside the agent's own; another one makes another server."""
    options: dict[str, str] = field(default_factory=dict)
    """What only one engine understands, by that engine's own names."""


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work as a driver sees it: an assignment whose files are on this machine."""

    id: str
    """The assignment's id: letters, digits, `-`, `_` and `.`, at most 120 of them."""
    name: str
    """The workload's name, for people."""
    kind: TaskKind
    generation: int
    spec: TrainingSpec | InferenceSpec
    data_dir: Path
    """The driver's own folder for this task; it outlives the agent's process and goes with `remove`."""
    traceparent: str = ""
    """W3C trace context that the work's own spans should join."""


class TaskPhase(enum.StrEnum):
    """How far the work has come, as the engine tells it."""

    ABSENT = "absent"
    """The engine knows nothing of it."""
    STARTING = "starting"
    """Told to the engine; waiting for room, files or a first sign of life."""
    RUNNING = "running"
    """At work; for a service: alive, not answering yet."""
    READY = "ready"
    """A service that answers. A training job is never `READY`."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """Ended badly, with no retry left."""
    STOPPED = "stopped"
    """Ended because `stop` was called."""

    @property
    def ended(self) -> bool:
        """Whether the work will not change any more by itself."""
        return self in (TaskPhase.SUCCEEDED, TaskPhase.FAILED, TaskPhase.STOPPED)


@dataclass(frozen=True, slots=True)
class TaskEndpoint:
    """Where a service answers: `http`, `grpc` or `unix`, and the address in that protocol's usual form."""

    protocol: str
    address: str


@dataclass(frozen=True, slots=True)
class Observation:
    """What the engine says of one task at one moment. The last one wins."""

    phase: TaskPhase
    detail: str = ""
    """One line for people: why it waits, why it failed."""
    exit_code: int | None = None
    """Of the last attempt that ended; 128 + n for a death by signal n; None while nothing ended."""
    error_tail: tuple[str, ...] = ()
    """The last lines of a failed attempt's output, at most `ERROR_TAIL_LINES`."""
    attempt: int = 0
    """Counted from 1; 0 before the first."""
    endpoints: tuple[TaskEndpoint, ...] = ()
    measurements: dict[str, int] = field(default_factory=dict)
    """Measured whole numbers, the unit at the end of each name: `cluster_up_ms`, `gang_wait_ms`, `run_ms`, ..."""


@dataclass(frozen=True, slots=True)
class LogChunk:
    """A piece of a task's output, of all its attempts in order."""

    text: str
    next_offset: int
    """Where to go on, in UTF-8 bytes; equal to the offset asked for where nothing new was there."""
    complete: bool
    """Whether nothing can follow `next_offset`."""

    def cut(self, most_bytes: int) -> "LogChunk":
        """No more than so many bytes of it, to the end of a line where there is one; the rest is asked for again.

        What the task did not write as UTF-8 stays whole, since its length in the file is not known from the text.
        """
        data = self.text.encode()
        if len(data) <= most_bytes or "\ufffd" in self.text:
            return self
        kept = data[:most_bytes]
        kept = kept[: kept.rfind(b"\n") + 1] or kept.decode(errors="ignore").encode()
        return LogChunk(kept.decode(), self.next_offset - len(data) + len(kept), False)


class Driver(Protocol):
    """One engine. `agents.core` calls it from one task at a time per id; different ids may interleave."""

    async def prepare(self, task: Task) -> None:
        """Bring everything into place that `start` needs. Raises Refused where the task can never run here."""

    async def start(self, task: Task) -> None:
        """Make the engine run it, unless it runs or has ended. A service does not end: stopped, it runs again."""

    async def observe(self, task: Task) -> Observation:
        """What the engine says now."""

    async def stop(self, task: Task, grace_s: float) -> None:
        """Ask it to end, kill it after `grace_s`; it is `STOPPED` afterwards unless it had ended by itself."""

    async def remove(self, task: Task) -> None:
        """Forget it and delete `data_dir`; what runs is stopped first, without grace."""

    async def logs(self, task: Task, offset: int) -> LogChunk:
        """Its output from `offset` on, at most `LOG_CHUNK_BYTES`; `offset` is 0 or an earlier `next_offset`."""

    async def outputs(self, task: Task) -> list[Path]:
        """The files that it left in `$TIDEGATE_OUTPUT`, sorted; empty before `SUCCEEDED` and for services."""

    async def close(self) -> None:
        """Let go of the engine. What runs goes on where the engine can do so without this process."""
