"""The Agents service: the one stream that an agent dials out, and its telemetry."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Any

from broker.core.commands import RecordLinks, ReportStatuses
from broker.runtime.clock import Clock
from broker.runtime.gathered import RoundTrips
from broker.runtime.loop import Loop
from broker.runtime.service_times import ServiceTimes
from broker.runtime.sessions import Session, Sessions
from broker.telemetry.embedded import Telemetry
from tidegate.model.errors import Refused, Unavailable
from tidegate.model.session import (
    AgentSays,
    BrokerSays,
    Chunk,
    ComeBack,
    Heartbeat,
    HeartbeatSeen,
    Hello,
    LogLines,
    Measured,
    Probes,
    Report,
    Reported,
)
from tidegate.v1 import agents_pb2 as wire
from tidegate.v1.agents_pb2_grpc import AgentsServicer
from tidegate.wire.codec import from_message, to_message, union_from_message, union_to_message

HELLO_S = 15.0
"""An attachment that says nothing for so long is let go: it holds a stream, and nobody else would end it."""


class Agents(AgentsServicer):
    """Convert, call, convert."""

    def __init__(
        self, loop: Loop, sessions: Sessions, telemetry: Telemetry, clock: Clock, round_trips: RoundTrips
    ) -> None:
        self._loop = loop
        self._round_trips = round_trips
        self._service_times = ServiceTimes(loop, clock)
        self._sessions = sessions
        self._telemetry = telemetry
        self._clock = clock

    async def Attach(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        """Hello first. Then what the agent says is taken in by a task beside, while this one sends."""
        incoming = aiter(requests)
        try:
            async with asyncio.timeout(HELLO_S):
                first = await anext(incoming, None)
        except TimeoutError:
            raise Unavailable("no hello came", field="says", found=f"nothing in {HELLO_S:g} s") from None
        hello = union_from_message(AgentSays, first.says) if first is not None else None
        if not isinstance(hello, Hello):
            raise Refused("an agent opens with hello", field="says", wanted="hello")
        session = await self._sessions.attach(hello, self._loop)
        if isinstance(session, ComeBack):
            yield _response(session)
            return
        away = asyncio.create_task(self._away(hello)) if hello.away_since else None
        listening = asyncio.create_task(self._listen(session, incoming))
        try:
            async for word in session.words():
                yield _response(word)
            if listening.done() and (error := listening.exception()) is not None:
                raise error
        finally:
            listening.cancel()
            self._sessions.detach(session)
            if away is not None:
                await asyncio.shield(away)

    async def _away(self, hello: Hello) -> None:
        """Beside the first words, which do not wait for a sync of the trace store."""
        with contextlib.suppress(Unavailable):
            await self._telemetry.away(hello.site, hello.away_since, self._clock.now())

    async def _listen(self, session: Session, incoming: AsyncIterator[Any]) -> None:
        """Until the agent closes or says something that cannot be: then the session ends, and with it the stream."""
        try:
            async for request in incoming:
                self._sessions.heard(session)
                await self._heard(session, union_from_message(AgentSays, request.says))
        finally:
            session.end()

    async def _heard(self, session: Session, word: AgentSays) -> None:
        match word:
            case Heartbeat(sent_at=sent_at, held_generation=held):
                self._sessions.heard(session, held)
                session.say(HeartbeatSeen(sent_at))
            case Report(sequence=sequence, statuses=statuses):
                await self._loop.ask(ReportStatuses(0, session.site, statuses))
                session.say(Reported(sequence))
            case Measured(links=links):
                told = self._round_trips.together(session.site, links, int(self._clock.elapsed() * 1_000))
                await self._loop.ask(RecordLinks(0, told))
            case LogLines():
                self._sessions.answered(session, word)
            case Hello():
                raise Refused("hello comes once", field="says", found="a second hello")

    async def SyncTelemetry(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        """Each message is durable before its receipt is sent."""
        async for request in requests:
            self._sessions.heard_of(request.site)
            chunks = [from_message(Chunk, chunk) for chunk in request.chunks]
            receipt = await self._telemetry.receive(request.site, request.stream, chunks)
            yield wire.SyncTelemetryResponse(stream=request.stream, receipt=to_message(receipt))
            with contextlib.suppress(Unavailable):  # what is learned here is learned again
                await self._service_times.heard(request.site, chunks[receipt.duplicates :])


def _response(word: BrokerSays) -> Any:
    return _probes(word) if isinstance(word, Probes) else _message(word)


@lru_cache(4)
def _probes(word: Probes) -> Any:
    """Most agents are told the same targets."""
    return _message(word)


def _message(word: BrokerSays) -> Any:
    return wire.AttachResponse(says=union_to_message(BrokerSays, word))
