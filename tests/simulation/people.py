"""Those who ask: engineers and operators, over the simulated wire, each request with a key and tried until answered.

Everything that was asked and answered is kept, for the checks: an acknowledgement means that it is in the log once and
for ever, a refusal that it never is, and no answer that nobody knows. What is asked for is `wishes`; each request has
its own chance, drawn from its key, so that one can be left out and the others stay what they were.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Any

import grpc

from tests.simulation.broker import ADDRESS
from tests.simulation.loop import Process, elapse
from tests.simulation.network import Network
from tests.simulation.swarm import Settings
from tests.simulation.transport import SimulatedChannel
from tests.simulation.wishes import Call, Wishes

UNANSWERED = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
)


@dataclass
class Asked:
    """One request under one key, and what came of it."""

    key: str
    verb: str
    at: float
    """Seconds since the history began."""
    acknowledged: str = ""
    """What it was answered with: a workload's id, or the name of what it was about."""
    refused: str = ""
    sent: int = 0
    """How often it was sent."""
    revision: int = 0
    """What an acknowledged submission stands on, where it does."""
    otherwise: str = ""
    """What it was answered when it was sent again after its answer, where that was not the same."""

    def __str__(self) -> str:
        answer = self.acknowledged or self.refused or "no answer"
        return f"{self.at:.3f} s: {self.key} asks to {self.verb}, {self.sent} times sent: {answer[:90]}"


@dataclass
class History:
    """All requests of one seed, in the order they were first sent."""

    asked: list[Asked] = field(default_factory=list)

    @property
    def acknowledged(self) -> list[Asked]:
        return [each for each in self.asked if each.acknowledged]


class Engineer:
    """Asks for one thing after another, until stopped."""

    def __init__(self, name: str, network: Network, settings: Settings, history: History) -> None:
        self.process = Process(name)
        self._network, self._settings, self._history = network, settings, history
        self.stopping = self.idle = False

    def start(self) -> None:
        self.process.start(self._main())

    async def _main(self) -> None:
        number = 0
        while not self.stopping:
            number += 1
            key = f"{self.process.name}/{number}"
            random = Random(f"{self._settings.seed}/{key}")
            await elapse(random.random() * self._settings.pace_s * 2)
            if key not in self._settings.skipped and not self.stopping:
                await self._ask(key, number, random)
        self.idle = True

    async def _ask(self, key: str, number: int, random: Random) -> None:
        """One request, sent again with the same key until there is an answer, or patience ends."""
        wishes = Wishes(self._settings, random, key, self.process.name, number)
        verb, call = wishes.draw()
        asked = Asked(key, verb, self._network.now())
        self._history.asked.append(asked)
        for _ in range(1 + random.randrange(6)):
            asked.sent += 1
            async with SimulatedChannel(self._network, self.process, self.process.name, ADDRESS) as channel:
                try:
                    asked.acknowledged = await call(channel)
                    asked.revision = wishes.revision
                    if random.random() < 0.1:  # as whoever lost the answer would
                        await self._again(asked, call, channel, random)
                    return
                except grpc.aio.AioRpcError as error:
                    if error.code() not in UNANSWERED:
                        asked.refused = f"{error.code().name}: {error.details()}"
                        return
            await elapse(random.random() * 2)

    async def _again(self, asked: Asked, call: Call, channel: Any, random: Random) -> None:
        """The same request under the same key: the same answer, or none."""
        await elapse(random.random() * 3)
        try:
            answer = await call(channel)
        except grpc.aio.AioRpcError as error:
            answer = asked.acknowledged if error.code() in UNANSWERED else f"{error.code().name}: {error.details()}"
        if answer != asked.acknowledged:
            asked.otherwise = answer
