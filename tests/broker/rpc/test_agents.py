"""The stream of one agent: what is answered, and when."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from broker.core.commands import ApplyDeclarations, RegisterModel, SubmitWorkload
from broker.core.state import State
from broker.log.record import Head
from broker.rpc.agents import Agents
from broker.runtime.bells import Bells
from broker.runtime.executors import Executors
from broker.runtime.gathered import RoundTrips
from broker.runtime.loop import Loop
from broker.runtime.sessions import Sessions
from tests.broker.rpc.test_interceptors import Stopped
from tests.support.builders import model, press, service
from tests.support.until import until_async
from tidegate.model.assignment import Phase, Status
from tidegate.model.session import AgentSays, BrokerSays, Hello, Report, Reported
from tidegate.v1 import agents_pb2 as wire
from tidegate.wire.codec import union_from_message, union_to_message


class Disk:
    """A log that takes as long as the test likes."""

    head = Head()

    def __init__(self) -> None:
        self.asked = 0
        self.done = asyncio.Event()
        self.done.set()

    async def append(self, records: Any) -> int:
        self.asked += 1
        await self.done.wait()
        return len(records)


async def test_a_report_is_acknowledged_once_it_is_durable_and_not_before() -> None:
    clock, state, bells, disk = Stopped(), State(), Bells(), Disk()
    sessions = Sessions(clock, epoch=7, heartbeat_ms=1_000)
    executors = Executors(state, sessions, bells)
    loop = Loop(state, disk, clock, executors.start, executors.spoken)  # type: ignore[arg-type]
    running = asyncio.create_task(loop.run())
    await loop.ask(ApplyDeclarations(0, (press(),)))
    await loop.ask(RegisterModel(0, model()))
    says: asyncio.Queue[Any] = asyncio.Queue()
    heard: list[Any] = []

    async def requests() -> AsyncIterator[Any]:
        while True:
            yield wire.AttachRequest(says=union_to_message(AgentSays, await says.get()))

    async def listen() -> None:
        telemetry: Any = None
        agents = Agents(loop, sessions, telemetry, clock, RoundTrips())
        async for word in agents.Attach(requests(), None):
            heard.append(union_from_message(BrokerSays, word.says))

    listening = asyncio.create_task(listen())
    says.put_nowait(Hello("press-7", "b", 0))
    await until_async(lambda: len(heard) >= 2)
    done = await loop.ask(SubmitWorkload(0, service()))
    generation = state.sites["press-7"].desired[done.workload_id].generation
    disk.done.clear()
    before = disk.asked
    says.put_nowait(Report(1, (Status(done.workload_id, generation, Phase.RUNNING),)))
    await until_async(lambda: disk.asked > before)
    assert not any(isinstance(word, Reported) for word in heard)
    disk.done.set()
    await until_async(lambda: Reported(1) in heard)
    listening.cancel()
    loop.stop()
    await running
