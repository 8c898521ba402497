"""What goes wrong, when, and to whom: drawn from the seed before it starts, so that any fault can be left out again.

Each seed draws which kinds it uses at all and how often (a swarm: most seeds try few kinds hard, so that one kind does
not hide another).
"""

import math
from dataclasses import dataclass
from random import Random

OF_A_SITE = frozenset(
    {
        "kill agent",
        "cut power",
        "cut link",
        "cut up",
        "cut down",
        "slow link",
        "reset",
        "engine trouble",
        "full disk",
        "failing disk",
        "disk error",
        "rot",
    }
)
OF_A_CLOCK = frozenset({"set clock", "suspend", "drift"})
"""Of a site or of the broker."""
KINDS = (
    "kill broker",
    "kill agent",
    "cut power",
    "cut link",
    "cut up",
    "cut down",
    "slow link",
    "reset",
    "reset all",
    "cut engineers",
    "failing log",
    "full log",
    "slow log",
    "damage snapshot",
    "engine trouble",
    "suspend",
    "set clock",
    "full disk",
    "failing disk",
    "disk error",
    "rot",
    "drift",
    "no artifacts",
    "no telemetry",
    "kill broker in a write",
)
OFTEN = 0.35
"""How likely a seed is to try each kind."""
TOGETHER, STORM_S = 0.35, 10.0
"""So many faults come with others, in the same seconds or at the same site: power that goes while a disk is full."""
LONGEST_S = 40.0
"""The longest that one of them lasts."""


@dataclass(frozen=True, order=True)
class Fault:
    """`seconds` is how long it lasts: until the process starts again, the link or the disk is mended; or for ever."""

    at: float
    kind: str
    whom: str = ""
    seconds: float = 0.0
    amount: float = 0.0

    def __str__(self) -> str:
        whom = f" {self.whom}" if self.whom else ""
        lasts = f"for {self.seconds:.1f} s" if self.seconds < math.inf else "for good"
        return f"{self.at:.3f} s: {self.kind}{whom} {lasts}"


def draw(random: Random, lasts_s: float, sites: tuple[str, ...], engineers: tuple[str, ...]) -> list[Fault]:
    """A plan, in the order of time."""
    unlucky, storm = random.choice(sites), random.random() * lasts_s
    kinds = [kind for kind in KINDS if random.random() < OFTEN] or ["kill broker"]
    faults = []
    for kind in kinds:
        for _ in range(1 + int(random.expovariate(1 / 3))):
            at = random.random() * lasts_s
            if random.random() < TOGETHER:
                at = min(lasts_s, storm + random.random() * STORM_S)
            whom = ""
            if kind in OF_A_SITE:
                whom = unlucky if random.random() < TOGETHER else random.choice(sites)
            elif kind in OF_A_CLOCK:
                whom = random.choice((*sites, "broker"))
            elif kind == "cut engineers":
                whom = random.choice(engineers)
            seconds = random.choice((0.0, 1.0, 8.0, LONGEST_S)) * random.random()
            seconds = math.inf if kind == "drift" else seconds  # nobody mends an oscillator
            faults.append(Fault(at, kind, whom, seconds, random.random()))
    return sorted(faults)
