"""`python -m tests.simulation.kills --kills N --seed S`: N deaths by SIGKILL in one world, and what was checked.

The table says how often each point was died at. A run that did not die at every point means nothing where N allows
for it (`ENOUGH` deaths a point), and fails; so does one in which nothing was asked.
"""

import asyncio
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

from tests.simulation.kills.checks import Generations, answers_stand, at_rest
from tests.simulation.kills.engineers import Engineer, History
from tests.simulation.kills.fleet import Daemon, Fleet
from tests.simulation.kills.points import BROKER, POINTS
from tests.simulation.kills.run import run
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

    def told(self) -> str:
        """What was asked, and what became of it."""
        history = self.history
        return (
            f"{history.asked} requests, {len(history.answered)} answered, {len(history.refused)} refused, "
            f"{history.pushed} models pushed, {self.asked_again} answers asked for again, {self.rests} rests"
        )

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
    sys.exit(run("tests.simulation.kills", 20, POINTS, World, sys.argv[1:]))
