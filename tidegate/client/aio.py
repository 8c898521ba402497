"""The client for programs on an event loop: `Client`'s methods, awaited.

async with AsyncClient() as client:
    submission = await client.submit("service.yaml")
    async for view in client.watch(submission.workload_id): ...
    prediction = await client.infer("line-camera", {"image": pixels})

Longer than other files because it has a method for each of `Client`'s.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from os import PathLike
from types import TracebackType
from typing import Any, TypeVar

import grpc
import grpc.aio
import numpy as np

from tidegate.client import calls, law, tracing
from tidegate.client.calls import (
    AppliedAll,
    Call,
    Declaration,
    LogEvent,
    LogPiece,
    MovedWorkload,
    Planned,
    PriceList,
    Proposed,
    Submission,
)
from tidegate.client.client import EXPORT_S, MOST_SPAN_BYTES, broker_address
from tidegate.client.endpoints import Endpoints
from tidegate.client.law import RuleCosts, TrialWord
from tidegate.client.prediction import Array, AsyncPredictionClient, Prediction
from tidegate.client.retry import BUDGET_S, retrying_async, unanswered
from tidegate.client.round_trips import RoundTrips
from tidegate.client.submission import Prepared, Source, declarations_of, workload_of, workloads_of
from tidegate.model.decision import Decision
from tidegate.model.errors import TidegateError, Unavailable
from tidegate.model.event import SiteView, TeamView, WorkloadView
from tidegate.model.plan import Goal, Plan
from tidegate.model.policy import Policy
from tidegate.model.registry import Artifact, ModelVersion
from tidegate.model.workload import Workload
from tidegate.v1 import events_pb2, traces_pb2, workloads_pb2
from tidegate.wire import codec
from tidegate.wire.channel import CHUNK_BYTES, CLIENT_OPTIONS, PLAN_DEADLINE_S, UNARY_DEADLINE_S
from tidegate.wire.status import error_of

T = TypeVar("T")


class AsyncClient:
    """A connection to one broker, and direct connections to the devices that serve."""

    def __init__(
        self,
        broker: str = "",
        *,
        origin: str = "",
        deadline_s: float = UNARY_DEADLINE_S,
        retry_budget_s: float = BUDGET_S,
    ):
        """`broker` is `host:port` or `unix:/path`; `origin` as `Client`'s. Make it inside a running event loop."""
        self.address = broker_address(broker)
        self._channel = grpc.aio.insecure_channel(self.address, options=CLIENT_OPTIONS)
        self._stubs = calls.Stubs(self._channel)
        self._exporter: Any = self._channel.unary_unary(tracing.EXPORT_METHOD)
        self._spans = b""
        self._exporting: asyncio.Future[None] | None = None
        self._deadline_s = deadline_s
        self._retry_budget_s = retry_budget_s
        self._endpoints = Endpoints()
        self._predictions = AsyncPredictionClient()
        self._round_trips = RoundTrips(origin)
        self._reporting: asyncio.Future[None] | None = None

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes every connection."""
        await self._predictions.close()
        if self._reporting is not None:
            self._reporting.cancel()
        if self._exporting is not None:
            await self._exporting
        await self._channel.close()

    async def plan(self, what: Source, *, advise: bool = False) -> Planned:
        """As `Client.plan`."""
        return await self._unary(calls.plan(workload_of(what).workload, advise))

    async def submit(self, what: Source, *, key: str = "", if_revision: int = 0, if_decided_at: int = 0) -> Submission:
        """As `Client.submit`."""
        prepared = workload_of(what)
        span = tracing.ClientSpan.begin(f"submit {prepared.workload.name}")
        attributes = {"tidegate.workload.name": prepared.workload.name}
        try:
            await self._upload(prepared)
            call = calls.submit(prepared.workload, key or secrets.token_hex(16), if_revision, if_decided_at)
            submission = await self._unary(call, traceparent=span.traceparent)
        except TidegateError as error:
            self._export(span.finish(attributes, error.message))
            raise
        self._export(span.finish({**attributes, "tidegate.workload": submission.workload_id}))
        return submission

    async def submit_many(self, batches: AsyncIterator[Sequence[tuple[Workload, str]]]) -> AsyncIterator[Any]:
        """Many (workload, key) pairs per message, for producers of thousands; yields each batch's `Submitted`s.

        Code is not uploaded on this path; `code_digest` must name what the broker holds.
        """

        async def messages() -> AsyncIterator[workloads_pb2.SubmitStreamRequest]:
            async for batch in batches:
                yield workloads_pb2.SubmitStreamRequest(
                    submissions=[
                        workloads_pb2.SubmitRequest(workload=codec.to_message(workload), idempotency_key=key)
                        for workload, key in batch
                    ]
                )

        call = Call("Workloads", "SubmitStream", messages(), lambda m: m)
        async for reply in self._stream(call):
            yield list(reply.results)

    async def get(self, workload: str) -> WorkloadView:
        """As `Client.get`."""
        return await self._unary(calls.get(workload))

    async def workloads(self, *, phases: Sequence[str] = (), team: str = "", site: str = "") -> list[WorkloadView]:
        """As `Client.workloads`."""
        found, token = await self._unary(calls.list_page(phases, team, site, ""))
        while token:
            page, token = await self._unary(calls.list_page(phases, team, site, token))
            found += page
        return found

    async def watch(self, workload: str) -> AsyncIterator[WorkloadView]:
        """As `Client.watch`."""
        call = calls.watch(workload)
        while True:
            try:
                async for view in self._stream(call):
                    yield view
                return
            except Unavailable:
                await self._unary(calls.get(workload))

    async def cancel(self, workload: str, *, because: str = "", key: str = "") -> WorkloadView:
        """As `Client.cancel`."""
        return await self._unary(calls.cancel(workload, because, key or secrets.token_hex(16)))

    async def explain(self, workload: str, *, at_offset: int = 0) -> tuple[WorkloadView, Decision]:
        """As `Client.explain`."""
        return await self._unary(calls.explain(workload, at_offset))

    async def logs(self, workload: str, *, offset: int = 0, follow: bool = False) -> AsyncIterator[LogPiece]:
        """As `Client.logs`."""
        async for piece in self._stream(calls.logs(workload, offset, follow)):
            yield piece

    async def models(self, name: str = "") -> list[ModelVersion]:
        """As `Client.models`."""
        return await self._unary(calls.models(name))

    async def apply(self, *sources: Declaration | str | PathLike[str], key: str = "") -> AppliedAll:
        """As `Client.apply`."""
        return await self._unary(calls.apply(declarations_of(sources), key or secrets.token_hex(16)))

    async def sites(self) -> list[SiteView]:
        """As `Client.sites`."""
        return await self._unary(calls.sites())

    async def teams(self) -> list[TeamView]:
        """As `Client.teams`."""
        return await self._unary(calls.teams())

    async def prices(self, *, model: str = "") -> PriceList:
        """As `Client.prices`."""
        return await self._unary(calls.prices(model))

    async def cordon(self, site: str, *, lift: bool = False, because: str = "", key: str = "") -> SiteView:
        """As `Client.cordon`."""
        return await self._unary(calls.cordon(site, lift, because, key or secrets.token_hex(16)))

    async def drain(self, site: str, *, because: str = "", key: str = "") -> list[MovedWorkload]:
        """As `Client.drain`."""
        return await self._unary(calls.drain(site, because, key or secrets.token_hex(16)))

    async def plan_drain(self, site: str) -> Plan:
        """As `Client.plan_drain`."""
        return await self._unary(calls.plan_drain(site))

    async def propose_plan(
        self,
        *goals: Goal,
        horizon_hours: int = 0,
        most_moves: int = 0,
        together: Sequence[Source] = (),
    ) -> Proposed:
        """What could stand better, for every goal where none is named. With `together`, where these would best stand
        as one batch. Nothing is recorded; it takes a second or more."""
        workloads = [prepared.workload for prepared in workloads_of(together)]
        call = calls.propose_plan(goals, horizon_hours, most_moves, workloads)
        return await self._unary(call, deadline_s=PLAN_DEADLINE_S)

    async def adopt_plan(self, plan: Plan, *, key: str = "") -> list[MovedWorkload]:
        """Carries a plan out; Conflict where anything that placement depends on has changed since it was made."""
        call = calls.adopt_plan(plan, key or secrets.token_hex(16))
        return await self._unary(call, deadline_s=PLAN_DEADLINE_S)

    async def try_policies(
        self,
        *sources: Policy | str | PathLike[str],
        without: Sequence[str] = (),
        since_ms: int = 0,
        from_offset: int = 0,
        to_offset: int = 0,
    ) -> AsyncIterator[TrialWord]:
        """As `Client.try_policies`."""
        call = law.try_policies(declarations_of(sources), without, since_ms, from_offset, to_offset)
        async for word in self._stream(call):
            yield word

    async def rule_costs(self) -> RuleCosts:
        """As `Client.rule_costs`."""
        return await self._unary(law.rule_costs())

    async def events(self, *, after: int = 0, follow: bool = False, about: str = "") -> AsyncIterator[LogEvent]:
        """As `Client.events`."""
        async for event in self._stream(calls.events(after, follow, about)):
            yield event

    async def replay(self, *, from_offset: int = 0, to_offset: int = 0) -> events_pb2.ReplayResponse:
        """As `Client.replay`."""
        return await self._unary(calls.replay(from_offset, to_offset), deadline_s=120.0)

    async def verify(self) -> events_pb2.VerifyResponse:
        """As `Client.verify`."""
        return await self._unary(calls.verify(), deadline_s=600.0)

    async def trace(
        self, workload: str = "", *, trace_id: str = "", linked: bool = True
    ) -> traces_pb2.TracesGetResponse:
        """As `Client.trace`."""
        return await self._unary(calls.trace(trace_id, workload, linked, 1000))

    async def counts(self, site: str = "", *, since_ms: int = 0, until_ms: int = 0) -> traces_pb2.CountsResponse:
        """As `Client.counts`."""
        return await self._unary(calls.counts(site, since_ms, until_ms))

    async def infer(
        self,
        service: str,
        inputs: Mapping[str, np.ndarray[Any, Any]],
        *,
        traceparent: str = "",
        endpoint: str = "",
        timeout_s: float = 10.0,
    ) -> Prediction:
        """As `Client.infer`."""
        if endpoint:
            return await self._predictions.infer(endpoint, service, inputs, traceparent, timeout_s)
        silent: Unavailable | None = None
        for address in self._endpoints.of(service):
            try:
                return await self._asked(address, service, inputs, traceparent, timeout_s)
            except Unavailable as error:
                silent = error
        try:
            addresses = await self._resolve(service)
        except Unavailable as error:
            raise silent or error from error  # the device's own word says more than the broker's silence
        for address in addresses:
            try:
                return await self._asked(address, service, inputs, traceparent, timeout_s)
            except Unavailable as error:
                silent = error
        raise silent or Unavailable(f"no endpoint of {service} answers", field="service", found=service)

    async def _asked(
        self, address: str, service: str, inputs: Mapping[str, Array], traceparent: str, timeout_s: float
    ) -> Prediction:
        prediction = await self._predictions.infer(address, service, inputs, traceparent, timeout_s)
        site = self._endpoints.site_of(address)
        if self._round_trips.note(site, prediction.latency_us, prediction.server_us):
            self._reporting = asyncio.ensure_future(self._report_round_trips())
        return prediction

    async def _report_round_trips(self) -> None:
        call = calls.round_trips(self._round_trips.source, self._round_trips.report())
        with contextlib.suppress(grpc.RpcError):
            await self._stubs.of(call)(call.request, timeout=EXPORT_S)

    async def _resolve(self, service: str) -> list[str]:
        return self._endpoints.learn(service, await self.get(service))

    async def _unary(self, call: Call[T], *, deadline_s: float = 0, traceparent: str = "") -> T:
        metadata = (("traceparent", traceparent),) if traceparent else ()
        method = self._stubs.of(call)

        async def attempt() -> T:
            try:
                return call.read(await method(call.request, timeout=deadline_s or self._deadline_s, metadata=metadata))
            except grpc.RpcError as error:
                raise unanswered(error_of(error), self.address) from error

        return await retrying_async(self._retry_budget_s)(attempt)

    async def _stream(self, call: Call[T]) -> AsyncIterator[T]:
        try:
            async for message in self._stubs.of(call)(call.request):
                yield call.read(message)
        except grpc.RpcError as error:
            raise unanswered(error_of(error), self.address) from error

    async def _upload(self, prepared: Prepared) -> None:
        if prepared.code is not None:
            await self.push_artifact(prepared.code, prepared.packed)

    async def push_artifact(self, artifact: Artifact, data: bytes) -> None:
        """As `Client.push_artifact`."""

        async def attempt() -> None:
            held = await self._unary(calls.stat(artifact.digest))
            if held.complete:
                return
            messages = calls.push_chunks(artifact, data, held.held_bytes, CHUNK_BYTES)
            try:
                await self._stubs.push()(iter(messages), timeout=120.0)
            except grpc.RpcError as error:
                raise unanswered(error_of(error), self.address) from error

        await retrying_async(self._retry_budget_s)(attempt)

    def _export(self, spans: bytes) -> None:
        """Not waited for. One export is under way at a time; what comes meanwhile goes with the next."""
        if len(self._spans) < MOST_SPAN_BYTES:
            self._spans += spans
        if self._exporting is None or self._exporting.done():
            self._exporting = asyncio.ensure_future(self._send_spans())

    async def _send_spans(self) -> None:
        while self._spans:
            taken, self._spans = self._spans, b""
            with contextlib.suppress(grpc.RpcError):
                await self._exporter(taken, timeout=EXPORT_S)
