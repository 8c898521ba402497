"""Other mixes of work from the same trace, made as its authors say theirs were: sampled from the default list.

`cpuX`: tasks without GPUs, X % of as many as the authors counted, drawn with replacement. `gpushareX`: X % of the GPUs
asked for are asked for in shares, the rest whole. `multigpuX`: tasks of 2, 4 and 8 GPUs added until they ask for X %.
`gpuspecX`: X % of the GPU tasks name the models that will do, in the proportions seen at two places of the published
list of one third. The published lists themselves are not here, so levels differ by some tenths of a point from theirs
(gpuspec33 by more: theirs is scarcer in some model); what is compared is always paired, on the same arrivals.
"""

import numpy as np

from placement.pool.nouns import Ask
from tests.bench.trace import Trace, load, trace_of

NAMES = (
    "default",
    *(f"cpu{x:03d}" for x in (50, 100, 200, 250)),
    *(f"gpushare{x}" for x in (40, 60, 80, 100)),
    *(f"gpuspec{x}" for x in (10, 20, 25, 33)),
    *(f"multigpu{x}" for x in (20, 30, 40, 50)),
)
COUNTED = 0.87
"""Of the default list's tasks without GPUs, what 100 % is; so that fragmentation comes out as published."""
V100 = ("V100M16", "V100M32")
SEEN_WHOLE = {
    ("T4",): 26,
    V100: 18,
    ("G2",): 12,
    ("P100", *V100): 5,
    ("G3",): 3,
    ("P100", "T4", *V100): 2,
    ("G2", "P100", "T4", *V100): 1,
}
SEEN_SHARES = {("T4",): 38, ("P100",): 13, ("G2", "P100", "T4", *V100): 2}


def variant(name: str, seed: int = 0) -> Trace:
    """The trace of that name; `seed` draws another of the same kind."""
    trace = load()
    asks = [trace.mix[task].ask for task in trace.tasks]
    if name == "default":
        return trace
    family = name.rstrip("0123456789")
    share = int(name[len(family) :]) / 100
    chance = np.random.default_rng([seed, *name.encode()])
    return trace_of(
        {"cpu": _cpu, "gpushare": _shared, "multigpu": _multi, "gpuspec": _spec}[family](asks, share, chance)
    )


def _cpu(asks: list[Ask], share: float, chance: np.random.Generator) -> list[Ask]:
    bare = [ask for ask in asks if not ask.gpus]
    picked = chance.integers(len(bare), size=int(share * COUNTED * len(bare)))
    return [bare[index] for index in picked] + [ask for ask in asks if ask.gpus]


def _shared(asks: list[Ask], share: float, chance: np.random.Generator) -> list[Ask]:
    total = sum(ask.gpu_milli for ask in asks)
    shares = [ask for ask in asks if ask.share_milli]
    whole = [ask for ask in asks if ask.gpus and not ask.share_milli]
    bare = [ask for ask in asks if not ask.gpus]
    return bare + _until(shares, total * share, chance) + _until(whole, total * (1 - share), chance)


def _multi(asks: list[Ask], share: float, chance: np.random.Generator) -> list[Ask]:
    several = [ask for ask in asks if ask.gpus > 1]
    total, had = sum(ask.gpu_milli for ask in asks), sum(ask.gpu_milli for ask in several)
    return asks + _until(several, (share * total - had) / (1 - share), chance)


def _spec(asks: list[Ask], share: float, chance: np.random.Generator) -> list[Ask]:
    return [_named(ask, chance) if ask.gpus and chance.random() < share else ask for ask in asks]


def _named(ask: Ask, chance: np.random.Generator) -> Ask:
    if ask.gpus == 8:
        models: tuple[str, ...] = ("G2",)
    elif ask.gpus == 4:
        models = ("G2",) if chance.random() < 0.5 else V100
    else:
        seen = SEEN_SHARES if ask.share_milli else SEEN_WHOLE
        weights = np.array(list(seen.values())) / sum(seen.values())
        models = list(seen)[int(chance.choice(len(seen), p=weights))]
    return Ask(ask.cpus_milli, ask.memory_bytes, ask.gpus, ask.share_milli, models)


def _until(asks: list[Ask], milli: float, chance: np.random.Generator) -> list[Ask]:
    """Drawn with replacement until they ask for so much."""
    found: list[Ask] = []
    while milli > 0:
        found.append(asks[int(chance.integers(len(asks)))])
        milli -= found[-1].gpu_milli
    return found
