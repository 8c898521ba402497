"""What reaches a broker: sequences of calls to its real servicers, behind the real doorway, on a broker that stands.

An input is a row of calls: a byte for the method, four for a length (little-endian), the message. Calls of a streaming
method that follow each other are one stream. What a call may answer is a message or a status of the families;
`INTERNAL` and `UNKNOWN` are findings, and so is a loop that has ended, a state that is not what its log folds to, and a
call over `CPU_MS`. `tests/fuzzing/world.py` is the broker.
"""

import struct
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agents.spool import Gap
from broker.telemetry import payload
from edge.serving.prediction import Call, ModelIdentity, Origin, predictions_payload, spans_payload
from edge.serving.trace import SpanContext
from tests.fuzzing.made import example
from tests.fuzzing.measure import Spent
from tests.fuzzing.mutation import by_field, change
from tests.fuzzing.target import Target
from tests.fuzzing.world import Calling, lived, nouns, workloads
from tidegate.model.assignment import Phase, Status
from tidegate.model.plan import Plan
from tidegate.model.registry import Artifact
from tidegate.model.session import AgentSays, Chunk, Heartbeat, Hello, LogLines, Measured, Probed, Report
from tidegate.v1 import agents_pb2, artifacts_pb2, events_pb2, fleet_pb2, impact_pb2, traces_pb2, workloads_pb2
from tidegate.v1.prediction_pb2 import PredictionBatch
from tidegate.wire.codec import to_message, union_to_message

METHODS: tuple[tuple[str, Any], ...] = (
    ("/tidegate.v1.Workloads/Plan", workloads_pb2.PlanRequest),
    ("/tidegate.v1.Workloads/Submit", workloads_pb2.SubmitRequest),
    ("/tidegate.v1.Workloads/SubmitStream", workloads_pb2.SubmitStreamRequest),
    ("/tidegate.v1.Workloads/Get", workloads_pb2.GetRequest),
    ("/tidegate.v1.Workloads/List", workloads_pb2.ListRequest),
    ("/tidegate.v1.Workloads/Watch", workloads_pb2.WatchRequest),
    ("/tidegate.v1.Workloads/Cancel", workloads_pb2.CancelRequest),
    ("/tidegate.v1.Workloads/Explain", workloads_pb2.ExplainRequest),
    ("/tidegate.v1.Workloads/Logs", workloads_pb2.LogsRequest),
    ("/tidegate.v1.Workloads/ListModels", workloads_pb2.ListModelsRequest),
    ("/tidegate.v1.Fleet/Apply", fleet_pb2.ApplyRequest),
    ("/tidegate.v1.Fleet/ListSites", fleet_pb2.ListSitesRequest),
    ("/tidegate.v1.Fleet/GetSite", fleet_pb2.GetSiteRequest),
    ("/tidegate.v1.Fleet/Cordon", fleet_pb2.CordonRequest),
    ("/tidegate.v1.Fleet/Drain", fleet_pb2.DrainRequest),
    ("/tidegate.v1.Fleet/ProposePlan", fleet_pb2.ProposePlanRequest),
    ("/tidegate.v1.Fleet/AdoptPlan", fleet_pb2.AdoptPlanRequest),
    ("/tidegate.v1.Fleet/ListTeams", fleet_pb2.ListTeamsRequest),
    ("/tidegate.v1.Fleet/ListPolicies", fleet_pb2.ListPoliciesRequest),
    ("/tidegate.v1.Fleet/ListPriceBooks", fleet_pb2.ListPriceBooksRequest),
    ("/tidegate.v1.Fleet/ReportRoundTrips", fleet_pb2.ReportRoundTripsRequest),
    ("/tidegate.v1.Agents/Attach", agents_pb2.AttachRequest),
    ("/tidegate.v1.Agents/SyncTelemetry", agents_pb2.SyncTelemetryRequest),
    ("/tidegate.v1.Artifacts/Stat", artifacts_pb2.StatRequest),
    ("/tidegate.v1.Artifacts/Push", artifacts_pb2.PushRequest),
    ("/tidegate.v1.Artifacts/Fetch", artifacts_pb2.FetchRequest),
    ("/tidegate.v1.Events/Watch", events_pb2.EventsWatchRequest),
    ("/tidegate.v1.Events/Replay", events_pb2.ReplayRequest),
    ("/tidegate.v1.Events/Verify", events_pb2.VerifyRequest),
    ("/tidegate.v1.Traces/Get", traces_pb2.TracesGetRequest),
    ("/tidegate.v1.Traces/Search", traces_pb2.TracesSearchRequest),
    ("/tidegate.v1.Traces/Counts", traces_pb2.CountsRequest),
    ("/tidegate.v1.Law/ListRuleCosts", impact_pb2.ListRuleCostsRequest),
)
"""All of them but `Law/TryPolicies`, which starts a process; what it is given is read as `Fleet/Apply` reads it."""
NUMBER = {path.rpartition("v1.")[2]: number for number, (path, _) in enumerate(METHODS)}
STREAMS = ("SubmitStream", "Attach", "SyncTelemetry", "Push")
MOST_CALLS = 8
KINDS = {"Site": "site", "PriceBook": "price_book", "Policy": "policy", "Team": "team"}


def calls(data: bytes) -> Spent:
    """All of them, on a broker of its own."""
    return lived(_read(data))


def telemetry(data: bytes) -> None:
    """The bytes of a chunk, as each kind of them: rows, or ValueError; and an export, which is refused."""
    for read in (payload.spans, payload.predictions, payload.gap):
        try:
            found = read(data)
        except ValueError:
            continue
        if read is payload.spans:
            for row in found[0]:
                payload.span(row.body, row.service, row.site, 1)


def _read(data: bytes) -> list[Calling]:
    found: list[Calling] = []
    at = 0
    while at < len(data) and sum(len(call.messages) for call in found) < MOST_CALLS:
        path, message_type = METHODS[data[at] % len(METHODS)]
        (length,) = struct.unpack("<I", data[at + 1 : at + 5].ljust(4, b"\0"))
        message = data[at + 5 : at + 5 + length]
        at += 5 + length
        try:
            message_type.FromString(message)
        except DecodeError:
            continue  # gRPC refuses it by itself
        if found and found[-1].path == path and path.endswith(STREAMS):
            found[-1].messages.append(message)
        else:
            found.append(Calling(path, [message]))
    return found


def row(*messages: tuple[str, Any]) -> bytes:
    """Calls, by the method's short name, as an input."""
    pieces = [(NUMBER[name], message.SerializeToString(deterministic=True)) for name, message in messages]
    return b"".join(bytes([number]) + struct.pack("<I", len(piece)) + piece for number, piece in pieces)


def mutation(random: Random, data: bytes) -> bytes:
    """One message by its fields; or one more call, one less, one again."""
    found = [(NUMBER[call.path.rpartition("v1.")[2]], message) for call in _read(data) for message in call.messages]
    found = found or [(random.randrange(len(METHODS)), b"")]
    which = random.randrange(len(found))
    number, message = found[which]
    what = random.random()
    if what < 0.7:
        found[which] = number, by_field(METHODS[number][1])(random, message)
    elif what < 0.8:
        found.append(found[which])
    elif what < 0.9:
        number = random.randrange(len(METHODS))
        made = METHODS[number][1]()
        for _ in range(4):
            change(random, made)
        found.append((number, made.SerializeToString()))
    else:
        del found[which]
    return b"".join(bytes([number]) + struct.pack("<I", len(message)) + message for number, message in found)


def opening() -> list[Calling]:
    """How the broker that every input meets came to stand as it does."""
    declared = nouns(*(f"examples/factory/{name}.yaml" for name in ("sites", "teams", "prices", "policies")))
    service = replace(workloads("examples/factory/service.yaml")[0], name="line-camera")
    job = workloads("examples/factory/training.yaml")[0]
    job = replace(job, training=replace(job.training, working_dir="", code_digest="0" * 64))
    return _read_all(
        ("Fleet/Apply", _apply(*declared)),
        ("Agents/Attach", _says(Hello("press-7", "boot-1", 0, "127.0.0.1:9"))),
        ("Workloads/Get", workloads_pb2.GetRequest(workload="w1")),
        ("Agents/Attach", _says(Hello("on-prem-leipzig", "boot-1", 0))),
        ("Workloads/Submit", workloads_pb2.SubmitRequest(workload=to_message(service), idempotency_key="k1")),
        ("Workloads/Submit", workloads_pb2.SubmitRequest(workload=to_message(job), idempotency_key="k2")),
    )


def _read_all(*messages: tuple[str, Any]) -> list[Calling]:
    return [call for message in messages for call in _read(row(message))]


def _apply(*declared: Any) -> Any:
    found = [fleet_pb2.Declaration(**{KINDS[type(noun).__name__]: to_message(noun)}) for noun in declared]
    return fleet_pb2.ApplyRequest(declarations=found, idempotency_key="a")


def _says(word: Any) -> Any:
    return agents_pb2.AttachRequest(says=union_to_message(AgentSays, word))


def workload_seeds() -> list[bytes]:
    found: list[bytes] = []
    names = [f"examples/{place}/{name}.yaml" for place, name in PLACES]
    for work in workloads(*names):
        message = to_message(
            replace(work, training=work.training and replace(work.training, working_dir="", code_digest="0" * 64))
        )
        submit = workloads_pb2.SubmitRequest(workload=message, idempotency_key="k")
        plan = workloads_pb2.PlanRequest(workload=message)
        found.append(row(("Workloads/Plan", plan)))
        found.append(
            row(("Workloads/Submit", submit), ("Workloads/Explain", workloads_pb2.ExplainRequest(workload=work.name)))
        )
        found.append(
            row(("Workloads/Submit", submit), ("Workloads/Cancel", workloads_pb2.CancelRequest(workload=work.name)))
        )
        many = workloads_pb2.SubmitStreamRequest(submissions=[submit, submit])
        found.append(row(("Workloads/SubmitStream", many), ("Workloads/SubmitStream", many)))
    return found


PLACES = (
    *(
        ("factory", "service"),
        ("factory", "training"),
        ("bank", "service"),
        ("hospital", "training"),
        ("teams", "voice"),
    ),
)


def fleet_seeds() -> list[bytes]:
    places = *(f"examples/{place}" for place in ("bank", "hospital", "teams")), "policies/gdpr.yaml"
    declared = [noun for place in places for noun in nouns(place) if type(noun).__name__ in KINDS]
    cordon = fleet_pb2.CordonRequest(site="press-7", because="x", idempotency_key="c")
    plan = fleet_pb2.AdoptPlanRequest(plan=to_message(example(Plan)), idempotency_key="p")
    trips = fleet_pb2.ReportRoundTripsRequest(source="me", links=[to_message(example(Probed))])
    wish = fleet_pb2.ProposePlanRequest(goals=[1], horizon_hours=1, most_moves=1)
    return [
        *(
            row(("Fleet/Apply", _apply(noun)), ("Fleet/ListPriceBooks", fleet_pb2.ListPriceBooksRequest()))
            for noun in declared
        ),
        row(("Fleet/Cordon", cordon), ("Fleet/Drain", fleet_pb2.DrainRequest(site="press-7"))),
        row(("Fleet/AdoptPlan", plan)),
        row(("Fleet/ReportRoundTrips", trips), ("Fleet/GetSite", fleet_pb2.GetSiteRequest(site="press-7"))),
        row(("Fleet/ProposePlan", wish), ("Fleet/ListTeams", fleet_pb2.ListTeamsRequest())),
    ]


def agent_seeds() -> list[bytes]:
    hello = Hello("press-8", "boot-2", 0, "127.0.0.1:8", nouns("examples/factory/sites.yaml")[3].offers, ("w9",), 5)
    status = Status("w1", 1, Phase.RUNNING, "up", metrics={"service_time_p99_us": "4000"}, at=7)
    words = (Heartbeat(5, 0), Report(1, (status,)), Measured((example(Probed),)), LogLines(1, "text", 4, True))
    attach = [("Agents/Attach", _says(hello)), *(("Agents/Attach", _says(word)) for word in words)]
    ended = Report(2, (replace(status, phase=Phase.FAILED),))
    back = [("Agents/Attach", _says(Hello("press-7", "boot-3", 1))), ("Agents/Attach", _says(ended))]
    return [
        row(*attach),
        row(*attach[:1], *attach[2:3]),
        row(*back),
        row(*back, ("Workloads/Get", workloads_pb2.GetRequest(workload="w1"))),
    ]


def read_seeds() -> list[bytes]:
    artifact = Artifact("ab" * 32, 5, "x")
    push = artifacts_pb2.PushRequest(artifact=to_message(artifact), data=b"hello")
    return [
        row(("Workloads/List", workloads_pb2.ListRequest(page_size=2, page_token="w1", phases=["refused"]))),
        row(("Workloads/Watch", workloads_pb2.WatchRequest(workload="line-camera"))),
        row(("Workloads/Logs", workloads_pb2.LogsRequest(workload="w1", offset=5, follow=True))),
        row(("Workloads/Explain", workloads_pb2.ExplainRequest(workload="line-camera", at_offset=9))),
        row(("Workloads/ListModels", workloads_pb2.ListModelsRequest(name="line-camera"))),
        row(("Events/Watch", events_pb2.EventsWatchRequest(after=1, about="line-camera", follow=True))),
        row(("Events/Replay", events_pb2.ReplayRequest(from_offset=1, to_offset=9))),
        row(("Events/Verify", events_pb2.VerifyRequest())),
        row(("Artifacts/Push", push), ("Artifacts/Stat", artifacts_pb2.StatRequest(digest="ab" * 32))),
        row(("Artifacts/Fetch", artifacts_pb2.FetchRequest(digest="ab" * 32, offset=1))),
        row(("Traces/Get", traces_pb2.TracesGetRequest(workload="w1", linked=True, limit=5))),
        row(("Traces/Search", traces_pb2.TracesSearchRequest(service="a", since_ms=5, limit=5))),
        row(("Traces/Counts", traces_pb2.CountsRequest(site="press-7", since_ms=1))),
        row(("Law/ListRuleCosts", impact_pb2.ListRuleCostsRequest())),
    ]


def _told() -> tuple[bytes, bytes, bytes]:
    """Spans, predictions and a gap, as sites send them."""
    origin = Origin("press-7", "line-camera")
    span = SpanContext(b"t" * 16, b"s" * 8)
    identity = ModelIdentity("line-camera", "1", "ab" * 32, 1, span)
    call = Call(identity, "line-camera", "q", span, None, 1_790_000_000_000_000_000, 9_000_000, 1, 2, "http", "", True)
    gap = Gap(3, 5, 1, 2, (0, 3, 0, 0), (0, 9, 0, 0)).record().payload
    return spans_payload(origin, [call]), predictions_payload(origin, [call]), gap


def sync_seeds() -> list[bytes]:
    spans, predictions, gap = _told()
    chunks = [Chunk(1, "spans", 1, 1, spans), Chunk(2, "predictions", 1, 1, predictions), Chunk(5, "gap", 1, 0, gap)]
    asked = agents_pb2.SyncTelemetryRequest(site="press-7", stream="s", chunks=[to_message(chunk) for chunk in chunks])
    found = traces_pb2.TracesGetRequest(trace_id=(b"t" * 16).hex())
    counts = traces_pb2.CountsRequest(site="press-7")
    return [
        row(("Agents/SyncTelemetry", asked), ("Traces/Get", found), ("Traces/Counts", counts)),
        row(
            ("Agents/SyncTelemetry", asked),
            ("Agents/SyncTelemetry", asked),
            ("Traces/Search", traces_pb2.TracesSearchRequest()),
        ),
    ]


def telemetry_mutation(random: Random, data: bytes) -> bytes:
    kind: Callable[[Random, bytes], bytes] = by_field(random.choice((ExportTraceServiceRequest, PredictionBatch)))
    return kind(random, data)


def sync_mutation(random: Random, data: bytes) -> bytes:
    """The payload of a chunk, by its own fields."""
    found = _read(data)
    syncs = [call for call in found if call.path.endswith("SyncTelemetry")]
    if not syncs or random.random() < 0.4:
        return mutation(random, data)
    request = agents_pb2.SyncTelemetryRequest.FromString(syncs[0].messages[0])
    if request.chunks:
        chunk = random.choice(request.chunks)
        kind = PredictionBatch if chunk.kind == "predictions" else ExportTraceServiceRequest
        chunk.payload = by_field(kind)(random, chunk.payload)
        syncs[0].messages[0] = request.SerializeToString()
    pieces = [(NUMBER[call.path.rpartition("v1.")[2]], message) for call in found for message in call.messages]
    return b"".join(bytes([number]) + struct.pack("<I", len(message)) + message for number, message in pieces)


def _target(
    name: str, seeds: Callable[[], list[bytes]], change_: Callable[[Random, bytes], bytes] = mutation
) -> Target:
    return Target(name, calls, seeds, refused=(), mutation=change_)


TARGETS = (
    _target("workloads-rpc", workload_seeds),
    _target("fleet-rpc", fleet_seeds),
    _target("agents-rpc", agent_seeds),
    _target("reads-rpc", read_seeds),
    _target("telemetry-rpc", sync_seeds, sync_mutation),
    Target("telemetry", telemetry, lambda: list(_told()), mutation=telemetry_mutation),
)
