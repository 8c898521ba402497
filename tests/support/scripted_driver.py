"""A driver whose engine is a few files: work is what the test writes, and it survives the agent as real work does."""

import shutil
from pathlib import Path

from agents.drivers.base import LogChunk, Observation, Task, TaskPhase


class ScriptedDriver:
    """Work is there when `data_dir/work` is; its content is its phase. `outputs` are the files in `data_dir/out`."""

    def __init__(self, first: TaskPhase) -> None:
        self.first = first
        self.calls: list[str] = []

    async def prepare(self, task: Task) -> None:
        self.calls.append("prepare")
        task.data_dir.mkdir(parents=True, exist_ok=True)

    async def start(self, task: Task) -> None:
        self.calls.append("start")
        if (await self.observe(task)).phase in (TaskPhase.ABSENT, TaskPhase.STOPPED):
            _work(task).write_text(self.first.value)

    async def observe(self, task: Task) -> Observation:
        if not _work(task).exists():
            return Observation(TaskPhase.ABSENT)
        return Observation(TaskPhase(_work(task).read_text()), attempt=1, measurements={"run_ms": 5})

    async def stop(self, task: Task, grace_s: float) -> None:
        self.calls.append("stop")
        _work(task).write_text(TaskPhase.STOPPED.value)

    async def remove(self, task: Task) -> None:
        self.calls.append("remove")
        shutil.rmtree(task.data_dir, ignore_errors=True)

    async def logs(self, task: Task, offset: int) -> LogChunk:
        text = "one line\n"[offset:]
        return LogChunk(text, offset + len(text), True)

    async def outputs(self, task: Task) -> list[Path]:
        folder = task.data_dir / "out"
        return sorted(folder.iterdir()) if folder.is_dir() else []

    async def close(self) -> None:
        return None


def _work(task: Task) -> Path:
    return task.data_dir / "work"
