"""Amounts: what is counted of a holding, a quota or a capacity, as whole numbers by name.

    gpus          thousandths of a GPU, of any model        gpus/H100    the same, of that model
    cpus          thousandths of a CPU                      memory       bytes

A name that is missing is 0. GPU memory is per device and adds up to nothing, so it is not counted.
"""

from collections.abc import Iterable, Iterator, Mapping

from tidegate.model.decision import Unit
from tidegate.model.money import Quota
from tidegate.model.workload import Workload

Amounts = dict[str, int]

GPUS, CPUS, MEMORY = "gpus", "cpus", "memory"
_OF_MODEL = "gpus/"


def amounts(gpu_milli: int, cpus_milli: int, memory_bytes: int, gpu_model: str = "") -> Amounts:
    """What these are by name; nothing is kept for a 0."""
    found = {GPUS: gpu_milli, CPUS: cpus_milli, MEMORY: memory_bytes}
    if gpu_model:
        found[_OF_MODEL + gpu_model] = gpu_milli
    return {name: amount for name, amount in found.items() if amount}


def of_quota(quota: Quota) -> Amounts:
    """A declared quota by name."""
    sums = quota.resources
    found = amounts(sums.gpus * 1000, sums.cpus_milli, sums.memory_bytes)
    found.update({_OF_MODEL + model: milli for model, milli in quota.gpu_models.items() if milli})
    return found


def asked(workload: Workload, gpu_model: str = "") -> Amounts:
    """What all copies of a workload take on GPUs of a model. One that falls back on CPUs is held to its GPUs."""
    demand, copies = workload.demand, workload.copies
    sums = demand.resources
    return amounts(demand.gpu_milli * copies, sums.cpus_milli * copies, sums.memory_bytes * copies, gpu_model)


def total(parts: Iterable[Mapping[str, int]]) -> Amounts:
    """Their sum."""
    found: Amounts = {}
    for part in parts:
        add(found, part)
    return found


def add(into: Amounts, part: Mapping[str, int], sign: int = 1) -> None:
    """Add in place (or, with `sign` -1, take away); what comes to 0 goes."""
    for name, amount in part.items():
        left = into.get(name, 0) + sign * amount
        if left:
            into[name] = left
        else:
            into.pop(name, None)


def plus(one: Mapping[str, int], other: Mapping[str, int]) -> Amounts:
    """The sum of two."""
    return total((one, other))


def over(found: Mapping[str, int], most: Mapping[str, int]) -> Iterator[str]:
    """The names in which `found` exceeds `most`, GPUs first. What `most` does not name is not limited."""
    return (name for name in sorted(most, key=_place) if found.get(name, 0) > most[name])


def unit(name: str) -> Unit:
    """How an amount of that name is to be read."""
    return Unit.CPUS_MILLI if name == CPUS else Unit.BYTES if name == MEMORY else Unit.GPU_MILLI


def _place(name: str) -> tuple[int, str]:
    return (0 if name.startswith(GPUS) else 1, name)
