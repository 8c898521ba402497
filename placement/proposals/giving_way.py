"""Giving way: what a workload can ask less of, rule by rule, to be allowed where it is refused.

Each change goes as far as the miss says and no further, and to nothing that is not less of the same: no amount becomes
0. A quota is met by fewer copies or, where there is one copy, by less of the amount that is too much.

A trial is a workload and a site as they would be, with what was changed to get there; `without` takes a change back.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from placement.rules.rule import Rule
from tidegate.model.decision import Change, Miss
from tidegate.model.site import Site
from tidegate.model.workload import Gang, Spread, Workload


@dataclass(frozen=True, slots=True)
class Trial:
    """A workload and a site as they would be, and what was changed to get there."""

    workload: Workload
    site: Site
    changes: tuple[Change, ...] = ()
    fewer: bool = False
    """Whether there are to be fewer copies, rather than that they stand closer."""


def without(trial: Trial, change: Change, workload: Workload, site: Site) -> Trial:
    """The trial with one change taken back, to what the workload and the site said first."""
    kept = tuple(one for one in trial.changes if one is not change)
    path = PATHS[change.field]
    if path[0] == "site":
        return Trial(trial.workload, _put(trial.site, path[1:], _get(site, path[1:])), kept)
    fewer = change.field in COPIES
    return Trial(_put(trial.workload, path, _get(workload, path)), trial.site, kept, fewer)


def _get(noun: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        noun = getattr(noun, name)
    return noun


def _put(noun: Any, path: tuple[str, ...], value: Any) -> Any:
    if len(path) > 1:
        value = _put(getattr(noun, path[0]), path[1:], value)
    return replace(noun, **{path[0]: value})


PATHS: dict[str, tuple[str, ...]] = {
    "site.agreements": ("site", "agreements"),
    "data.deidentified": ("data", "deidentified"),
    "data.attestation": ("data", "attestation"),
    "data.bytesPerDay": ("data", "bytes_per_day"),
    "latency.p99": ("latency", "p99_us"),
    "demand.gpus": ("demand", "resources", "gpus"),
    "demand.gpuShare": ("demand", "gpu_share_milli"),
    "demand.gpuMemory": ("demand", "resources", "gpu_memory_bytes"),
    "demand.cpus": ("demand", "resources", "cpus_milli"),
    "demand.memory": ("demand", "resources", "memory_bytes"),
    "training.workers": ("training", "workers"),
    "training.gang": ("training", "gang"),
    "replicas.min": ("inference", "replicas", "minimum"),
    "replicas.spread": ("inference", "replicas", "spread"),
    "maxCost": ("max_cost_micros_per_hour",),
}
"""Where each field stands."""
COPIES = ("training.workers", "replicas.min")


def satisfy(rule: Rule, miss: Miss, trial: Trial, judged: Workload) -> Trial | None:
    """The trial changed just enough for one rule; None where nothing that may be changed would do.

    `judged`: the workload that the miss was found for, which other rules may have changed since.
    """
    if rule.name in QUOTAS:
        return _quota(trial, miss, judged)
    change = GIVE_WAY.get(rule.name)
    return change(trial, miss) if change and not miss.found else None


def with_change(trial: Trial, change: Change, *, workload: Workload | None = None, site: Site | None = None) -> Trial:
    """The trial with one more change; a field that was changed before keeps its first `before`."""
    earlier = next((one for one in trial.changes if one.field == change.field), None)
    kept = tuple(one for one in trial.changes if one is not earlier)
    change = replace(change, before=earlier.before) if earlier else change
    return Trial(workload or trial.workload, site or trial.site, (*kept, change))


def _latency(trial: Trial, miss: Miss) -> Trial | None:
    latency = trial.workload.latency
    assert latency is not None
    after = -(-miss.found_number // 1000) * 1000
    change = Change("latency.p99", _duration(latency.p99_us), _duration(after))
    return with_change(trial, change, workload=replace(trial.workload, latency=replace(latency, p99_us=after)))


def _volume(trial: Trial, miss: Miss) -> Trial | None:
    """Less data; what telemetry takes of the link is not the data's to give."""
    data = trial.workload.data
    after = data.bytes_per_day - (miss.wanted_number - miss.found_number)
    if after <= 0:
        return None
    change = Change("data.bytesPerDay", _bytes(data.bytes_per_day), _bytes(after))
    return with_change(trial, change, workload=replace(trial.workload, data=replace(data, bytes_per_day=after)))


def _amount(key: str, field: str, show: Callable[[int], str]) -> Callable[[Trial, Miss], Trial | None]:
    """Giving way in one amount of the demand. An amount of 0 is no less of the same but something else."""

    def change(trial: Trial, miss: Miss) -> Trial | None:
        if miss.found_number <= 0:
            return None
        demand = trial.workload.demand
        resources = replace(demand.resources, **{field: miss.found_number})
        workload = replace(trial.workload, demand=replace(demand, resources=resources))
        return with_change(trial, Change(key, show(miss.wanted_number), show(miss.found_number)), workload=workload)

    return change


def _gpus_free(trial: Trial, miss: Miss) -> Trial | None:
    """Fewer whole GPUs, or a smaller share; an instance is what it is."""
    demand = trial.workload.demand
    if demand.gpu_share_milli and miss.found_number > 0:
        smaller = replace(trial.workload, demand=replace(demand, gpu_share_milli=miss.found_number))
        before, after = f"{miss.wanted_number}m", f"{miss.found_number}m"
        return with_change(trial, Change("demand.gpuShare", before, after), workload=smaller)
    return None if demand.mig_profile else _amount("demand.gpus", "gpus", str)(trial, miss)


def _copies(trial: Trial, miss: Miss) -> Trial | None:
    if miss.found_number <= 0:
        return None
    return _fewer(trial, miss.found_number)


def _fewer(trial: Trial, after: int) -> Trial:
    """So many copies, or as few as there are already."""
    workload = trial.workload
    if after >= workload.copies:
        return trial
    if workload.training:
        changed = replace(workload, training=replace(workload.training, workers=after))
        return with_change(trial, Change("training.workers", str(workload.copies), str(after)), workload=changed)
    assert workload.inference is not None
    replicas = replace(workload.inference.replicas, minimum=after)
    changed = replace(workload, inference=replace(workload.inference, replicas=replicas))
    return with_change(trial, Change("replicas.min", str(workload.copies), str(after)), workload=changed)


def _quota(trial: Trial, miss: Miss, judged: Workload) -> Trial | None:
    """As many copies as the bound leaves room for; where it leaves none for one, less of what is too much."""
    name = miss.key.split(".", 2)[2].partition("/")[0]
    demand, copies = judged.demand, judged.copies
    r = demand.resources
    each = {"gpus": demand.gpu_milli, "cpus": r.cpus_milli, "memory": r.memory_bytes}[name]
    too_much = miss.found_number - miss.wanted_number
    fewer = copies - -(-too_much // each)
    if fewer > 0:
        return _fewer(trial, fewer)
    if copies > 1:
        return None
    left = each - too_much
    if name == "gpus" and demand.gpu_share_milli:
        miss = replace(miss, wanted_number=each, found_number=left)
        return _gpus_free(trial, miss)
    if name == "gpus":
        left, each = left // 1000, r.gpus
    change = {"gpus": GIVE_WAY["gpus"], "cpus": GIVE_WAY["cpus"], "memory": GIVE_WAY["memory"]}[name]
    return (
        None
        if demand.mig_profile and name == "gpus"
        else change(trial, replace(miss, wanted_number=each, found_number=left))
    )


def _spread(trial: Trial, miss: Miss) -> Trial | None:
    """Closer together; where there are to be fewer copies anyway, so few that they need not be."""
    if miss.found_number > 0 and (trial.fewer or any(one.field in COPIES for one in trial.changes)):
        return _fewer(trial, miss.found_number)
    if trial.workload.training:
        packed = replace(trial.workload, training=replace(trial.workload.training, gang=Gang.PACKED))
        return with_change(trial, Change("training.gang", Gang.SPREAD.value, Gang.PACKED.value), workload=packed)
    inference = trial.workload.inference
    assert inference is not None
    replicas = replace(inference.replicas, spread=Spread.NONE)
    changed = replace(trial.workload, inference=replace(inference, replicas=replicas))
    return with_change(
        trial, Change("replicas.spread", trial.workload.spread.value, Spread.NONE.value), workload=changed
    )


def _max_cost(trial: Trial, miss: Miss) -> Trial | None:
    change = Change("maxCost", _dollars(miss.wanted_number), _dollars(miss.found_number))
    return with_change(trial, change, workload=replace(trial.workload, max_cost_micros_per_hour=miss.found_number))


def _duration(us: int) -> str:
    return f"{us // 1000}ms" if us % 1000 == 0 else f"{us}us"


def _bytes(count: int) -> str:
    for unit, size in (("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
        if count and count % size == 0:
            return f"{count // size}{unit}"
    return str(count)


def _cpus(milli: int) -> str:
    return f"{milli}m" if milli % 1000 else str(milli // 1000)


def _dollars(micros: int) -> str:
    """Dollars per hour, exactly: six digits, less trailing zeros."""
    return f"{micros // 1_000_000}.{micros % 1_000_000:06d}".rstrip("0").rstrip(".")


GIVE_WAY: dict[str, Callable[[Trial, Miss], Trial | None]] = {
    "latency": _latency,
    "volume": _volume,
    "volume-free": _volume,
    "gpus": _amount("demand.gpus", "gpus", str),
    "gpu-memory": _amount("demand.gpuMemory", "gpu_memory_bytes", _bytes),
    "cpus": _amount("demand.cpus", "cpus_milli", _cpus),
    "memory": _amount("demand.memory", "memory_bytes", _bytes),
    "gpus-free": _gpus_free,
    "gpu-memory-free": _amount("demand.gpuMemory", "gpu_memory_bytes", _bytes),
    "cpus-free": _amount("demand.cpus", "cpus_milli", _cpus),
    "memory-free": _amount("demand.memory", "memory_bytes", _bytes),
    "copies": _copies,
    "copies-free": _copies,
    "spread": _spread,
    "max-cost": _max_cost,
}
"""By rule; a rule that is neither here nor a quota cannot be cured by asking for less."""
QUOTAS = ("team-limit", "team-quota")
