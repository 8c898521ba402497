"""`python -m tests.simulation.kills.training --kills N --seed S`: an agent that runs jobs on a real Ray cluster dies N
times by SIGKILL, at the points of `RAY_POINTS` and anywhere.

Jobs come in bursts, some are cancelled, and between bursts the cluster may go down. Each job writes down on the disk
that an attempt begins and that it ends. What must hold:

- each job ends as it was asked to: it has succeeded, or it was cancelled; one that came while its only site could not
  be reached was refused, and did nothing;
- no attempt begins twice, and no job is attempted twice, since nothing but the agent ever dies;
- what has succeeded has come to its end, and what was told to be cancelled does nothing any more;
- no process, no network and no folder is left of any cluster but the one that the agent has on record; in the end, of
  none.

It takes about ten seconds a death, most of it Ray's.
"""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

from agents.drivers.ray.processes import MARK, marked
from tests.simulation.kills.fleet import Daemon, Fleet
from tests.simulation.kills.points import RAY, RAY_POINTS
from tests.simulation.kills.run import run
from tests.support.builders import book, cloud, job
from tests.support.until import until_async
from tidegate.client.aio import AsyncClient
from tidegate.model.assignment import Phase
from tidegate.model.quantity import Resources
from tidegate.model.workload import Demand, Training, Workload

SITE = "burst-us"
IDLE_S = 2
PATIENCE_S = 45.0
"""An agent that is up and has not passed its point by then is killed where it is."""
REST_S = 240.0
REST_EVERY = 15
BURST = 3
CANCELLED = 0.3
ENOUGH = 2
"""Deaths for each point from which on a run that missed one means nothing."""
RUNS = 'echo "begin $TIDEGATE_ATTEMPT" >> {marks}; sleep {seconds}; echo "end $TIDEGATE_ATTEMPT" >> {marks}'


class RayFleet(Fleet):
    """A broker that lives and an agent with a Ray cluster that does not."""

    def __post_init__(self) -> None:
        super().__post_init__()
        arguments = ["agents", "--site", SITE, "--broker", self.address, "--data-dir", str(self.folder / SITE)]
        arguments += ["--engines", "ray", "--ray-idle-seconds", str(IDLE_S)]
        self.daemons = [self.daemons[0], Daemon(SITE, RAY, arguments, self.folder)]
        self.before = _remains()

    @property
    def agent(self) -> Daemon:
        return self.daemons[1]

    def strays(self) -> list[str]:
        """What is here of a cluster that is not on record, and was not here before."""
        journal = self.folder / SITE / "ray" / "cluster.json"
        known = journal.read_text() if journal.exists() else ""
        return sorted(one for one in _remains() - self.before if one.rpartition("-")[2] not in known)

    def end(self) -> None:
        """Nothing of it is left."""
        super().end()
        for one in _remains() - self.before:
            for process in marked(one.rpartition("-")[2]):
                os.kill(process, signal.SIGKILL)


class World:
    """One broker, one agent, and engineers who ask for jobs."""

    def __init__(self, folder: Path, seed: int, kills: int) -> None:
        self.folder, self.random, self.kills = folder, Random(seed), kills
        self.fleet = RayFleet(folder, self.random)
        self.deaths: Counter[str] = Counter()
        self.asked: dict[str, Path] = {}
        """By the id of a workload, where its marks are."""
        self.cancelled: set[str] = set()
        self.ended: Counter[str] = Counter()
        self.stopped = asyncio.Event()

    async def live(self) -> None:
        """All deaths, with a rest now and then; then the agent ends as it should."""
        fleet = self.fleet
        fleet.start(fleet.broker, armed=False)
        await until_async(lambda: fleet.broker.up, 60, "the broker")
        async with AsyncClient(fleet.address) as client:
            await client.apply(book(), cloud())
            fleet.start(fleet.agent, armed=False)

            async def joined() -> bool:
                return (await client.sites())[0].state == "joined"

            await until_async(joined, 60, "the agent")
            while (done := sum(self.deaths.values())) < self.kills:
                await self._season(client, min(self.kills, done + REST_EVERY))
        assert fleet.agent.process is not None
        fleet.agent.process.terminate()
        assert fleet.agent.process.wait(60) == 0, fleet.agent.tail()
        assert not fleet.strays() and not (self.folder / SITE / "ray" / "cluster.json").exists(), "a cluster is left"

    async def _season(self, client: AsyncClient, until: int) -> None:
        self.stopped.clear()
        asking = asyncio.create_task(self._ask(client))
        self._start()
        try:
            while sum(self.deaths.values()) < until:
                await until_async(lambda: self._fallen() or asking.done(), 120, "a death")
                assert not asking.done(), asking.exception()
                self._bury()
        finally:
            self.stopped.set()
        self.fleet.agent.kill()
        self.fleet.start(self.fleet.agent, armed=False)
        await asyncio.gather(asking)
        await self._at_rest(client)

    def _start(self) -> None:
        agent = self.fleet.agent
        if agent.process is not None and agent.process.poll() is None:
            agent.kill()
        self.fleet.start(agent)

    def _fallen(self) -> bool:
        agent = self.fleet.agent
        if agent.up and time.monotonic() - agent.since > PATIENCE_S and agent.process and agent.process.poll() is None:
            self.fleet.put_off(agent)
        return agent.ended() is not None

    def _bury(self) -> None:
        death = self.fleet.agent.ended()
        assert death is not None
        self.deaths[death.point] += 1
        print(f"{sum(self.deaths.values())} kills, {len(self.asked)} jobs, {death.point}", file=sys.stderr)
        self.fleet.start(self.fleet.agent)

    async def _ask(self, client: AsyncClient) -> None:
        """Bursts of jobs until told to stop; some of them are cancelled, whatever they are doing then."""
        while not self.stopped.is_set():
            for _ in range(self.random.randint(1, BURST)):
                number = len(self.asked)
                marks = self.folder / f"job-{number}.marks"
                asked = await client.submit(_job(f"job-{number}", marks, self.random.random()))
                self.asked[asked.workload_id] = marks
                if self.random.random() < CANCELLED:
                    await self._pause(self.random.random() * 8)
                    await client.cancel(asked.workload_id)
                    self.cancelled.add(asked.workload_id)
            await self._pause(self.random.random() * 20)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.stopped.wait()
        except TimeoutError:
            return

    async def _at_rest(self, client: AsyncClient) -> None:
        async def going() -> list[str]:
            work = await client.workloads(phases=[phase for phase in Phase if not phase.ended])
            return [f"{one.id} is {one.phase}: {one.detail}" for one in work]

        async def quiet() -> bool:
            return not await going()

        try:
            await until_async(quiet, REST_S, "every job to end")
        except AssertionError as error:
            raise AssertionError(f"{error}: {await going()}\n{self.fleet.agent.tail()}") from error
        ended = {one.id: one for one in await client.workloads()}
        for job_id, path in self.asked.items():
            _judge(job_id, ended[job_id].phase, path, job_id in self.cancelled, ended[job_id].detail)
        self.ended = Counter(one.phase for one in ended.values())
        left = self.folder / SITE / "tasks"
        await until_async(lambda: not any(left.iterdir()), 60, "the folders of what has ended to be removed")
        await until_async(lambda: not self.fleet.strays(), 30, "nothing to be left of other clusters than the agent's")
        judged = await client.verify()
        assert not judged.findings, judged.findings

    def told(self) -> str:
        """How the jobs ended."""
        return f"{len(self.asked)} jobs: " + ", ".join(f"{many} {phase}" for phase, many in sorted(self.ended.items()))

    def verdict(self) -> int:
        """1 where too little happened to mean anything."""
        never = [point.name for point in RAY_POINTS if not self.deaths[point.name]]
        if self.kills >= ENOUGH * len(RAY_POINTS) and never:
            print(f"nobody died at: {', '.join(never)}")
            return 1
        if self.ended[Phase.SUCCEEDED] * 5 < self.kills or not self.ended[Phase.CANCELLED]:
            print("too little was asked to mean anything")
            return 1
        return 0


def _job(name: str, marks: Path, seconds: float) -> Workload:
    runs = RUNS.format(marks=marks, seconds=f"{seconds:.2f}")
    small = Demand(Resources(cpus_milli=250, memory_bytes=2**27))
    return replace(job(name), demand=small, training=Training(runs), carries=(job().data,))


def _judge(job_id: str, phase: str, path: Path, cancelled: bool, detail: str) -> None:
    marks = path.read_text().splitlines() if path.exists() else []
    told = f"{job_id} has {phase} ({detail}) and wrote {marks}"
    assert phase in (Phase.SUCCEEDED, Phase.REFUSED) or (cancelled and phase == Phase.CANCELLED), told
    assert phase != Phase.REFUSED or not marks, told
    assert marks in ([], ["begin 1"], ["begin 1", "end 1"]), told
    assert phase != Phase.SUCCEEDED or len(marks) == 2, told


def _remains() -> set[str]:
    """Networks, folders and processes of clusters on this machine; each name ends in `-` and the cluster's id."""
    found = {path.name for path in Path("/run/netns").glob("tidegate-*")} | {
        path.name for path in Path("/tmp").glob("tg-*")
    }
    wanted = f"{MARK}=".encode()
    for entry in Path("/proc").iterdir():
        try:
            for word in (entry / "environ").read_bytes().split(b"\0") if entry.name.isdigit() else ():
                found |= {f"process-{word[len(wanted) :].decode()}"} if word.startswith(wanted) else set()
        except OSError:
            continue
    return found


if __name__ == "__main__":
    sys.exit(run("tests.simulation.kills.training", ENOUGH * len(RAY_POINTS), RAY_POINTS, World, sys.argv[1:]))
