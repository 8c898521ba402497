"""The blocking client.

with Client() as client:
    client.apply("sites.yaml")
    submission = client.submit("service.yaml")
    for view in client.watch(submission.workload_id): ...
    label = client.infer("line-camera", {"image": pixels})["label"]

Every method raises one of three families (`tidegate.model.errors`): `Refused` (your request), `Unavailable` (the
world; already retried within the budget) and `Broken` (us). One client may be used from several threads.

Longer than other files, as its sibling `aio` is: one method a verb, each with what a user needs to know of it.
"""

import contextlib
import os
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from types import TracebackType
from typing import Any, TypeVar

import grpc
import numpy as np

from tidegate.client import calls, law, tracing
from tidegate.client.calls import (
    AppliedAll,
    Call,
    Declaration,
    LogEvent,
    LogPiece,
    MeasuredLink,
    MovedWorkload,
    Planned,
    PriceList,
    Proposed,
    Submission,
)
from tidegate.client.endpoints import Endpoints
from tidegate.client.law import RuleCosts, TrialWord
from tidegate.client.prediction import Array, Prediction, PredictionClient
from tidegate.client.retry import BUDGET_S, retrying, unanswered
from tidegate.client.round_trips import RoundTrips
from tidegate.client.submission import Prepared, Source, declarations_of, workload_of, workloads_of
from tidegate.model.decision import Decision
from tidegate.model.errors import TidegateError, Unavailable
from tidegate.model.event import SiteView, TeamView, WorkloadView
from tidegate.model.plan import Goal, Plan
from tidegate.model.policy import Policy
from tidegate.model.registry import Artifact, ModelVersion
from tidegate.v1 import artifacts_pb2, events_pb2, traces_pb2
from tidegate.wire.channel import CHUNK_BYTES, CLIENT_OPTIONS, DEFAULT_BROKER, PLAN_DEADLINE_S, UNARY_DEADLINE_S
from tidegate.wire.status import error_of

T = TypeVar("T")

EXPORT_S = 2.0
"""How long a span of the client's own may take to be sent; it is lost after that, and nothing else is."""
MOST_SPAN_BYTES = 1024 * 1024
"""Spans that wait beyond this are lost."""


def broker_address(given: str = "") -> str:
    """The broker's address: as given, else `TIDEGATE_BROKER`, else where `tidegate up` listens."""
    return given or os.environ.get("TIDEGATE_BROKER", "") or DEFAULT_BROKER


class Client:
    """A connection to one broker, and direct connections to the devices that serve."""

    def __init__(
        self,
        broker: str = "",
        *,
        origin: str = "",
        deadline_s: float = UNARY_DEADLINE_S,
        retry_budget_s: float = BUDGET_S,
    ):
        """`broker` is `host:port` or `unix:/path`. Nothing is dialled before the first call.

        `origin` says where this program stands, as sites and services name it; the round trips of its predictions are
        then told to the broker, beside them and at no cost to them (`round_trips`).
        """
        self.address = broker_address(broker)
        self._channel = grpc.insecure_channel(self.address, options=CLIENT_OPTIONS)
        self._stubs = calls.Stubs(self._channel)
        self._exporter: Any = self._channel.unary_unary(tracing.EXPORT_METHOD)
        self._lock = threading.Lock()
        self._spans = b""
        self._exporting: Any = None
        self._deadline_s = deadline_s
        self._retry_budget_s = retry_budget_s
        self._endpoints = Endpoints()
        self._predictions = PredictionClient()
        self._round_trips = RoundTrips(origin)

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes every connection."""
        self._predictions.close()
        with contextlib.suppress(grpc.RpcError, grpc.FutureCancelledError):
            if self._exporting is not None:
                self._exporting.result()
            if self._spans:
                self._exporter(self._taken(), timeout=EXPORT_S)
        self._channel.close()

    # Workloads

    def plan(self, what: Source, *, advise: bool = False) -> Planned:
        """Decides without recording: the same path as `submit`, with the record left out.

        `advise` also tries what would make it cheaper.
        """
        return self._unary(calls.plan(workload_of(what).workload, advise))

    def submit(self, what: Source, *, key: str = "", if_revision: int = 0, if_decided_at: int = 0) -> Submission:
        """Records a workload and its decision; uploads its code first. `key` makes a repetition harmless."""
        prepared = workload_of(what)
        span = tracing.ClientSpan.begin(f"submit {prepared.workload.name}")
        attributes = {"tidegate.workload.name": prepared.workload.name}
        try:
            self._upload(prepared)
            call = calls.submit(prepared.workload, key or secrets.token_hex(16), if_revision, if_decided_at)
            submission = self._unary(call, traceparent=span.traceparent)
        except TidegateError as error:
            self._export(span.finish(attributes, error.message))
            raise
        self._export(span.finish({**attributes, "tidegate.workload": submission.workload_id}))
        return submission

    def get(self, workload: str) -> WorkloadView:
        """One workload, by id or by name (the newest of that name)."""
        return self._unary(calls.get(workload))

    def workloads(self, *, phases: Sequence[str] = (), team: str = "", site: str = "") -> list[WorkloadView]:
        """Every workload that matches, in the order of their submission."""
        found, token = self._unary(calls.list_page(phases, team, site, ""))
        while token:
            page, token = self._unary(calls.list_page(phases, team, site, token))
            found += page
        return found

    def watch(self, workload: str) -> Iterator[WorkloadView]:
        """The workload now and at each change until it ends; survives a restart of the broker."""
        call = calls.watch(workload)
        while True:
            try:
                for view in self._stream(call):
                    yield view
                    if _ended(view):
                        return
            except Unavailable:
                self._unary(calls.get(workload))
            else:
                return

    def cancel(self, workload: str, *, because: str = "", key: str = "") -> WorkloadView:
        """Asks for it to be stopped; `watch` shows when every site has let go."""
        return self._unary(calls.cancel(workload, because, key or secrets.token_hex(16)))

    def explain(self, workload: str, *, at_offset: int = 0) -> tuple[WorkloadView, Decision]:
        """The decision in force with its whole matrix, or the one at an older offset of the log."""
        return self._unary(calls.explain(workload, at_offset))

    def logs(self, workload: str, *, offset: int = 0, follow: bool = False) -> Iterator[LogPiece]:
        """What the workload printed, from an offset in bytes; with `follow`, until it ends."""
        yield from self._stream(calls.logs(workload, offset, follow))

    def models(self, name: str = "") -> list[ModelVersion]:
        """Every registered model version, newest first."""
        return self._unary(calls.models(name))

    # The fleet

    def apply(self, *sources: Declaration | str | PathLike[str], key: str = "") -> AppliedAll:
        """Declares sites, policies, teams and prices: all of them or none."""
        return self._unary(calls.apply(declarations_of(sources), key or secrets.token_hex(16)))

    def sites(self) -> list[SiteView]:
        """Every site as declared and as observed."""
        return self._unary(calls.sites())

    def teams(self) -> list[TeamView]:
        """Every team with what it holds, borrows, lends and spends."""
        return self._unary(calls.teams())

    def site(self, name: str) -> tuple[SiteView, list[MeasuredLink]]:
        """One site, and the round trips that were measured to it."""
        return self._unary(calls.site(name))

    def cordon(self, site: str, *, lift: bool = False, because: str = "", key: str = "") -> SiteView:
        """No new work goes there; `lift` ends that."""
        return self._unary(calls.cordon(site, lift, because, key or secrets.token_hex(16)))

    def drain(self, site: str, *, because: str = "", key: str = "") -> list[MovedWorkload]:
        """Cordons, and moves what lawfully fits elsewhere."""
        return self._unary(calls.drain(site, because, key or secrets.token_hex(16)))

    def plan_drain(self, site: str) -> Plan:
        """What a drain would move where, with gains and disruptions, and what would stay. Nothing is recorded."""
        return self._unary(calls.plan_drain(site))

    def propose_plan(
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
        return self._unary(call, deadline_s=PLAN_DEADLINE_S)

    def adopt_plan(self, plan: Plan, *, key: str = "") -> list[MovedWorkload]:
        """Carries a plan out; Conflict where anything that placement depends on has changed since it was made."""
        call = calls.adopt_plan(plan, key or secrets.token_hex(16))
        return self._unary(call, deadline_s=PLAN_DEADLINE_S)

    def policies(self) -> list[Policy]:
        """Every policy version in force."""
        return self._unary(calls.policies())

    def prices(self, *, model: str = "") -> PriceList:
        """The price books that hold or will hold; with `model` (a URI) also its measured service times."""
        return self._unary(calls.prices(model))

    def try_policies(
        self,
        *sources: Policy | str | PathLike[str],
        without: Sequence[str] = (),
        since_ms: int = 0,
        from_offset: int = 0,
        to_offset: int = 0,
    ) -> Iterator[TrialWord]:
        """The law with these policies in it, and without those named, against what stands now; with a window, against
        recorded decisions too. How far it is about once a second, the impact last. Nothing is applied."""
        call = law.try_policies(declarations_of(sources), without, since_ms, from_offset, to_offset)
        yield from self._stream(call)

    def rule_costs(self) -> RuleCosts:
        """What each rule costs each team over everything that is placed, as the decisions in force recorded it."""
        return self._unary(law.rule_costs())

    # The log and the traces

    def events(self, *, after: int = 0, follow: bool = False, about: str = "") -> Iterator[LogEvent]:
        """The log after an offset, optionally only what touches one workload, site or name."""
        yield from self._stream(calls.events(after, follow, about))

    def replay(self, *, from_offset: int = 0, to_offset: int = 0) -> events_pb2.ReplayResponse:
        """Folds the log to each decision and decides again; says which came out equal."""
        return self._unary(calls.replay(from_offset, to_offset), deadline_s=120.0)

    def verify(self) -> events_pb2.VerifyResponse:
        """Judges everything that stands now, by code that put nothing there."""
        return self._unary(calls.verify(), deadline_s=600.0)

    def trace(
        self, workload: str = "", *, trace_id: str = "", linked: bool = True, limit: int = 1000
    ) -> traces_pb2.TracesGetResponse:
        """The spans of a workload or of one trace, with what they link to."""
        return self._unary(calls.trace(trace_id, workload, linked, limit))

    def search_traces(self, **wanted: Any) -> list[traces_pb2.TraceSummary]:
        """Summaries of traces; the keywords are the fields of `TracesSearchRequest`."""
        return self._unary(calls.search_traces(traces_pb2.TracesSearchRequest(**wanted)))

    def counts(self, site: str = "", *, since_ms: int = 0, until_ms: int = 0) -> traces_pb2.CountsResponse:
        """What arrived from sites: spans, predictions, duplicates, gaps."""
        return self._unary(calls.counts(site, since_ms, until_ms))

    # Predictions

    def infer(
        self,
        service: str,
        inputs: Mapping[str, np.ndarray[Any, Any]],
        *,
        traceparent: str = "",
        endpoint: str = "",
        timeout_s: float = 10.0,
    ) -> Prediction:
        """Asks the device itself: the broker names the endpoints once, and need not be there afterwards.

        `inputs` are arrays by tensor name; `endpoint` (`http://...` or `unix:/...`) skips the broker altogether.
        """
        if endpoint:
            return self._predictions.infer(endpoint, service, inputs, traceparent, timeout_s)
        silent: Unavailable | None = None
        for address in self._endpoints.of(service):
            try:
                return self._asked(address, service, inputs, traceparent, timeout_s)
            except Unavailable as error:
                silent = error
        try:
            addresses = self._resolve(service)
        except Unavailable as error:
            raise silent or error from error  # the device's own word says more than the broker's silence
        for address in addresses:
            try:
                return self._asked(address, service, inputs, traceparent, timeout_s)
            except Unavailable as error:
                silent = error
        raise silent or Unavailable(f"no endpoint of {service} answers", field="service", found=service)

    def _asked(
        self, address: str, service: str, inputs: Mapping[str, Array], traceparent: str, timeout_s: float
    ) -> Prediction:
        prediction = self._predictions.infer(address, service, inputs, traceparent, timeout_s)
        site = self._endpoints.site_of(address)
        if self._round_trips.note(site, prediction.latency_us, prediction.server_us):
            threading.Thread(target=self._report_round_trips, daemon=True).start()
        return prediction

    def _report_round_trips(self) -> None:
        call = calls.round_trips(self._round_trips.source, self._round_trips.report())
        with contextlib.suppress(grpc.RpcError, ValueError):  # ValueError: the channel was closed meanwhile
            self._stubs.of(call)(call.request, timeout=EXPORT_S)

    def _resolve(self, service: str) -> list[str]:
        return self._endpoints.learn(service, self.get(service))

    # Carrying calls out

    def _unary(self, call: Call[T], *, deadline_s: float = 0, traceparent: str = "") -> T:
        metadata = (("traceparent", traceparent),) if traceparent else ()
        method = self._stubs.of(call)

        def attempt() -> T:
            try:
                return call.read(method(call.request, timeout=deadline_s or self._deadline_s, metadata=metadata))
            except grpc.RpcError as error:
                raise unanswered(error_of(error), self.address) from error

        return retrying(self._retry_budget_s)(attempt)

    def _stream(self, call: Call[T]) -> Iterator[T]:
        try:
            for message in self._stubs.of(call)(call.request):
                yield call.read(message)
        except grpc.RpcError as error:
            raise unanswered(error_of(error), self.address) from error

    def _upload(self, prepared: Prepared) -> None:
        if prepared.code is None:
            return
        self.push_artifact(prepared.code, prepared.packed)

    def push_artifact(self, artifact: Artifact, data: bytes) -> None:
        """Brings a file to the broker, from where an interrupted upload ended."""

        def attempt() -> None:
            held = self._unary(calls.stat(artifact.digest))
            if held.complete:
                return
            messages = calls.push_chunks(artifact, data, held.held_bytes, CHUNK_BYTES)
            try:
                self._stubs.push()(iter(messages), timeout=120.0)
            except grpc.RpcError as error:
                raise unanswered(error_of(error), self.address) from error

        retrying(self._retry_budget_s)(attempt)

    def fetch_artifact(self, digest: str) -> bytes:
        """A whole file by its digest; for models, code and what else is addressed by content."""
        request = artifacts_pb2.FetchRequest(digest=digest)
        return b"".join(self._stream(Call("Artifacts", "Fetch", request, lambda m: m.data)))

    def _export(self, spans: bytes) -> None:
        """Not waited for. One export is under way at a time; what comes meanwhile goes with the next, or at `close`."""
        with self._lock:
            if len(self._spans) < MOST_SPAN_BYTES:
                self._spans += spans
            if self._exporting is None or self._exporting.done():
                self._exporting = self._exporter.future(self._taken(), timeout=EXPORT_S)

    def _taken(self) -> bytes:
        """What waits to be exported; encoded requests that follow each other are one request."""
        taken, self._spans = self._spans, b""
        return taken


def _ended(view: WorkloadView) -> bool:
    return view.phase in {"succeeded", "failed", "cancelled", "refused"}
