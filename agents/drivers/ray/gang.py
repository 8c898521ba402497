"""The gang of a job: N workers of one demand, all or none. No I/O.

Ray's word for it is a placement group of N bundles. Its strategy is PACK, as few machines as will hold it, because each
machine costs money; or STRICT_SPREAD, a machine for each worker, where the job asks for that. Which GPUs of a machine a
worker has is Ray's to say, among those that its raylet was given (`raylets`): it sets CUDA_VISIBLE_DEVICES itself.
"""

from collections.abc import Iterable

from agents.drivers.base import TrainingSpec
from agents.drivers.ray.provider import WorkerShape
from tidegate.model.errors import Refused

PACKED, APART = "PACK", "STRICT_SPREAD"

LEAST_CPUS_MILLI = 1000
"""What a worker that asks for neither CPUs nor GPUs gets: a bundle of nothing is refused by Ray."""


def strategy(spec: TrainingSpec) -> str:
    """How the bundles stand to each other, in Ray's word."""
    return APART if spec.apart else PACKED


def bundle(spec: TrainingSpec) -> dict[str, float]:
    """One worker's demand in Ray's names: `CPU` in cores, `GPU` in devices or a part of one, `memory` in bytes.

    GPU memory is not among Ray's resources; `check` compares it with the shape instead.
    """
    worker = spec.worker
    gpus = worker.gpus + spec.gpu_share_milli / 1000
    cpus_milli = worker.cpus_milli or (0 if gpus else LEAST_CPUS_MILLI)
    wanted = {"CPU": cpus_milli / 1000, "GPU": gpus, "memory": float(worker.memory_bytes)}
    return {name: amount for name, amount in wanted.items() if amount}


def holds(shape: WorkerShape, spec: TrainingSpec) -> int:
    """How many workers of the gang one machine of this shape can hold; one at most where they stand apart."""
    room, worker = shape.resources, spec.worker
    if worker.gpus and worker.gpu_memory_bytes > room.gpu_memory_bytes:
        return 0
    on_gpus = bool(worker.gpus or spec.gpu_share_milli)
    cpus_milli = worker.cpus_milli or (0 if on_gpus else LEAST_CPUS_MILLI)
    counts = [room.cpus_milli // 1000 * 1000 // cpus_milli] if cpus_milli else []
    counts += [room.memory_bytes // worker.memory_bytes] if worker.memory_bytes else []
    counts += [room.gpus // worker.gpus] if worker.gpus else []
    counts += [room.gpus * (1000 // spec.gpu_share_milli)] if spec.gpu_share_milli else []
    together = min(counts)
    return min(together, 1) if spec.apart else together


def check(spec: TrainingSpec, shapes: Iterable[WorkerShape]) -> None:
    """Raise Refused, with wanted and found, where the gang can never become whole on these shapes."""
    if spec.workers < 1:
        raise Refused("a gang has at least one worker", field="workers", found=spec.workers, wanted=">= 1")
    offered = tuple(shapes)
    room = sum(holds(shape, spec) * shape.max_workers for shape in offered)
    if not room:
        names = ", ".join(shape.name for shape in offered) or "none"
        raise Refused("no worker shape of this site holds one worker", field="worker", found=spec.worker, wanted=names)
    if room < spec.workers:
        raise Refused("the gang is larger than the site", field="workers", found=spec.workers, wanted=f"<= {room}")
