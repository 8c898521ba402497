"""A site's engine: where work really runs. It outlives the agent that started it, as Ray and model servers do.

A service answers after a while, crashes now and then, and goes on until it is stopped. A job runs for a while and
succeeds or fails. Every operation takes time, and some fail with `Unavailable`, before they did anything or after.
`on_start` and `on_stop` hear of each piece of work that an agent starts and stops: silence must never be the reason of
a stop, and what was told to have ended never starts again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from agents.drivers.base import InferenceSpec, LogChunk, Observation, Task, TaskPhase
from tests.simulation.loop import Process, elapse
from tidegate.model.errors import Unavailable


@dataclass
class Work:
    """One piece of work as the engine has it."""

    phase: TaskPhase
    since: float
    until: float
    attempts: int = 1
    fails: bool = False


@dataclass
class Engine:
    """Everything that runs at one site, by task id."""

    random: Random
    told: Callable[[str, object], None]
    work: dict[str, Work] = field(default_factory=dict)
    trouble: float = 0.0
    """The share of operations that fail."""
    started: int = 0

    def power_cut(self) -> None:
        """Nothing runs any more."""
        self.work.clear()


class SimulatedDriver:
    """One agent process' hold on its site's engine."""

    def __init__(
        self,
        engine: Engine,
        process: Process,
        now: Callable[[], float],
        on_start: Callable[[str], None],
        on_stop: Callable[[str], None],
    ) -> None:
        self._engine, self._process, self._now = engine, process, now
        self._on_start, self._on_stop = on_start, on_stop

    async def prepare(self, task: Task) -> None:
        await self._turn("prepare", task)
        task.data_dir.mkdir(parents=True, exist_ok=True)

    async def start(self, task: Task) -> None:
        random = self._engine.random
        await self._turn("start", task)
        held = self._engine.work.get(task.id)
        service = isinstance(task.spec, InferenceSpec)
        if held is None or (held.phase is TaskPhase.STOPPED and service):
            self._on_start(task.id)
            now = self._now()
            lasts = random.random() * (3 if service else 30)
            phase = TaskPhase.STARTING if service else TaskPhase.RUNNING
            self._engine.work[task.id] = Work(phase, now, now + lasts, fails=not service and random.random() < 0.15)
            self._engine.started += 1
        await self._turn("started", task)

    async def observe(self, task: Task) -> Observation:
        await self._turn("observe", task)
        held = self._engine.work.get(task.id)
        if held is None:
            return Observation(TaskPhase.ABSENT)
        if held.phase in (TaskPhase.STARTING, TaskPhase.RUNNING) and self._now() >= held.until:
            if isinstance(task.spec, InferenceSpec):
                held.phase = TaskPhase.READY
            else:
                held.phase = TaskPhase.FAILED if held.fails else TaskPhase.SUCCEEDED
        code = {TaskPhase.FAILED: 3, TaskPhase.SUCCEEDED: 0}.get(held.phase)
        return Observation(held.phase, exit_code=code, attempt=held.attempts)

    async def stop(self, task: Task, grace_s: float) -> None:
        self._on_stop(task.id)
        await self._turn("stop", task)
        held = self._engine.work.get(task.id)
        if held is not None and not held.phase.ended:
            held.phase = TaskPhase.STOPPED

    async def remove(self, task: Task) -> None:
        await self._turn("remove", task)
        self._engine.work.pop(task.id, None)
        for path in sorted(task.data_dir.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        if task.data_dir.exists():
            task.data_dir.rmdir()

    async def logs(self, task: Task, offset: int) -> LogChunk:
        return LogChunk("", offset, True)

    async def outputs(self, task: Task) -> list[Path]:
        out = task.data_dir / "model.onnx"
        out.write_bytes(f"the model of {task.id}".encode())
        return [out]

    async def close(self) -> None:
        return None

    async def _turn(self, operation: str, task: Task) -> None:
        self._process.check()
        await elapse(self._engine.random.random() * 0.05)
        self._process.check()
        self._engine.told("engine", (operation, task.id))
        if self._engine.random.random() < self._engine.trouble:
            raise Unavailable("the engine did not answer")
