"""What must hold. Numbers name the invariants of DESIGN, section 6.

At each death of an agent: what it holds on its disk is whole and has not gone back (4). At each return of the broker:
what was answered stands, and the same key gets the same answer (2). At rest, when nobody is killed: every site holds
what the broker wants, each assignment has one server and no server is left over (5), no span that an agent's spool took
is lost or doubled (7), the log's chain holds, no key is there twice, and every decision is made again to the byte (6).
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

from agents.core.held import Held
from agents.store import HeldStore
from broker.telemetry.finding import TelemetryReader
from tests.simulation.kills.engineers import History
from tests.simulation.kills.fleet import SITES, Fleet
from tests.support.until import until_async
from tidegate.client.aio import AsyncClient
from tidegate.files import RealFiles
from tidegate.model.assignment import Phase
from tidegate.model.event import KeyAnswered, WorkloadCancelled, WorkloadSubmitted

SAMPLE = 4
"""Answers that are asked for again after each death of the broker; all of them at rest."""
REST_S = 90.0


class Generations:
    """The highest generation that each site ever held on its disk."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._highest: dict[str, int] = {}

    def look(self, site: str) -> Held:
        """What the site holds now. AssertionError where it went back; Broken where the file is damaged."""
        held = HeldStore(RealFiles(), str(self._fleet.data(site)), site).read()
        highest = self._highest.get(site, 0)
        assert held.generation >= highest, f"4: {site} went back from generation {highest} to {held.generation}"
        self._highest[site] = held.generation
        return held


async def answers_stand(client: AsyncClient, history: History, random: Random, most: int = SAMPLE) -> None:
    """2. Asked again under its key, a request gets the answer that it had."""
    for one in random.sample(history.answered, min(most, len(history.answered))):
        now = await history.again(client, one)
        assert now == one.answer, f"2: {one.verb} {one.key} was answered {one.answer}, and now {now}"


async def at_rest(fleet: Fleet, client: AsyncClient, history: History, generations: Generations) -> None:
    """Everything, once all daemons live and nobody asks any more."""
    await until_async(lambda: _settled(client), REST_S, "the fleet to be at rest")
    await answers_stand(client, history, Random(0), len(history.answered))
    await _once_in_the_log(client, history)
    for site in SITES:
        await until_async(lambda site=site: _served(fleet, generations, site), REST_S, f"servers of {site}")
        await until_async(lambda site=site: not telemetry(fleet, site), REST_S, f"telemetry of {site}")
    judged = await client.verify()
    assert not judged.findings, f"6: {judged.findings}"
    replayed = await client.replay()
    assert replayed.equal == replayed.decisions, f"6: decided otherwise at {list(replayed.different)}"


async def _settled(client: AsyncClient) -> bool:
    """Every site is joined and holds what it should; everything that lives runs, and nothing is being stopped."""
    views = await client.sites()
    work = await client.workloads(phases=[phase for phase in Phase if not phase.ended])
    return all(view.state == "joined" and view.held_generation == view.generation for view in views) and all(
        view.phase == Phase.RUNNING for view in work
    )


@dataclass(frozen=True)
class Served:
    """5. As many servers as assignments, each for a task of its own: none twice, none that nobody holds."""

    tasks: list[str]
    held: list[str]

    def __bool__(self) -> bool:
        return self.tasks == self.held


def _served(fleet: Fleet, generations: Generations, site: str) -> Served:
    held = generations.look(site).assignments
    tasks = [
        Path(server.cmdline()[4]).relative_to(fleet.data(site) / "tasks").parts[0] for server in fleet.servers(site)
    ]
    return Served(sorted(tasks), sorted(held))


async def _once_in_the_log(client: AsyncClient, history: History) -> None:
    keys: Counter[str] = Counter()
    offsets: list[int] = []
    answers: dict[str, str] = {}
    async for event in client.events():
        offset, happened = event.recorded.offset, event.recorded.event
        offsets.append(offset)
        if isinstance(happened, WorkloadSubmitted | WorkloadCancelled):  # a declaration has an event for each noun
            keys[happened.key] += 1
        if isinstance(happened, WorkloadSubmitted | KeyAnswered):
            answers[happened.key] = happened.about if isinstance(happened, KeyAnswered) else f"w{offset}"
    assert offsets == list(range(1, len(offsets) + 1)), "2: the log has a hole"
    twice = [key for key, times in keys.items() if key and times > 1]
    assert not twice, f"2: {twice} were carried out twice"
    carried_out = [key for key in history.refused if keys[key]]
    assert not carried_out, f"2: {carried_out} were refused and carried out"
    lost = [one.key for one in history.answered if one.verb == "submit" and one.answer != answers.get(one.key)]
    assert not lost, f"2: {lost} were acknowledged, and the log does not have them so"


def telemetry(fleet: Fleet, site: str) -> str:
    """7. What is wrong with a site's spans; empty where each that is durable there is here once."""
    asked, kept = fleet.ledger(site)
    reader = TelemetryReader(fleet.folder / "broker")
    try:
        gone = sum(gap.to_seq - gap.from_seq + 1 for gap in reader.gaps(site))
        found = reader.counts(site).spans + gone
    finally:
        reader.close()
    return "" if kept <= found <= asked else f"7: {site} kept {kept} of {asked} spans; {found} are there"
