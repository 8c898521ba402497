"""Who asks while daemons die: each request under a key of its own, sent again until there is an answer.

What was answered is kept: the same key must get the same answer for ever, and what was refused must never have been.
"""

import asyncio
import contextlib
import hashlib
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from tests.support.builders import service
from tidegate.client.aio import AsyncClient
from tidegate.model.errors import Refused, Unavailable
from tidegate.model.quantity import Resources
from tidegate.model.registry import Artifact
from tidegate.model.workload import Inference, Replicas, Workload

NAMES = 5
MODEL_BYTES = 150_000
PACE_S = 0.3


@dataclass(frozen=True)
class Answered:
    """One request and its answer: a workload's id."""

    verb: str
    key: str
    about: Any
    answer: str


@dataclass
class History:
    """What everybody was told."""

    answered: list[Answered] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    asked: int = 0
    pushed: int = 0

    async def again(self, client: AsyncClient, one: Answered) -> str:
        """The same request under the same key, as whoever lost the answer would send it; its answer now."""
        if one.verb == "submit":
            return (await client.submit(one.about, key=one.key)).workload_id
        return (await client.cancel(one.about, key=one.key)).id


class Engineer:
    """Asks for one thing after another until told to stop."""

    def __init__(self, name: str, address: str, random: Random, history: History) -> None:
        self._name, self._address, self._random, self._history = name, address, random, history
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """No more is asked, and what has no answer yet is given up."""
        self._stopped.set()

    async def run(self) -> None:
        number = 0
        async with AsyncClient(self._address) as client:
            while not self._stopped.is_set():
                number += 1
                await self._ask(client, f"{self._name}/{number}")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._random.random() * PACE_S):
                        await self._stopped.wait()

    async def _ask(self, client: AsyncClient, key: str) -> None:
        self._history.asked += 1
        name = f"{self._name}-{self._random.randrange(NAMES)}"
        content = self._random.randbytes(self._random.randrange(1, MODEL_BYTES))
        cancels = self._random.random() < 0.35
        while not self._stopped.is_set():
            try:
                if cancels:
                    about: Any = name
                    answer = (await client.cancel(name, key=key)).id
                else:
                    artifact = Artifact(hashlib.sha256(content).hexdigest(), len(content), "model.onnx")
                    await client.push_artifact(artifact, content)
                    self._history.pushed += 1
                    about = _workload(name, artifact.digest)
                    answer = (await client.submit(about, key=key)).workload_id
            except Unavailable:
                continue
            except Refused:
                self._history.refused.append(key)
                return
            self._history.answered.append(Answered("cancel" if cancels else "submit", key, about, answer))
            return


def _workload(name: str, digest: str) -> Workload:
    made_from = service().data
    asked = service(name, inference=Inference(f"sha256:{digest}", replicas=Replicas(1, 1)), carries=(made_from,))
    small = Resources(cpus_milli=250, memory_bytes=2**27)
    return replace(asked, latency=None, demand=replace(asked.demand, resources=small))
