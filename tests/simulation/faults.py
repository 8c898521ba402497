"""What goes wrong, when, and to whom: drawn from the seed before it starts, so that any fault can be left out again.

Each seed draws which kinds it uses at all and how often (a swarm: most seeds try few kinds hard, so that one kind does
not hide another).
"""

from dataclasses import dataclass
from random import Random

OF_A_SITE = frozenset({"kill agent", "cut power", "cut link", "cut up", "cut down", "slow link", "reset"})
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
)
LONGEST_S = 40.0
"""The longest that one of them lasts."""


@dataclass(frozen=True, order=True)
class Fault:
    """`seconds` is how long it lasts: until the process starts again, or the link is mended."""

    at: float
    kind: str
    whom: str = ""
    seconds: float = 0.0
    amount: float = 0.0

    def __str__(self) -> str:
        whom = f" {self.whom}" if self.whom else ""
        return f"{self.at:.3f} s: {self.kind}{whom} for {self.seconds:.1f} s"


def draw(random: Random, lasts_s: float, sites: tuple[str, ...], engineers: tuple[str, ...]) -> list[Fault]:
    """A plan, in the order of time."""
    kinds = [kind for kind in KINDS if random.random() < 0.4] or ["kill broker"]
    faults = []
    for kind in kinds:
        for _ in range(1 + int(random.expovariate(1 / 3))):
            at = random.random() * lasts_s
            whom = ""
            if kind in OF_A_SITE or kind == "engine trouble":
                whom = random.choice(sites)
            elif kind in ("set clock", "suspend"):
                whom = random.choice((*sites, "broker"))
            elif kind == "cut engineers":
                whom = random.choice(engineers)
            seconds = random.choice((0.0, 1.0, 8.0, LONGEST_S)) * random.random()
            faults.append(Fault(at, kind, whom, seconds, random.random()))
    return sorted(faults)
