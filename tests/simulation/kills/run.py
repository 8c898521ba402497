"""One run of kills, as a command: its arguments, a folder, a world that is lived in, and what was found in it."""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from tests.simulation.kills.fleet import ANYWHERE, Fleet
from tests.simulation.kills.points import Point


class Lived(Protocol):
    """A world in which daemons die."""

    fleet: Fleet
    deaths: Counter[str]

    async def live(self) -> None:
        """All deaths. AssertionError where something does not hold."""

    def told(self) -> str:
        """What was asked meanwhile, and what became of it."""

    def verdict(self) -> int:
        """1 where too little happened to mean anything."""


def run(
    program: str, kills: int, points: Sequence[Point], world_of: Callable[[Path, int, int], Lived], words: list[str]
) -> int:
    """The exit code: 1 where anything was found, or too little happened. `world_of` a folder, a seed, so many kills."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}")
    parser.add_argument("--kills", type=int, default=kills)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--in", dest="folder", type=Path, help="a folder that is kept")
    chosen = parser.parse_args(words)
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # whoever is told to end leaves no daemon behind
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        world = world_of(chosen.folder or Path(folder), chosen.seed, chosen.kills)
        try:
            asyncio.run(world.live())
        except AssertionError as error:
            print(f"FOUND {error}")
            print(f"  again: python -m {program} --kills {chosen.kills} --seed {chosen.seed}")
            return 1
        finally:
            world.fleet.end()
    for point in points:
        print(f"{world.deaths[point.name]:>6}  {point.daemon:7} {point.name}")
    print(f"{world.deaths[ANYWHERE]:>6}  {'any':7} {ANYWHERE}")
    print(f"{sum(world.deaths.values())} kills in {time.monotonic() - began:.0f} s; {world.told()}")
    return world.verdict()
