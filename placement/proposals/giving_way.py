"""Giving way: what a workload can ask less of, rule by rule, to be allowed where it is refused.

Each change goes as far as the miss says and no further, and to nothing that is not less of the same: no amount becomes
0. A quota is met by fewer copies or, where there is one copy, by less of the amount that is too much.
"""

from collections.abc import Callable
from dataclasses import replace

from placement.proposals.amounts import (
    CPUS,
    GPU_MEMORY,
    GPUS,
    LATENCY,
    MAX_COST,
    MEMORY,
    REPLICAS,
    SHARE,
    VOLUME,
    WORKERS,
    Amount,
)
from placement.proposals.trial import COPIES, QUOTAS, Trial
from placement.rules.rule import Rule
from tidegate.model.decision import Change, Miss
from tidegate.model.workload import Gang, Spread, Workload


def satisfy(rule: Rule, miss: Miss, trial: Trial, judged: Workload) -> Trial | None:
    """The trial changed just enough for one rule; None where nothing that may be changed would do.

    `judged`: the workload that the miss was found for, which other rules may have changed since.
    """
    if rule.name in QUOTAS:
        return _quota(trial, miss, judged)
    change = GIVE_WAY.get(rule.name)
    return change(trial, miss) if change and not miss.found else None


def stand_closer(trial: Trial) -> Trial:
    """The trial with its copies as close together as there is room."""
    training, inference = trial.workload.training, trial.workload.inference
    if training:
        packed = replace(trial.workload, training=replace(training, gang=Gang.PACKED))
        return trial.with_change(Change("training.gang", Gang.SPREAD.value, Gang.PACKED.value), workload=packed)
    assert inference is not None
    replicas = replace(inference.replicas, spread=Spread.NONE)
    changed = replace(trial.workload, inference=replace(inference, replicas=replicas))
    change = Change("replicas.spread", trial.workload.spread.value, Spread.NONE.value)
    return trial.with_change(change, workload=changed)


def copies_of(trial: Trial) -> Amount:
    """The number of its copies."""
    return WORKERS if trial.workload.training else REPLICAS


def _latency(trial: Trial, miss: Miss) -> Trial | None:
    return LATENCY.at(trial, -(-miss.found_number // LATENCY.step) * LATENCY.step)


def _volume(trial: Trial, miss: Miss) -> Trial | None:
    """Less data; what telemetry takes of the link is not the data's to give."""
    after = VOLUME.of(trial) - (miss.wanted_number - miss.found_number)
    return VOLUME.at(trial, after) if after > 0 else None


def _less(amount: Amount) -> Callable[[Trial, Miss], Trial | None]:
    """Giving way in one amount of the demand. An amount of 0 is no less of the same but something else."""
    return lambda trial, miss: amount.at(trial, miss.found_number) if miss.found_number > 0 else None


def _gpus_free(trial: Trial, miss: Miss) -> Trial | None:
    """Fewer whole GPUs, or a smaller share; an instance is what it is."""
    demand = trial.workload.demand
    if demand.mig_profile or miss.found_number <= 0:
        return None
    return (SHARE if demand.gpu_share_milli else GPUS).at(trial, miss.found_number)


def _copies(trial: Trial, miss: Miss) -> Trial | None:
    return _fewer(trial, miss.found_number) if miss.found_number > 0 else None


def _fewer(trial: Trial, after: int) -> Trial:
    """So many copies, or as few as there are already."""
    return trial if after >= trial.workload.copies else copies_of(trial).at(trial, after)


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
    if name == "gpus":
        return _gpus_free(trial, replace(miss, found_number=left if demand.gpu_share_milli else left // 1000))
    return _less(CPUS if name == "cpus" else MEMORY)(trial, replace(miss, found_number=left))


def _spread(trial: Trial, miss: Miss) -> Trial | None:
    """Closer together; where there are to be fewer copies anyway, so few that they need not be."""
    if miss.found_number > 0 and (trial.fewer or any(one.field in COPIES for one in trial.changes)):
        return _fewer(trial, miss.found_number)
    return stand_closer(trial)


def _max_cost(trial: Trial, miss: Miss) -> Trial | None:
    return MAX_COST.at(trial, miss.found_number)


GIVE_WAY: dict[str, Callable[[Trial, Miss], Trial | None]] = {
    "latency": _latency,
    "volume": _volume,
    "volume-free": _volume,
    "gpus": _less(GPUS),
    "gpu-memory": _less(GPU_MEMORY),
    "cpus": _less(CPUS),
    "memory": _less(MEMORY),
    "gpus-free": _gpus_free,
    "gpu-memory-free": _less(GPU_MEMORY),
    "cpus-free": _less(CPUS),
    "memory-free": _less(MEMORY),
    "copies": _copies,
    "copies-free": _copies,
    "spread": _spread,
    "max-cost": _max_cost,
}
"""By rule. What is in neither these nor those below cannot be cured by asking for less."""
FOR_OTHERS = frozenset({*QUOTAS, "team-budget", "copies", "copies-free", "max-cost"})
"""Rules that may be met by what is changed for others, where they name no amount that would do."""
