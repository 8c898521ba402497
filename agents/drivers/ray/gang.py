"""The gang of a job: N workers of one demand, all or none. No I/O.

Ray's word for it is a placement group of N bundles. Its strategy is PACK: as few machines as will hold it, because each
machine costs money; a site that wants its workers apart offers a shape that holds one.
"""

from collections.abc import Iterable

from agents.drivers.base import TrainingSpec
from agents.drivers.ray.provider import WorkerShape
from tidegate.model.errors import Refused
from tidegate.model.quantity import Resources

STRATEGY = "PACK"

LEAST_CPUS_MILLI = 1000
"""What a worker that asks for neither CPUs nor GPUs gets: a bundle of nothing is refused by Ray."""


def bundle(worker: Resources) -> dict[str, float]:
    """One worker's demand in Ray's names: `CPU` in cores, `GPU` in devices, `memory` in bytes.

    GPU memory is not among Ray's resources; `check` compares it with the shape instead.
    """
    cpus_milli = worker.cpus_milli or (0 if worker.gpus else LEAST_CPUS_MILLI)
    wanted = {"CPU": cpus_milli / 1000, "GPU": float(worker.gpus), "memory": float(worker.memory_bytes)}
    return {name: amount for name, amount in wanted.items() if amount}


def holds(shape: WorkerShape, worker: Resources) -> int:
    """How many such workers of a gang one machine of this shape can hold."""
    room = shape.resources
    if worker.gpus and worker.gpu_memory_bytes > room.gpu_memory_bytes:
        return 0
    asked = bundle(worker)
    given = {"CPU": room.cpus_milli // 1000, "GPU": room.gpus, "memory": room.memory_bytes}
    return min(int(given[name] // amount) for name, amount in asked.items())


def check(spec: TrainingSpec, shapes: Iterable[WorkerShape]) -> None:
    """Raise Refused, with wanted and found, where the gang can never become whole on these shapes."""
    if spec.workers < 1:
        raise Refused("a gang has at least one worker", field="workers", found=spec.workers, wanted=">= 1")
    offered = tuple(shapes)
    room = sum(holds(shape, spec.worker) * shape.max_workers for shape in offered)
    if not room:
        names = ", ".join(shape.name for shape in offered) or "none"
        raise Refused("no worker shape of this site holds one worker", field="worker", found=spec.worker, wanted=names)
    if room < spec.workers:
        raise Refused("the gang is larger than the site", field="workers", found=spec.workers, wanted=f"<= {room}")
