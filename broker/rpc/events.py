"""The Events service: the log as it happens, and the log judged again."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from broker.core.decide.placing import place
from broker.core.state import State
from broker.core.story import touches
from broker.log.interface import Log
from broker.runtime.bells import Bells
from broker.runtime.history import rows_after, to_recorded
from broker.runtime.loop import Loop
from tidegate.model.event import Recorded, WorkloadDecided
from tidegate.v1 import events_pb2 as wire
from tidegate.v1.events_pb2_grpc import EventsServicer
from tidegate.wire.codec import encode, to_message


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
        """Folds the log from its first row into a state of its own, and decides again at each decision."""
        state = State()
        decisions = equal = 0
        different: list[int] = []
        head = self._log.head
        async for row in rows_after(self._log, 0, request.to_offset or head.offset):
            recorded = to_recorded(row)
            event = recorded.event
            if isinstance(event, WorkloadDecided) and row.offset >= request.from_offset:
                decisions += 1
                if _again(state, event):
                    equal += 1
                else:
                    different.append(row.offset)
            state.apply(Recorded(row.offset, event))
        return wire.ReplayResponse(
            decisions=decisions,
            equal=equal,
            different=different,
            head_offset=head.offset,
            head_chain=head.chain.hex(),
        )


def _again(state: State, event: WorkloadDecided) -> bool:
    """Whether the same question gets the same answer, byte for byte.

    The state stands right before the decision. What the same turn recorded between the revision and here (the
    submission itself, a predecessor that was cancelled to make room) is what the decision was made to follow.
    """
    record = state.workloads[event.workload_id]
    decision = event.decision
    again = place(
        state,
        record.workload,
        record.model,
        decision.decided_at,
        revision=decision.revision,
        without=record.id if event.stop_first else "",
        among=event.among,
    )
    return encode(replace(again, victims=decision.victims)) == encode(decision)
