"""What a seed draws before anything happens: its size, its people's habits, its faults, and what it is to show.

Two modes. In a *safety* seed faults go on to the last second and the world is judged as it then lies, broken: nothing
acknowledged may be lost, nothing illegal stand, nothing healthy have been stopped. In a *liveness* seed faults end at
`lasts_s` for a core (the broker and some or all of the sites; the rest may stay away for ever), and the core must come
to rest within a bound.

Every setting is a value that can be made smaller, so a history that finds something can be shrunk (`shrinking`).
"""

from dataclasses import dataclass
from random import Random

from tests.simulation import faults
from tests.simulation.faults import Fault

HABITS = {
    "law": 0.35,
    "teams": 0.4,
    "prices": 0.3,
    "tight": 0.55,
    "waits": 0.5,
    "plans": 0.3,
    "revisions": 0.3,
    "sites": 0.2,
    "gpus": 0.3,
    "threads": 0.2,
    "snapshots": 0.4,
}
"""How likely a seed is to have each: people who apply and withdraw policies, teams with quotas, dated price books;
little room; work that waits, has a priority or may be displaced; plans that are adopted, at once or too late;
submissions that stand on a revision; sites that are declared anew; GPUs, whole and shared; threads that take time;
snapshots every few events."""


@dataclass(frozen=True)
class Settings:
    """One seed's, or what shrinking left of it."""

    seed: int
    liveness: bool
    sites: tuple[str, ...]
    core: tuple[str, ...]
    """In a liveness seed, the sites that are whole at the end; all of them in most."""
    people: tuple[str, ...]
    habits: tuple[str, ...]
    pace_s: float
    slowest_s: float
    lasts_s: float
    plan: tuple[Fault, ...]
    skipped: frozenset[str] = frozenset()
    """Requests that shrinking left out, by key."""

    @staticmethod
    def draw(seed: int) -> "Settings":
        random = Random(f"settings/{seed}")
        sites = tuple(f"site-{number}" for number in range(random.randint(1, 5)))
        people = tuple(f"engineer-{number}" for number in range(random.randint(1, 3)))
        lasts_s = random.choice((30.0, 60.0, 120.0))
        whole = random.random() < 0.75
        core = sites if whole else tuple(random.sample(sites, random.randint(1, len(sites))))
        return Settings(
            seed=seed,
            liveness=random.random() < 0.7,
            sites=sites,
            core=tuple(sorted(core)),
            people=people,
            habits=tuple(habit for habit, often in HABITS.items() if random.random() < often),
            pace_s=random.choice((1.0, 2.0, 5.0)),
            slowest_s=random.choice((0.002, 0.02, 0.2)),
            lasts_s=lasts_s,
            plan=tuple(faults.draw(random, lasts_s, sites, people)),
        )

    def __str__(self) -> str:
        mode = f"liveness, with {len(self.core)} of them whole at the end" if self.liveness else "safety"
        habits = ", ".join(self.habits) or "none"
        return (
            f"seed {self.seed}: {len(self.sites)} sites, {len(self.people)} engineers, {self.lasts_s:.0f} s; {mode}\n"
            f"  habits: {habits}; a request every {self.pace_s:.0f} s, {self.slowest_s * 1000:.0f} ms a message"
        )
