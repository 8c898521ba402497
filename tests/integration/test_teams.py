"""Teams that share a hall, as deploy/examples/teams has them: lent, claimed back, waited for, through SIGKILL.

A real broker and the real command line; the hall's agent is spoken by the test.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.brokers import Attached, BrokerProcess, attached
from tests.support.until import until_async
from tidegate.client.aio import AsyncClient
from tidegate.client.client import Client
from tidegate.model.assignment import Phase, Status
from tidegate.model.decision import Outcome
from tidegate.model.session import Difference, Report, Reported, Welcome

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "examples" / "teams"
HALL = "hall-stuttgart"
HOUR = 3_600_000


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    process = BrokerProcess(tmp_path, "--heartbeat-ms", "10000").start()
    process.options = (*process.options, "--listen", process.address)  # the same when it is started again
    with Client(process.address) as client:
        client.apply(EXAMPLE / "sites.yaml", EXAMPLE / "teams.yaml")
    yield process
    process.kill()


class Hall:
    """The hall's agent: what it was told to run, and what it says of it."""

    def __init__(self, agent: Attached) -> None:
        self.agent = agent
        self.holds: dict[str, int] = {}
        self.sequence = 0

    async def hears(self) -> Any:
        """The next word; a change of what it is to run is taken in."""
        told = await self.agent.hear(object)
        if isinstance(told, Difference):
            for one in told.removals:
                self.holds.pop(one, None)
            self.holds |= {one.workload_id: one.generation for one in told.upserts}
        return told

    async def until(self, *workload_ids: str) -> None:
        """Listens until it is to run exactly these."""
        while set(self.holds) != set(workload_ids):
            await self.hears()

    async def says(self, workload_id: str, phase: Phase, generation: int = 0) -> None:
        """Reports, and is heard."""
        self.sequence += 1
        status = Status(workload_id, generation or self.holds[workload_id], phase, at=1)
        await self.agent.say(Report(self.sequence, (status,)))
        while not isinstance(await self.hears(), Reported):
            pass


@asynccontextmanager
async def hall(broker: BrokerProcess) -> AsyncIterator[Hall]:
    async with broker.channel() as channel, attached(channel, HALL) as agent:
        await agent.hear(Welcome)
        yield Hall(agent)


async def cli(broker: BrokerProcess, *arguments: str) -> Any:
    """What a verb answers, as data."""
    command = [sys.executable, "-m", "tidegate.cli.main", "--broker", broker.address, *arguments, "-o", "json"]
    ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def killed(broker: BrokerProcess) -> None:
    broker.kill()
    broker.start()


async def test_what_was_lent_is_claimed_waited_for_and_had_again(broker: BrokerProcess) -> None:
    async with AsyncClient(broker.address) as client:
        async with hall(broker) as here:
            await until_async(lambda: _joined(client), 10, "the hall to be known")
            tuning = (await client.submit(EXAMPLE / "voice.yaml")).workload_id
            nightly = (await client.submit(EXAMPLE / "voice-nightly.yaml")).workload_id
            await here.until(tuning, nightly)
            await here.says(nightly, Phase.RUNNING)
            sweep = await client.submit(EXAMPLE / "voice-sweep.yaml")
            assert sweep.decision.outcome is Outcome.WAITING, "the four H100 that stand idle are not lent"
            assert [miss.key for miss in sweep.decision.misses] == ["team.lent.gpus/H100"]

            claim = await client.submit(EXAMPLE / "perception.yaml")
            assert [(one.workload_id, one.because) for one in claim.decision.victims] == [(nightly, "borrowed")]
            await here.until(tuning, claim.workload_id)
        before = await client.get(nightly)

        killed(broker)
        assert await client.get(nightly) == before
        line = (await cli(broker, "get", "voice-nightly"))["waiting"]
        assert (line["position"], line["of"], line["team_position"], line["displaced"]) == (2, 2, 2, 1)
        assert line["because"] == f"made room for {claim.workload_id}"
        first = (await cli(broker, "get", "voice-sweep"))["waiting"]["forecast"]
        assert first["basis"] == line["forecast"]["basis"] == "declared"
        assert line["forecast"]["latest"] - first["latest"] == 6 * HOUR, "the sweep is before it, and takes so long"
        assert await replayed(client) == 5

        async with hall(broker) as here:
            await here.until(tuning, claim.workload_id)
            await here.says(claim.workload_id, Phase.SUCCEEDED)
            await here.until(tuning, sweep.workload_id)
            await here.says(sweep.workload_id, Phase.SUCCEEDED)
            await here.until(tuning, nightly)
            driving, perception, planning, students, voice = await cli(broker, "teams")
            assert (voice["used"]["gpus/H100"], voice["borrowed"]["gpus/H100"], voice["waiting"]) == (12_000, 8_000, 0)
            assert driving["lent"]["gpus/H100"] == 8_000, "what is idle is four short of twelve, and eight are taken"
            assert perception["lent"]["gpus/H100"] == 4_000, "four of its eight are idle still"
            assert planning["lent"] == students["used"] == {}

            again = (await client.submit(EXAMPLE / "perception.yaml")).workload_id
            await here.until(tuning, again)
        killed(broker)
        displaced = (await client.get(nightly)).waiting
        assert displaced is not None and (displaced.position, displaced.displaced) == (1, 2)

        async with hall(broker) as here:
            await here.until(tuning, again)
            generation = here.holds[again]
            await client.cancel("lane-detector")
            await here.until(tuning, nightly)
            await here.says(again, Phase.CANCELLED, generation)
        assert (await client.get("lane-detector")).phase == "cancelled"
        assert await replayed(client) == 10
        assert not (await client.verify()).findings
        kinds = [event.kind async for event in client.events(about=nightly)]
        assert kinds.count("workload_displaced") == kinds.count("workload_queued") == 2


async def replayed(client: AsyncClient) -> int:
    """How many decisions the log holds; each comes out the same."""
    answer = await client.replay()
    assert answer.decisions == answer.equal and not answer.different, answer
    return int(answer.decisions)


async def _joined(client: AsyncClient) -> bool:
    return (await client.sites())[0].state == "joined"
