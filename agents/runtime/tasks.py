"""From an assignment of the broker to a task of a driver, and from an observation to a status."""

from pathlib import Path

from agents.cache.cache import ContentCache
from agents.core.machine import Seen
from agents.drivers.base import InferenceSpec, Observation, Task, TaskEndpoint, TaskKind, TaskPhase, TrainingSpec
from agents.gpu.given import visible
from agents.gpu.nvml import Gpu
from tidegate.model.assignment import Assignment, Endpoint, Phase, Status
from tidegate.model.errors import Refused
from tidegate.model.workload import Gang, WorkloadKind

SEEN = {
    TaskPhase.ABSENT: Seen.ABSENT,
    TaskPhase.STARTING: Seen.STARTING,
    TaskPhase.READY: Seen.ALIVE,
    TaskPhase.SUCCEEDED: Seen.SUCCEEDED,
    TaskPhase.FAILED: Seen.FAILED,
    TaskPhase.STOPPED: Seen.STOPPED,
}


def seen_of(observation: Observation, kind: WorkloadKind) -> Seen:
    """What the core is told. A job is alive when it runs; a service only when it answers."""
    if observation.phase is TaskPhase.RUNNING:
        return Seen.ALIVE if kind is WorkloadKind.TRAINING_JOB else Seen.STARTING
    return SEEN[observation.phase]


def files_of(assignment: Assignment) -> tuple[str, ...]:
    """The digests that must be on this machine before it can be prepared."""
    if assignment.workload.training:
        digest = assignment.workload.training.code_digest
        return (digest,) if digest else ()
    return (assignment.model.artifact.digest,) if assignment.model else ()


def task_of(assignment: Assignment, cache: ContentCache, folder: Path, gpus: tuple[Gpu, ...] = ()) -> Task:
    """The task, with its files where the cache has them and its part of this host's `gpus`.

    Refused when the assignment lacks what its kind needs, its code is no archive, or it names GPUs that are not here.
    """
    code = folder / "empty"
    if assignment.workload.training:
        if digest := assignment.workload.training.code_digest:
            code = cache.unpacked(digest)
        code.mkdir(parents=True, exist_ok=True)
    return _task(assignment, cache, folder, code, visible(assignment, gpus))


def ending_task_of(assignment: Assignment, cache: ContentCache, folder: Path) -> Task:
    """As much of the task as it takes to end it: it may be here no more, or have been wrong from the first."""
    return _task(assignment, cache, folder, folder / "empty", {})


def _task(assignment: Assignment, cache: ContentCache, folder: Path, code: Path, given: dict[str, str]) -> Task:
    workload = assignment.workload
    demand = workload.demand.resources
    spec: TrainingSpec | InferenceSpec
    if workload.training:
        told = workload.training
        spec = TrainingSpec(
            told.entrypoint,
            code,
            demand,
            assignment.copies,
            told.env,
            told.max_retries,
            told.timeout_ms,
            gpu_share_milli=1000 if workload.demand.mig_profile else workload.demand.gpu_share_milli,
            apart=told.gang is Gang.SPREAD,
        )
    elif workload.inference and assignment.model:
        model = assignment.model
        spec = InferenceSpec(
            model.name,
            str(model.version),
            cache.path(model.artifact.digest),
            model.artifact.digest,
            demand,
            assignment.copies,
            model.format,
            env=given,
            options={"audit": workload.inference.audit.value},
        )
    else:
        raise Refused("has neither a job nor a model to serve", field="assignment", found=assignment.workload_id)
    kind = TaskKind.TRAINING if workload.training else TaskKind.INFERENCE
    return Task(
        assignment.workload_id, workload.name, kind, assignment.generation, spec, folder, assignment.traceparent
    )


def status_of(assignment: Assignment, phase: Phase, seen: Observation | None, at: int, advertise: str) -> Status:
    """What the broker is told. `advertise` replaces the host of TCP endpoints where something stands in front."""
    if seen is None:
        return Status(assignment.workload_id, assignment.generation, phase, at=at)
    detail = seen.detail
    if phase is Phase.FAILED and seen.error_tail:
        detail = "\n".join((detail, *seen.error_tail)).strip()
    endpoints: tuple[Endpoint, ...] = ()
    if phase is Phase.RUNNING:  # before that nobody may count on them
        endpoints = tuple(Endpoint(each.protocol, _shown(each, advertise)) for each in seen.endpoints)
    return Status(
        assignment.workload_id,
        assignment.generation,
        phase,
        detail,
        seen.exit_code or 0,
        max(1, seen.attempt),
        endpoints,
        metrics={key: str(value) for key, value in seen.measurements.items()},
        at=at,
    )


def _shown(endpoint: TaskEndpoint, advertise: str) -> str:
    if endpoint.protocol == "unix" or not advertise:
        return endpoint.address
    return f"{advertise}:{endpoint.address.rpartition(':')[2]}"
