"""`python -m tests.simulation.kills --kills N --seed S`: N deaths by SIGKILL in one world, and what was checked.

The table says how often each point was died at. A run that did not die at every point means nothing where N allows
for it (`ENOUGH` deaths a point), and fails; so does one in which nothing was asked.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from tests.simulation.kills.checks import Generations, answers_stand, at_rest
from tests.simulation.kills.engineers import Engineer, History
from tests.simulation.kills.fleet import ANYWHERE, Daemon, Fleet
from tests.simulation.kills.points import BROKER, POINTS
from tests.support.builders import press, rack
from tests.support.until import until_async
from tidegate.client.aio import AsyncClient
from tidegate.model.errors import Unavailable

ENGINEERS = 2
PATIENCE_S = 6.0
"""A daemon that is up and has not passed its point by then is killed where it is."""
START_S = 60.0
LEAST = 5
"""Deaths to an answer: with fewer answers than that, a run would mean little."""
ENOUGH = 3
REST_EVERY = 50
"""Deaths between two rests, at which everything is checked."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.kills")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--in", dest="folder", type=Path, help="a folder that is kept")
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # whoever is told to end leaves no daemon behind
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        world = World(chosen.folder or Path(folder), chosen.seed, chosen.kills)
        try:
            asyncio.run(world.live())
        except AssertionError as error:
            print(f"FOUND {error}")
            print(f"  again: python -m tests.simulation.kills --kills {chosen.kills} --seed {chosen.seed}")
            return 1
        finally:
            world.fleet.end()
    world.table()
    history = world.history
    print(
        f"{sum(world.deaths.values())} kills in {time.monotonic() - began:.0f} s; {history.asked} requests, "
        f"{len(history.answered)} answered, {len(history.refused)} refused, {history.pushed} models pushed, "
        f"{world.asked_again} answers asked for again, {world.rests} rests"
    )
    return world.verdict()


class World:
    """One fleet, killed so many times."""

    def __init__(self, folder: Path, seed: int, kills: int) -> None:
        self.random, self.kills = Random(seed), kills
        self.fleet = Fleet(folder, self.random)
        self.history = History()
        self.deaths: Counter[str] = Counter()
        self.asked_again = self.rests = 0
        self._fed = 0
        self._generations = Generations(self.fleet)

    async def live(self) -> None:
        """All deaths, with a rest now and then."""
        fleet = self.fleet
        fleet.start(fleet.broker, armed=False)
        await until_async(lambda: fleet.broker.up, START_S, "the broker")
        async with AsyncClient(fleet.address) as client:
            await client.apply(press(), rack())
            while (done := sum(self.deaths.values())) < self.kills:
                await self._season(client, min(self.kills, done + REST_EVERY))
            for view in await client.workloads(phases=["running", "placed", "starting", "preparing", "waiting"]):
                await client.cancel(view.id)
            await until_async(lambda: not any(fleet.servers(site) for site in ("press-7", "rack-de")), 60, "no server")

    async def _season(self, client: AsyncClient, until: int) -> None:
        """Engineers ask while daemons die; then everybody rests, and everything is checked."""
        fleet = self.fleet
        engineers = [
            Engineer(f"e{self.rests}-{number}", fleet.address, Random(self.random.random()), self.history)
            for number in range(ENGINEERS)
        ]
        asking = [asyncio.create_task(engineer.run()) for engineer in engineers]
        for daemon in fleet.daemons:
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.kill()
            fleet.start(daemon)
        try:
            while sum(self.deaths.values()) < until:
                await self._death(client)
        finally:
            for engineer in engineers:
                engineer.stop()
        for daemon in fleet.daemons:
            daemon.kill()
            fleet.start(daemon, armed=False)
        await asyncio.gather(*asking)
        await at_rest(fleet, client, self.history, self._generations)
        self.asked_again += len(self.history.answered)
        self.rests += 1

    async def _death(self, client: AsyncClient) -> None:
        """The next one, wherever it comes, and the start after it."""
        fleet = self.fleet

        def fallen() -> list[Daemon]:
            for daemon in fleet.daemons:
                late = daemon.up and _age(daemon) > PATIENCE_S
                late = late or (daemon.point is None and len(self.history.answered) > self._fed)
                if late and daemon.process is not None and daemon.process.poll() is None:
                    fleet.put_off(daemon)
            return [daemon for daemon in fleet.daemons if daemon.ended() is not None]

        for daemon in await until_async(fallen, START_S, "a death"):
            death = daemon.ended()
            assert death is not None
            self.deaths[death.point] += 1
            if daemon.kind != BROKER:
                self._generations.look(daemon.name)
            self._start(daemon)
            done = sum(self.deaths.values())
            if done % 10 == 0:
                print(f"{done} kills, {len(self.history.answered)} answers", file=sys.stderr)
            if daemon.kind == BROKER:
                try:
                    async with asyncio.timeout(10):
                        await answers_stand(client, self.history, self.random)
                    self.asked_again += min(4, len(self.history.answered))
                except (Unavailable, TimeoutError):
                    continue  # it died again meanwhile; they are asked for at rest

    def _start(self, daemon: Daemon) -> None:
        """Armed; but where little was answered, as on a busy machine, a broker lives until it has answered."""
        hungry = daemon.kind == BROKER and len(self.history.answered) * LEAST < sum(self.deaths.values())
        self._fed = len(self.history.answered)
        self.fleet.start(daemon, armed=not hungry)

    def table(self) -> None:
        """Each point, and how often it was died at."""
        for point in POINTS:
            print(f"{self.deaths[point.name]:>6}  {point.daemon:7} {point.name}")
        print(f"{self.deaths[ANYWHERE]:>6}  {'any':7} {ANYWHERE}")

    def verdict(self) -> int:
        """1 where too little happened to mean anything."""
        never = [point.name for point in POINTS if not self.deaths[point.name]]
        if self.kills >= ENOUGH * len(POINTS) and never:
            print(f"nobody died at: {', '.join(never)}")
            return 1
        if len(self.history.answered) < self.kills // (2 * LEAST):
            print("too little was asked to mean anything")
            return 1
        return 0


def _age(daemon: Daemon) -> float:
    return time.monotonic() - daemon.since


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
