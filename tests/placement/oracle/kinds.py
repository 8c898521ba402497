"""Kinds of cases, and how many of each a run must have met to mean anything."""

from collections import Counter

EXPECTED: dict[str, int] = {
    "placed": 10,
    "refused": 3,
    "waiting": 100,
    "spread over sites": 1_500,
    "on several offers": 500,
    "on GPUs: whole": 50,
    "on GPUs: share": 300,
    "on GPUs: instance": 4_000,
    "fallen back on CPUs": 300,
    "with a penalty": 500,
    "from several books": 30,
    "left out": 200,
    "would fit by 1": 30,
    "would fit by 2": 200,
    "would fit by 3": 1_500,
    "could be cheaper": 6_000,
    "with nobody to displace": 100,
    "with 1 victims": 400,
    "with 2 victims": 5_000,
    "with a rule's price": 400,
    "with a law's price": 2_500,
    **{
        f"no: {rule}": 1_000
        for rule in (
            "law",
            "available",
            "engine",
            "latency",
            "volume",
            "gpus",
            "gpu-model",
            "gpu-memory",
            "gpu-sharing",
            "cpus",
            "memory",
            "copies",
            "spread",
            "max-cost",
            "volume-free",
            "gpus-free",
            "cpus-free",
            "memory-free",
            "copies-free",
            "team-limit",
            "team-quota",
            "team-budget",
            "products",
        )
    },
    "no: gpu-memory-free": 2_000,
}
"""By kind: in so many cases there is hardly ever none. A run of three times as many must have met one."""


def missing(kinds: Counter[str], cases: int) -> list[str]:
    """What never came up in so many cases, and should have."""
    return sorted(kind for kind, among in EXPECTED.items() if cases >= 3 * among and not kinds[kind])


def table(kinds: Counter[str], cases: int) -> list[str]:
    """How often each kind came up."""
    width = max((len(kind) for kind in kinds), default=0)
    return [f"{kind:{width}} {count:8} {100 * count / max(cases, 1):6.2f} %" for kind, count in sorted(kinds.items())]
