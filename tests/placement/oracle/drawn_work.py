"""Random workloads and demands: few sizes, so that they collide."""

from tests.placement.oracle.dice import GIB, ORIGINS, Dice
from tidegate.model.quantity import Resources
from tidegate.model.site import Tier
from tidegate.model.workload import (
    Audit,
    Data,
    Demand,
    Gang,
    Inference,
    Latency,
    Prefer,
    Priority,
    Replicas,
    Schedule,
    Spread,
    Training,
    Wait,
    Workload,
    WorkloadKind,
)


def demand(dice: Dice) -> Demand:
    form = dice.one("none", "none", "whole", "whole", "share", "mig")
    r = Resources(0, 0, dice.one(0, 500, 500, 1_000, 2_000), dice.one(0, 1, 1, 2, 4) * GIB)
    fallback = dice.often(0.2)
    if form == "whole":
        r = Resources(dice.one(1, 1, 2), dice.one(0, 20, 32) * GIB, r.cpus_milli, r.memory_bytes)
        return Demand(r, gpu_models=dice.one((), (), ("l4",), ("a30", "a100")), cpu_fallback=fallback)
    if form == "share":
        r = Resources(0, dice.one(0, 6, 10) * GIB, r.cpus_milli, r.memory_bytes)
        share = dice.one(250, 500, 600)
        return Demand(r, cpu_fallback=fallback, gpu_share_milli=share, time_slicing=dice.often())
    if form == "mig":
        r = Resources(0, dice.one(0, 4, 9) * GIB, r.cpus_milli, r.memory_bytes)
        profile = dice.one("1g.6gb", "2g.12gb", "1g.5gb", "1g.10gb", "2g.10gb", "3g.20gb", "1g.5gb+me", "7g.40gb")
        return Demand(r, cpu_fallback=fallback, mig_profile=profile)
    return Demand(r, cpu_fallback=fallback)


def small_demand(dice: Dice) -> Demand:
    """One that often has room beside others: a GPU or two of any model, or CPUs."""
    r = Resources(dice.one(0, 1, 1, 1, 2), 0, dice.one(500, 1_000, 1_000, 2_000), dice.one(0, 0, 1) * GIB)
    if r.gpus or dice.often(0.7):
        return Demand(r)
    return Demand(r, gpu_share_milli=dice.one(500, 600), time_slicing=True)


def on_gpus(dice: Dice) -> Demand:
    """A GPU or two, of which models there may be quotas; now and then CPUs do as well."""
    r = Resources(dice.one(1, 1, 2), 0, dice.one(500, 1_000, 2_000), dice.one(0, 0, 1) * GIB)
    return Demand(r, gpu_models=dice.one((), (), (), ("l4",), ("a30", "a100")), cpu_fallback=dice.often(0.3))


def ceiling(dice: Dice, crowded: bool) -> int:
    """Micros an hour; 0 for none."""
    return 0 if crowded else dice.one(0, 0, 0, 60_000, 900_000)


def data(dice: Dice) -> Data:
    deidentified = dice.often(0.3)
    return Data(
        classes=dice.one(("pii",), ("phi", "pii"), ("public",), ("unknown",)),
        subjects=dice.one((), ("DE",), ("US",), ("US-CA",), ("EU", "US")),
        deidentified=deidentified,
        attestation=dice.one("", "board") if deidentified else "",
        origin=dice.one("", *ORIGINS),
        bytes_per_day=dice.one(0, GIB, 3 * GIB, 4 * GIB),
        size_bytes=dice.one(0, 7 * GIB),
    )


def workload(dice: Dice, mood: str) -> Workload:
    crowded, anything, metered = mood in ("crowded", "metered"), mood == "anything", mood == "metered"
    training, copies = dice.often(0.4), dice.one(1, 1, 1, 2, 2, 3, 4) if anything else dice.one(1, 1, 1, 1, 2, 2, 3)
    latency = None
    if mood == "distant" or dice.often(0.3 if anything else 0.1):
        latency = Latency(dice.one(4_000, 12_000, 33_000), dice.some(ORIGINS, 2), dice.one(0, 1_000))
    inference = Inference(
        "models:/m@latest",
        replicas=Replicas(copies, copies, dice.one(*Spread)),
        requests_per_day=dice.one(0, 0, 1_500_000),
        audit=dice.one(*Audit),
    )
    gang = dice.one(*Gang)
    job = Training(
        "python train.py",
        workers=copies,
        gang=gang,
        checkpoint_every_ms=dice.one(0, 600_001),
        timeout_ms=dice.one(0, 7_200_001),
        schedule=Schedule(run_ms=dice.one(0, 59_999, 3_600_001)),
    )
    return Workload(
        name=dice.one("a", "b"),
        kind=WorkloadKind.TRAINING_JOB if training else WorkloadKind.INFERENCE_SERVICE,
        demand=on_gpus(dice)
        if metered
        else small_demand(dice)
        if crowded or (not anything and dice.often(0.6))
        else demand(dice),
        team=dice.one("vision", "vision", "press", "lab", "strange") if crowded else dice.one("", "vision"),
        data=data(dice),
        latency=latency,
        prefer=Prefer(dice.one((), (), (Tier.EDGE,)), dice.one((), (), ("s1",))),
        max_cost_micros_per_hour=dice.one(0, 0, 60_000, 200_000, 900_000) if metered else ceiling(dice, crowded),
        training=job if training else None,
        inference=None if training else inference,
        priority=dice.one(None, None, *Priority),
        preemptible=dice.often(0.2),
        wait=dice.one(None, None, Wait(3_600_000), Wait(never=True)),
        labels=dice.one({}, {"risk": "high"}, {"risk": "3"}),
        carries=tuple(data(dice) for _ in range(0 if training else dice.one(0, 0, 0, 1))),
    )
