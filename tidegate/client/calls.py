"""Every call that a client can make, as a value: the method, its request, and how its reply becomes a noun.

`Client` and `AsyncClient` differ only in how they carry a call out, so what a call *is* stands here once. A mutation
has an idempotency key, made before the first try and sent with each, so that a retry can never happen twice.

It is longer than other files because it is a list: one entry a call, in the order of the services.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from tidegate.model.decision import Decision, Relaxation
from tidegate.model.event import Recorded, SiteView, TeamView, WorkloadView
from tidegate.model.money import PriceBook, Team
from tidegate.model.plan import Goal, Plan
from tidegate.model.policy import Policy
from tidegate.model.registry import Artifact, ModelVersion
from tidegate.model.session import Probed
from tidegate.model.site import Site
from tidegate.model.workload import Workload
from tidegate.v1 import (
    artifacts_pb2,
    artifacts_pb2_grpc,
    events_pb2,
    events_pb2_grpc,
    fleet_pb2,
    fleet_pb2_grpc,
    impact_pb2_grpc,
    plan_pb2,
    traces_pb2,
    traces_pb2_grpc,
    workloads_pb2,
    workloads_pb2_grpc,
)
from tidegate.wire import codec

T = TypeVar("T")
Declaration = Site | Policy | Team | PriceBook


@dataclass(frozen=True)
class Call(Generic[T]):
    """One RPC: `service.method(request)`, read by `read`. Streams read each message."""

    service: str
    method: str
    request: Any
    read: Callable[[Any], T] = field(repr=False)


@dataclass(frozen=True)
class Planned:
    """What would be decided now, and at which revision.

    Hand that to `submit` as `if_revision`, and the decision's `decided_at` as `if_decided_at`.
    """

    decision: Decision
    revision: int
    cheaper: tuple[Relaxation, ...] = ()
    """What it could give way in to cost less, where that was asked."""


@dataclass(frozen=True)
class Submission:
    """What was recorded: the workload's id, the decision and where it stands in the log."""

    workload_id: str
    decision: Decision
    offset: int
    repeated: bool


@dataclass(frozen=True)
class AppliedDeclaration:
    """What became of one declaration: `created`, `changed`, `unchanged` or `superseded`."""

    kind: str
    name: str
    outcome: str


@dataclass(frozen=True)
class AppliedAll:
    """What became of all declarations, and which workloads a new law forbids where they stand."""

    declarations: tuple[AppliedDeclaration, ...]
    offset: int
    outlawed: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    """What was applied and is likely a mistake."""


@dataclass(frozen=True)
class MovedWorkload:
    """What became of one workload of a drained site; no sites means that it stays."""

    workload_id: str
    name: str
    sites: tuple[str, ...]


@dataclass(frozen=True)
class Proposed:
    """A plan that nobody has adopted yet, how long the broker's loop stood still for it, and how long it took."""

    plan: Plan
    copied_us: int
    taken_ms: int


@dataclass(frozen=True)
class LogPiece:
    """Some text of a workload's log and where the next piece starts."""

    text: str
    next_offset: int
    complete: bool


@dataclass(frozen=True)
class LogEvent:
    """An event of the broker's log, with the chain hash at its row."""

    recorded: Recorded
    kind: str
    chain: str


@dataclass(frozen=True)
class MeasuredLink:
    """The round trip from an origin to a site. Times in microseconds."""

    origin: str
    p50_us: int
    p99_us: int
    bound_us: int
    """What decisions count on: the upper confidence bound of `p99_us`."""
    samples: int
    measured_at: int
    """Ms since the epoch."""


@dataclass(frozen=True)
class Held:
    """How much of an artifact the broker holds."""

    held_bytes: int
    complete: bool


def plan(workload: Workload, advise: bool) -> Call[Planned]:
    def answer(m: Any) -> Planned:
        cheaper = tuple(codec.from_message(Relaxation, one) for one in m.cheaper)
        return Planned(_decision(m), m.revision, cheaper)

    request = workloads_pb2.PlanRequest(workload=codec.to_message(workload), advise=advise)
    return Call("Workloads", "Plan", request, answer)


def submit(workload: Workload, key: str, if_revision: int, if_decided_at: int) -> Call[Submission]:
    request = workloads_pb2.SubmitRequest(
        workload=codec.to_message(workload),
        idempotency_key=key,
        if_revision=if_revision,
        if_decided_at=if_decided_at,
    )
    return Call("Workloads", "Submit", request, lambda m: Submission(m.workload_id, _decision(m), m.offset, m.repeated))


def get(workload: str) -> Call[WorkloadView]:
    return Call("Workloads", "Get", workloads_pb2.GetRequest(workload=workload), _view)


def list_page(phases: Sequence[str], team: str, site: str, token: str) -> Call[tuple[list[WorkloadView], str]]:
    request = workloads_pb2.ListRequest(phases=phases, team=team, site=site, page_token=token)
    return Call(
        "Workloads",
        "List",
        request,
        lambda m: ([codec.from_message(WorkloadView, view) for view in m.views], m.next_page_token),
    )


def watch(workload: str) -> Call[WorkloadView]:
    return Call("Workloads", "Watch", workloads_pb2.WatchRequest(workload=workload), _view)


def cancel(workload: str, because: str, key: str) -> Call[WorkloadView]:
    request = workloads_pb2.CancelRequest(workload=workload, because=because, idempotency_key=key)
    return Call("Workloads", "Cancel", request, _view)


def explain(workload: str, at_offset: int) -> Call[tuple[WorkloadView, Decision]]:
    request = workloads_pb2.ExplainRequest(workload=workload, at_offset=at_offset)
    return Call("Workloads", "Explain", request, lambda m: (_view(m), _decision(m)))


def logs(workload: str, offset: int, follow: bool) -> Call[LogPiece]:
    request = workloads_pb2.LogsRequest(workload=workload, offset=offset, follow=follow)
    return Call("Workloads", "Logs", request, lambda m: LogPiece(m.text, m.next_offset, m.complete))


def models(name: str) -> Call[list[ModelVersion]]:
    request = workloads_pb2.ListModelsRequest(name=name)
    return Call(
        "Workloads", "ListModels", request, lambda m: [codec.from_message(ModelVersion, model) for model in m.models]
    )


def apply(declarations: Sequence[Declaration], key: str) -> Call[AppliedAll]:
    names = {Site: "site", Policy: "policy", Team: "team", PriceBook: "price_book"}
    request = fleet_pb2.ApplyRequest(
        declarations=[
            fleet_pb2.Declaration(**{names[type(declared)]: codec.to_message(declared)}) for declared in declarations
        ],
        idempotency_key=key,
    )

    def read(m: Any) -> AppliedAll:
        applied = tuple(AppliedDeclaration(one.kind, one.name, one.outcome) for one in m.applied)
        return AppliedAll(applied, m.offset, tuple(m.outlawed), tuple(m.warnings))

    return Call("Fleet", "Apply", request, read)


def sites() -> Call[list[SiteView]]:
    return Call(
        "Fleet",
        "ListSites",
        fleet_pb2.ListSitesRequest(),
        lambda m: [codec.from_message(SiteView, site) for site in m.sites],
    )


def teams() -> Call[list[TeamView]]:
    request = fleet_pb2.ListTeamsRequest()
    return Call("Fleet", "ListTeams", request, lambda m: [codec.from_message(TeamView, team) for team in m.teams])


def site(name: str) -> Call[tuple[SiteView, list[MeasuredLink]]]:
    def read(m: Any) -> tuple[SiteView, list[MeasuredLink]]:
        links = [
            MeasuredLink(link.origin, link.p50_us, link.rtt_us, link.bound_us, link.samples, link.measured_at)
            for link in m.links
        ]
        return codec.from_message(SiteView, m.site), links

    return Call("Fleet", "GetSite", fleet_pb2.GetSiteRequest(site=name), read)


def cordon(name: str, lift: bool, because: str, key: str) -> Call[SiteView]:
    request = fleet_pb2.CordonRequest(site=name, lift=lift, because=because, idempotency_key=key)
    return Call("Fleet", "Cordon", request, lambda m: codec.from_message(SiteView, m.site))


def drain(name: str, because: str, key: str) -> Call[list[MovedWorkload]]:
    request = fleet_pb2.DrainRequest(site=name, because=because, idempotency_key=key)
    return Call(
        "Fleet",
        "Drain",
        request,
        lambda m: [MovedWorkload(one.workload_id, one.name, tuple(one.sites)) for one in m.moved],
    )


def plan_drain(name: str) -> Call[Plan]:
    request = fleet_pb2.DrainRequest(site=name, plan_only=True)
    return Call("Fleet", "Drain", request, lambda m: codec.from_message(Plan, m.plan))


def propose_plan(
    goals: Sequence[Goal], horizon_hours: int, most_moves: int, together: Sequence[Workload]
) -> Call[Proposed]:
    request = fleet_pb2.ProposePlanRequest(
        goals=[plan_pb2.Goal.Value(f"GOAL_{goal.name}") for goal in goals],
        horizon_hours=horizon_hours,
        most_moves=most_moves,
        together=[codec.to_message(workload) for workload in together],
    )
    return Call(
        "Fleet",
        "ProposePlan",
        request,
        lambda m: Proposed(codec.from_message(Plan, m.plan), m.copied_us, m.taken_ms),
    )


def adopt_plan(plan: Plan, key: str) -> Call[list[MovedWorkload]]:
    request = fleet_pb2.AdoptPlanRequest(plan=codec.to_message(plan), idempotency_key=key)
    return Call(
        "Fleet",
        "AdoptPlan",
        request,
        lambda m: [MovedWorkload(one.workload_id, one.name, tuple(one.sites)) for one in m.moved],
    )


@dataclass(frozen=True)
class PriceList:
    """The price books that hold or will hold, the moment by which to choose, and a model's measured service times."""

    books: tuple[PriceBook, ...]
    at: int
    """Ms since the epoch, at the broker."""
    service_times_us: dict[str, int]
    """By device class; empty where no model was named or none was measured."""


def prices(model_uri: str) -> Call[PriceList]:
    request = fleet_pb2.ListPriceBooksRequest(model_uri=model_uri)

    def read(m: Any) -> PriceList:
        books = tuple(codec.from_message(PriceBook, book) for book in m.price_books)
        return PriceList(books, m.at, dict(m.service_times_us))

    return Call("Fleet", "ListPriceBooks", request, read)


def round_trips(source: str, links: Sequence[Probed]) -> Call[int]:
    request = fleet_pb2.ReportRoundTripsRequest(source=source, links=map(codec.to_message, links))
    return Call("Fleet", "ReportRoundTrips", request, lambda m: m.accepted)


def policies() -> Call[list[Policy]]:
    request = fleet_pb2.ListPoliciesRequest()
    return Call(
        "Fleet", "ListPolicies", request, lambda m: [codec.from_message(Policy, policy) for policy in m.policies]
    )


def events(after: int, follow: bool, about: str) -> Call[LogEvent]:
    request = events_pb2.EventsWatchRequest(after=after, follow=follow, about=about)
    return Call(
        "Events", "Watch", request, lambda m: LogEvent(codec.from_message(Recorded, m.recorded), m.kind, m.chain)
    )


def replay(from_offset: int, to_offset: int) -> Call[events_pb2.ReplayResponse]:
    request = events_pb2.ReplayRequest(from_offset=from_offset, to_offset=to_offset)
    return Call("Events", "Replay", request, lambda m: m)


def verify() -> Call[events_pb2.VerifyResponse]:
    return Call("Events", "Verify", events_pb2.VerifyRequest(), lambda m: m)


def trace(trace_id: str, workload: str, linked: bool, limit: int) -> Call[traces_pb2.TracesGetResponse]:
    request = traces_pb2.TracesGetRequest(trace_id=trace_id, workload=workload, linked=linked, limit=limit)
    return Call("Traces", "Get", request, lambda m: m)


def search_traces(request: traces_pb2.TracesSearchRequest) -> Call[list[traces_pb2.TraceSummary]]:
    return Call("Traces", "Search", request, lambda m: list(m.traces))


def counts(site_name: str, since_ms: int, until_ms: int) -> Call[traces_pb2.CountsResponse]:
    request = traces_pb2.CountsRequest(site=site_name, since_ms=since_ms, until_ms=until_ms)
    return Call("Traces", "Counts", request, lambda m: m)


def stat(digest: str) -> Call[Held]:
    return Call("Artifacts", "Stat", artifacts_pb2.StatRequest(digest=digest), lambda m: Held(m.held_bytes, m.complete))


def push_chunks(artifact: Artifact, data: bytes, offset: int, chunk_bytes: int) -> list[artifacts_pb2.PushRequest]:
    """The messages that bring `data` from `offset` on; the first one names the artifact."""
    first = artifacts_pb2.PushRequest(artifact=codec.to_message(artifact), offset=offset)
    rest = [
        artifacts_pb2.PushRequest(offset=start, data=data[start : start + chunk_bytes])
        for start in range(offset, len(data), chunk_bytes)
    ]
    return [first, *rest]


_STUBS = {
    "Workloads": workloads_pb2_grpc.WorkloadsStub,
    "Fleet": fleet_pb2_grpc.FleetStub,
    "Artifacts": artifacts_pb2_grpc.ArtifactsStub,
    "Events": events_pb2_grpc.EventsStub,
    "Traces": traces_pb2_grpc.TracesStub,
    "Law": impact_pb2_grpc.LawStub,
}


class Stubs:
    """The callables of one channel, made once per service."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._made: dict[str, Any] = {}

    def of(self, call: Call[Any]) -> Any:
        """The callable for a call; it takes the request, a timeout and metadata."""
        return getattr(self._stub(call.service), call.method)

    def push(self) -> Any:
        """The callable that takes the messages of `push_chunks`."""
        return self._stub("Artifacts").Push

    def _stub(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = _STUBS[service](self._channel)
        return self._made[service]


def _decision(message: Any) -> Decision:
    return codec.from_message(Decision, message.decision)


def _view(message: Any) -> WorkloadView:
    return codec.from_message(WorkloadView, message.view)
