"""The Workloads service: plan, submit, look, watch, cancel, explain, logs."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from broker.core.commands import CancelWorkload, SubmitWorkload
from broker.core.decide.placing import cheaper
from broker.core.decide.workloads import advised, plan
from broker.core.prospects import waiting
from broker.core.records import WorkloadRecord
from broker.core.replies import Submission
from broker.core.state import State
from broker.log.interface import Log
from broker.rpc.tracing import Tracing
from broker.runtime.bells import Bells
from broker.runtime.history import rows_after, to_recorded
from broker.runtime.loop import Loop
from broker.runtime.sessions import Sessions
from tidegate.model.assignment import Phase
from tidegate.model.decision import Decision, Outcome, Relaxation
from tidegate.model.errors import Broken, NotFound, Refused
from tidegate.model.event import WorkloadDecided, WorkloadQueued, WorkloadView
from tidegate.model.workload import Workload
from tidegate.v1 import decision_pb2
from tidegate.v1 import workloads_pb2 as wire
from tidegate.v1.workloads_pb2_grpc import WorkloadsServicer
from tidegate.wire.codec import from_message, to_message
from tidegate.wire.status import MOST_MESSAGE

PAGE = 100
LARGEST_PAGE = 1_000
TOKEN_DIGITS = 19
SUBMISSIONS = 1_000
"""The most in one message of a stream."""
LOG_POLL_S = 0.3
"""How often a followed log is asked for again when nothing new was there."""

_OUTCOMES = {
    Outcome.PLACED: decision_pb2.OUTCOME_PLACED,
    Outcome.REFUSED: decision_pb2.OUTCOME_REFUSED,
    Outcome.WAITING: decision_pb2.OUTCOME_WAITING,
}


def found(state: State, workload: str) -> WorkloadRecord:
    """By id or name, or NotFound."""
    if (record := state.find(workload)) is None:
        raise NotFound("no such workload", field="workload", found=workload, wanted="an id (`w41`) or a name")
    return record


def view_of(state: State, workload: str, at: int) -> WorkloadView:
    """As readers see it, with its place in line where it waits."""
    record = found(state, workload)
    return replace(record.view(state.sites), waiting=waiting(state, record, at))


class Workloads(WorkloadsServicer):
    """Convert, call, convert."""

    def __init__(self, loop: Loop, log: Log, sessions: Sessions, bells: Bells, tracing: Tracing) -> None:
        self._loop = loop
        self._log = log
        self._sessions = sessions
        self._bells = bells
        self._tracing = tracing

    async def Plan(self, request: Any, context: Any) -> Any:
        """Decides without recording; what it answers stands on durable state alone."""
        workload = _workload(request)
        with self._tracing.call("tidegate.plan", context) as steps:
            steps.about(name=workload.name)

            def ask(state: State, at: int) -> tuple[Decision, tuple[Relaxation, ...]]:
                if request.advise:
                    return advised(state, workload, at, steps.watch)
                return plan(state, workload, at, steps.watch), ()

            decision, advice = await self._loop.read(ask)
            steps.decided(decision)
        cheaper = [to_message(one) for one in advice]
        return wire.PlanResponse(decision=to_message(decision), revision=decision.revision, cheaper=cheaper)

    async def Submit(self, request: Any, context: Any) -> Any:
        """Records and decides; answers after both are durable."""
        submission, decision = await self._submit(request, context)
        return wire.SubmitResponse(
            workload_id=submission.workload_id,
            decision=to_message(decision),
            offset=submission.offset,
            repeated=submission.repeated,
        )

    async def SubmitStream(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        """Many in one message: all of them go into the loop together, so they share its syncs."""
        async for request in requests:
            if len(request.submissions) > SUBMISSIONS:
                wanted = f"at most {SUBMISSIONS}"
                raise Refused("too many at once", field="submissions", found=len(request.submissions), wanted=wanted)
            results = await asyncio.gather(*(self._submitted(one) for one in request.submissions))
            offset = await self._loop.read(lambda state, at: state.offset)
            yield wire.SubmitStreamResponse(results=results, offset=offset)

    async def _submit(self, request: Any, context: Any) -> tuple[Submission, Decision]:
        workload = _workload(request)
        with self._tracing.call("tidegate.submit", context) as steps:
            command = SubmitWorkload(0, workload, request.idempotency_key, steps.traceparent, *_as_planned(request))
            submission: Submission = await self._loop.ask(command, steps.watch)
            steps.about(name=workload.name, workload=submission.workload_id)
            decision = submission.decision or await self._recorded(submission.offset)
            steps.decided(decision)
        return submission, decision

    async def _submitted(self, request: Any) -> Any:
        """One of many. Its refusal is its own; the stream goes on."""
        try:
            command = SubmitWorkload(0, _workload(request), request.idempotency_key, "", *_as_planned(request))
            submission: Submission = await self._loop.ask(command)
        except Refused as error:
            return wire.Submitted(error=str(error)[:MOST_MESSAGE])
        return wire.Submitted(
            workload_id=submission.workload_id,
            outcome=_OUTCOMES[submission.brief.outcome],
            sites=submission.brief.sites,
        )

    async def Get(self, request: Any, context: Any) -> Any:
        """One workload."""
        view = await self._loop.read(lambda state, at: view_of(state, request.workload, at))
        return wire.GetResponse(view=to_message(view))

    async def List(self, request: Any, context: Any) -> Any:
        """In order of submission; a page token is the last id of the page before."""
        views, token = await self._loop.read(lambda state, at: _page(state, request))
        return wire.ListResponse(views=[to_message(view) for view in views], next_page_token=token)

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """Now, then at each change, until it ends."""
        workload_id = await self._loop.read(lambda state, at: found(state, request.workload).id)
        last: WorkloadView | None = None
        with self._bells.listen(workload_id) as rung:
            while True:
                rung.clear()
                view: WorkloadView = await self._loop.read(lambda state, at: view_of(state, workload_id, at))
                if view != last:
                    yield wire.WatchResponse(view=to_message(view))
                if view.phase in ("succeeded", "failed", "cancelled", "refused"):
                    return
                last = view
                await rung.wait()

    async def Cancel(self, request: Any, context: Any) -> Any:
        """Stop it; what has ended stays ended."""
        command = CancelWorkload(0, request.workload, request.because, request.idempotency_key)
        done = await self._loop.ask(command)
        view = await self._loop.read(lambda state, at: view_of(state, done.workload_id, at))
        return wire.CancelResponse(view=to_message(view))

    async def Explain(self, request: Any, context: Any) -> Any:
        """The decision in force, or the one that was in force at an offset.

        With the one in force of a workload that stands comes what would make it cheaper now; that is in no record.
        """

        def ask(state: State, at: int) -> tuple[WorkloadView, int, tuple[Relaxation, ...]]:
            record = found(state, request.workload)
            return (
                view_of(state, record.id, at),
                record.decided_offset,
                () if request.at_offset else cheaper(state, record, at),
            )

        view, offset, advice = await self._loop.read(ask)
        if request.at_offset and request.at_offset < offset:
            offset = await self._older(view.id, request.at_offset)
        if not offset:
            raise NotFound("was not decided then", field="at_offset", found=request.at_offset)
        decision = await self._recorded(offset)
        decision = replace(decision, relaxations=advice or decision.relaxations)
        return wire.ExplainResponse(view=to_message(view), decision=to_message(decision), offset=offset)

    async def _recorded(self, offset: int) -> Decision:
        """The whole decision that stands at an offset. The state keeps it in brief only."""
        async for row in rows_after(self._log, offset - 1, offset):
            event = to_recorded(row).event
            if isinstance(event, WorkloadDecided | WorkloadQueued):
                return event.decision
        raise Broken("the log has no decision where the state says that one stands", field="offset", found=offset)

    async def _older(self, workload_id: str, at_offset: int) -> int:
        """The offset of the workload's newest decision up to another offset; 0 where there was none."""
        newest = 0
        async for row in rows_after(self._log, int(workload_id[1:]), at_offset):
            if row.kind in ("workload_decided", "workload_queued"):
                event = to_recorded(row).event
                if isinstance(event, WorkloadDecided | WorkloadQueued) and event.workload_id == workload_id:
                    newest = row.offset
        return newest

    async def Logs(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """Relayed from the agent of its first site; with `follow`, asked again until the agent says it is complete."""
        view: WorkloadView = await self._loop.read(lambda state, at: view_of(state, request.workload, at))
        if view.brief is None or not view.brief.sites:
            raise NotFound("was placed nowhere, so it has no log", field="workload", found=request.workload)
        offset, site = request.offset, view.brief.sites[0]
        while True:
            try:
                lines = await self._sessions.logs(site, view.id, offset)
            except NotFound:
                if not request.follow:
                    raise
                lines = None  # it has not started to write yet
            if lines is not None and (lines.text or lines.complete or not request.follow):
                yield wire.LogsResponse(text=lines.text, next_offset=lines.next_offset, complete=lines.complete)
            if lines is not None:
                moved = lines.next_offset > offset
                offset = lines.next_offset
                if lines.complete or (not request.follow and not moved):
                    return
                if moved:
                    continue
            elif not await self._loop.read(lambda state, at: found(state, view.id).live):
                return
            await asyncio.sleep(LOG_POLL_S)

    async def ListModels(self, request: Any, context: Any) -> Any:
        """Newest first."""

        def ask(state: State, at: int) -> list[Any]:
            names = [request.name] if request.name else list(state.models)
            return [model for name in names for model in reversed(state.models.get(name, ()))]

        return wire.ListModelsResponse(models=[to_message(model) for model in await self._loop.read(ask)])


def _as_planned(request: Any) -> tuple[int, int]:
    """At which revision and at which moment it was planned, where the answer must be that plan's."""
    return request.if_revision, request.if_decided_at


def _workload(request: Any) -> Workload:
    if not request.HasField("workload"):
        raise Refused("is missing", field="workload", wanted="a workload")
    return from_message(Workload, request.workload)


def _page(state: State, request: Any) -> tuple[list[WorkloadView], str]:
    size = min(request.page_size, LARGEST_PAGE) if request.page_size > 0 else PAGE
    last = request.page_token[1:]
    after = int(last) if last.isdecimal() and len(last) <= TOKEN_DIGITS else 0
    views: list[WorkloadView] = []
    live_alone = bool(request.phases) and not set(request.phases) & {phase for phase in Phase if phase.ended}
    for workload_id in state.workloads:
        if int(workload_id[1:]) <= after or (live_alone and workload_id in state.ended):
            continue
        record = state.workloads[workload_id]
        if request.phases and record.phase not in request.phases:
            continue
        if request.team and record.workload.team != request.team:
            continue
        if request.site and request.site not in (*record.sites, *record.leaving):
            continue
        if len(views) == size:
            return views, views[-1].id
        views.append(record.view(state.sites))
    return views, ""
