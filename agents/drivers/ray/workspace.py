"""What a task finds on the cluster: its code, its folders (see `record` for the layout) and its environment.

The folders lie in `Task.data_dir`, which the cluster sees under the same path (see `provider`).
"""

import json
from pathlib import Path
from typing import Any

from agents.drivers.base import Task, TrainingSpec
from agents.drivers.ray import gang, package, runner
from tidegate.files import RealFiles, put


def environment(
    task: Task, spec: TrainingSpec, attempt: int, gang_timeout_s: float, stop_grace_s: float
) -> dict[str, str]:
    """What the runner and the job are told; the job's own settings cannot replace these."""
    run: dict[str, Any] = {
        "entrypoint": spec.entrypoint,
        "bundle": gang.bundle(spec),
        "workers": spec.workers,
        "strategy": gang.strategy(spec),
        "group": f"{task.id}-{attempt}",
        "ray_namespace": f"{task.id}-{attempt}",
        "gang_timeout_s": gang_timeout_s,
        "timeout_s": spec.timeout_ms / 1000,
        "report": str(attempt_dir(task, attempt) / "run.json"),
    }
    asked = gang.bundle(spec)
    ours = {
        "TIDEGATE_RUN": json.dumps(run),
        "TIDEGATE_JOB": task.name,
        "TIDEGATE_ATTEMPT": str(attempt),
        "TIDEGATE_OUTPUT": str(output_dir(task, attempt)),
        "TIDEGATE_CHECKPOINTS": str(task.data_dir / "checkpoints"),
        "TIDEGATE_WORKERS": str(spec.workers),
        "TIDEGATE_WORKER_CPUS": f"{asked.get('CPU', 0):g}",
        "TIDEGATE_WORKER_GPUS": f"{asked.get('GPU', 0):g}",
        "TIDEGATE_WORKER_MEMORY_BYTES": str(spec.worker.memory_bytes),
        "TIDEGATE_PLACEMENT_GROUP": run["group"],
        "TIDEGATE_RAY_NAMESPACE": run["ray_namespace"],
        "RAY_JOB_STOP_WAIT_TIME_S": str(int(stop_grace_s)),
    }
    if task.traceparent:
        ours["TRACEPARENT"] = task.traceparent
    return {**spec.env, **{name: str(value) for name, value in ours.items()}}


def packed_code(task: Task, spec: TrainingSpec) -> package.Package:
    """The task's package, packed once: the folder may go after `prepare`."""
    kept = task.data_dir / "package.zip"
    if kept.exists():
        return package.known(kept.read_bytes())
    packed = package.pack(spec.working_dir, Path(runner.__file__).read_bytes())
    files = RealFiles()
    files.make_directory(str(kept.parent))
    put(files, str(kept), [packed.data])
    return packed


def attempt_dir(task: Task, number: int) -> Path:
    """All that belongs to one attempt."""
    return task.data_dir / "attempts" / str(number)


def output_dir(task: Task, number: int) -> Path:
    """`$TIDEGATE_OUTPUT` of one attempt."""
    return attempt_dir(task, number) / "output"


def log_path(task: Task, number: int) -> Path:
    """Where an attempt's log is kept once it has ended."""
    return attempt_dir(task, number) / "log.txt"


def run_report(task: Task, number: int) -> dict[str, Any]:
    """What the runner told so far; its file is always whole."""
    try:
        answer: dict[str, Any] = json.loads((attempt_dir(task, number) / "run.json").read_text())
    except FileNotFoundError:
        return {}
    return answer
