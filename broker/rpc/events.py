"""The Events service: the log as it happens, and the log judged again."""

from collections.abc import AsyncIterator
from typing import Any

from broker.core.again import ENGINE, Again, Divergence
from broker.core.state import State
from broker.core.story import touches
from broker.core.verify import standing, verify
from broker.log.interface import Log
from broker.log.record import Row
from broker.runtime.bells import Bells
from broker.runtime.history import CURRENT, rows_after, to_recorded
from broker.runtime.loop import Loop
from tidegate.model.event import Recorded, WorkloadDecided, WorkloadDisplaced, WorkloadQueued
from tidegate.v1 import events_pb2 as wire
from tidegate.v1.events_pb2_grpc import EventsServicer
from tidegate.wire.codec import to_message

MOST_TOLD = 1_000
"""Decisions of a replay whose differences are told; beyond that their offsets alone."""


class Events(EventsServicer):
    """Reads what is durable; never the state ahead of it."""

    def __init__(self, loop: Loop, log: Log, bells: Bells) -> None:
        self._loop = loop
        self._log = log
        self._bells = bells

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """Every event after an offset; with `follow`, until the caller leaves. `about` takes an id or any name."""
        names = await self._names(request.about)
        after = request.after
        with self._bells.listen(Bells.LOG) as rung:
            while True:
                rung.clear()
                async for row in rows_after(self._log, after):
                    after = row.offset
                    recorded = to_recorded(row)
                    if not names or names & touches(recorded):
                        yield wire.EventsWatchResponse(
                            recorded=to_message(recorded), kind=row.kind, chain=row.chain.hex()
                        )
                if not request.follow:
                    return
                await rung.wait()

    async def _names(self, about: str) -> frozenset[str]:
        """A workload's name means its newest workload too, whose later events carry only the id."""
        if not about:
            return frozenset()
        record = await self._loop.read(lambda state, at: state.find(about))
        return frozenset({about, record.id} if record else {about})

    async def Replay(self, request: Any, context: Any) -> Any:
        """Folds the log from its first row into a state of its own, and decides again at each decision, to wait too."""
        state, again = State(), Again()
        answer = wire.ReplayResponse()
        head = self._log.head
        async for row in rows_after(self._log, 0, request.to_offset or head.offset):
            recorded = to_recorded(row)
            event = recorded.event
            asked = row.offset >= request.from_offset
            found = again.before(state, event) if asked or isinstance(event, WorkloadDisplaced) else ()
            if isinstance(event, WorkloadDecided | WorkloadQueued) and asked:
                answer.decisions += 1
                answer.equal += not found
                if found:
                    answer.different.append(row.offset)
                    if len(answer.diverging) < MOST_TOLD:
                        answer.diverging.append(_told(state, row, event, found))
            state.apply(Recorded(row.offset, event))
        answer.head_offset, answer.head_chain = head.offset, head.chain.hex()
        return answer

    async def Verify(self, request: Any, context: Any) -> Any:
        """Everything that stands now, judged by those who share no code with what put it there; and the log's chain.

        A start checks the chain of the last rows alone; here all of it is, beside whatever is appended meanwhile.
        """
        findings, at, checked = await self._loop.read(lambda state, at: (verify(state), state.offset, standing(state)))
        told = [wire.Finding(about=one.about, text=one.text) for one in findings]
        if damage := await self._log.verify(end=at):
            told.append(wire.Finding(about="log", text=f"row {damage.offset} is damaged: {damage.because}"))
        return wire.VerifyResponse(offset=at, checked=checked, findings=told, rows=at)


def _told(state: State, row: Row, event: WorkloadDecided | WorkloadQueued, found: tuple[Divergence, ...]) -> Any:
    """A decision that came out otherwise, and in what."""
    written = () if row.version == CURRENT[row.kind] else (Divergence(ENGINE, "row", f"version {row.version}", ""),)
    return wire.Diverging(
        offset=row.offset,
        workload_id=event.workload_id,
        name=state.workloads[event.workload_id].workload.name,
        differences=[
            wire.Divergence(input=one.input, about=one.about, recorded=one.recorded, again=one.again)
            for one in (*written, *found)
        ],
    )
