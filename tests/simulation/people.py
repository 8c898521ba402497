"""Those who ask: engineers and operators, over the simulated wire, each request with a key and tried until answered.

Everything that was asked and answered is kept, for the checks: an acknowledgement means that it is in the log once and
for ever, a refusal that it never is, and no answer that nobody knows.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import grpc

from tests.simulation.broker import ADDRESS
from tests.simulation.loop import Process, elapse
from tests.simulation.network import Network
from tests.simulation.transport import SimulatedChannel
from tests.support.builders import job, service
from tidegate.model.quantity import Resources
from tidegate.model.workload import Disconnect, OnDisconnect, Reconcile, Replicas, Spread, Workload
from tidegate.v1 import fleet_pb2, workloads_pb2
from tidegate.v1.fleet_pb2_grpc import FleetStub
from tidegate.v1.workloads_pb2_grpc import WorkloadsStub
from tidegate.wire.codec import to_message

PATIENCE_S = 10.0
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
    acknowledged: str = ""
    """What it was answered with: a workload's id, or the offset."""
    refused: str = ""
    sent: int = 0
    """How often it was sent."""
    otherwise: str = ""
    """What it was answered when it was sent again after its answer, where that was not the same."""


@dataclass
class History:
    """All requests of one seed, in the order they were first sent."""

    asked: list[Asked] = field(default_factory=list)

    @property
    def acknowledged(self) -> list[Asked]:
        return [each for each in self.asked if each.acknowledged]


class Engineer:
    """Asks for one thing after another, until stopped."""

    def __init__(
        self, name: str, network: Network, random: Random, history: History, sites: tuple[str, ...], pace_s: float
    ) -> None:
        self.process = Process(name)
        self._network, self._random, self._history = network, random, history
        self._sites, self._pace_s = sites, pace_s
        self._names = tuple(f"{name}-{number}" for number in range(4))
        self.stopping = False

    def start(self) -> None:
        self.process.start(self._main())

    async def _main(self) -> None:
        number = 0
        while not self.stopping:
            await elapse(self._random.random() * self._pace_s * 2)
            number += 1
            await self._ask(f"{self.process.name}/{number}")

    async def _ask(self, key: str) -> None:
        """One request, sent again with the same key until there is an answer, or patience ends."""
        verb, call = self._request(key)
        asked = Asked(key, verb)
        self._history.asked.append(asked)
        for _ in range(1 + self._random.randrange(6)):
            asked.sent += 1
            async with SimulatedChannel(self._network, self.process, self.process.name, ADDRESS) as channel:
                try:
                    asked.acknowledged = await call(channel)
                    if self._random.random() < 0.1:  # as whoever lost the answer would
                        await self._again(asked, call, channel)
                    return
                except grpc.aio.AioRpcError as error:
                    if error.code() not in UNANSWERED:
                        asked.refused = f"{error.code().name}: {error.details()}"
                        return
            await elapse(self._random.random() * 2)

    async def _again(self, asked: Asked, call: Callable[[Any], Any], channel: Any) -> None:
        """The same request under the same key: the same answer, or none."""
        await elapse(self._random.random() * 3)
        try:
            answer = await call(channel)
        except grpc.aio.AioRpcError as error:
            answer = asked.acknowledged if error.code() in UNANSWERED else f"{error.code().name}: {error.details()}"
        if answer != asked.acknowledged:
            asked.otherwise = answer

    def _request(self, key: str) -> tuple[str, Callable[[Any], Any]]:
        chance = self._random.random()
        name = self._random.choice(self._names)
        if chance < 0.72:
            return "submit", self._submit(key, self._workload(name))
        if chance < 0.86:
            return "cancel", self._cancel(key, name)
        site = self._random.choice(self._sites)
        if chance < 0.93:
            return "cordon", self._cordon(key, site, lift=self._random.random() < 0.6)
        return "drain", self._drain(key, site)

    def _workload(self, name: str) -> Workload:
        cpus = self._random.choice((500, 1_000, 2_000, 3_000))
        need = Resources(cpus_milli=cpus, memory_bytes=2**29)
        if self._random.random() < 0.35:
            workload = job(name)
            assert workload.training is not None
            training = replace(workload.training, workers=self._random.randint(1, 3), code_digest="")
            return replace(workload, demand=replace(workload.demand, resources=need), training=training)
        workload = service(name, disconnect=self._block())
        assert workload.inference is not None
        copies = self._random.choice((1, 1, 1, 2))
        spread = self._random.choice((Spread.NONE, Spread.SITE))
        inference = replace(workload.inference, replicas=Replicas(copies, copies, spread))
        return replace(workload, demand=replace(workload.demand, resources=need), inference=inference)

    def _block(self) -> Disconnect:
        if self._random.random() < 0.5:
            return Disconnect()
        return Disconnect(
            serve_for_ms=self._random.choice((0, 0, 20_000)),
            replace=self._random.choice((OnDisconnect.NEVER, OnDisconnect.ANYWHERE)),
            replace_after_ms=self._random.choice((5_000, 15_000)),
            reconcile=self._random.choice((Reconcile.KEEP_ORIGINAL, Reconcile.KEEP_REPLACEMENT)),
        )

    def _submit(self, key: str, workload: Workload) -> Callable[[Any], Any]:
        async def call(channel: Any) -> str:
            request = workloads_pb2.SubmitRequest(workload=to_message(workload), idempotency_key=key)
            answer = await WorkloadsStub(channel).Submit(request, timeout=PATIENCE_S)
            return str(answer.workload_id)

        return call

    def _cancel(self, key: str, name: str) -> Callable[[Any], Any]:
        async def call(channel: Any) -> str:
            request = workloads_pb2.CancelRequest(workload=name, idempotency_key=key)
            answer = await WorkloadsStub(channel).Cancel(request, timeout=PATIENCE_S)
            return str(answer.view.id)

        return call

    def _cordon(self, key: str, site: str, *, lift: bool) -> Callable[[Any], Any]:
        async def call(channel: Any) -> str:
            request = fleet_pb2.CordonRequest(site=site, lift=lift, idempotency_key=key)
            answer = await FleetStub(channel).Cordon(request, timeout=PATIENCE_S)
            return str(answer.site.site.name)

        return call

    def _drain(self, key: str, site: str) -> Callable[[Any], Any]:
        async def call(channel: Any) -> str:
            request = fleet_pb2.DrainRequest(site=site, idempotency_key=key)
            await FleetStub(channel).Drain(request, timeout=PATIENCE_S)
            return site

        return call
