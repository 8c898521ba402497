"""The local fleet without its cloud: a model is brought by digest, served by law at the plant, and outlives the broker.

Real processes throughout: a broker, an on-prem agent, an edge agent and their model servers.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.models import plus_one
from tests.support.until import until
from tidegate.cli.local.fleet import EXAMPLE, LocalFleet, member
from tidegate.cli.local.survivors import left_behind
from tidegate.client.client import Client
from tidegate.model.decision import Outcome
from tidegate.model.event import ServiceTimeMeasured
from tidegate.model.registry import Artifact

SERVICE = """
apiVersion: tidegate.dev/v1
kind: InferenceService
metadata: {{name: plus-one, team: quality}}
spec:
  model: {{uri: "sha256:{digest}", format: onnx, madeFrom: [{{classes: [pii], subjects: [DE]}}]}}
  demand: {{cpus: 500m, memory: 256Mi}}
  data: {{classes: [pii], subjects: [DE], origin: plant-leipzig, bytesPerDay: 2Gi}}
  latency: {{p99: 50ms, from: [plant-leipzig]}}
  audit: every_prediction
"""
SITES = EXAMPLE / "sites.yaml"
ROW = np.array([[1, 2, 3, 4]], dtype=np.float32)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[LocalFleet]:
    """How long things take here is left out of what is decided: the way to the computer room is as declared, and what
    is measured of the model on the press's device says nothing of the room's nodes.
    """
    room = replace(member("on-prem-leipzig"), measured=False)
    fleet = LocalFleet(tmp_path, members=(room, member("press-7")))
    try:
        fleet.start(lambda _: None)
        with Client(fleet.broker_address) as client:
            client.apply(of_another_class(SITES.read_text()))
        yield fleet
    finally:
        fleet.stop(lambda _: None)
    assert left_behind(tmp_path) == []


def of_another_class(sites: str) -> str:
    """The sites as declared, but that the computer room's nodes are of a class of their own."""
    node = "instanceType: own-node,"
    assert sites.count(node) == 1
    return sites.replace(node, f"{node} deviceClass: server,")


def test_a_service_is_placed_by_law_and_price_and_answers_without_the_broker(fleet: LocalFleet) -> None:
    model = plus_one()
    artifact = Artifact(hashlib.sha256(model).hexdigest(), len(model), "model.onnx")
    with Client(fleet.broker_address, origin="plant-leipzig") as client:
        client.push_artifact(artifact, model)
        submission = client.submit(SERVICE.format(digest=artifact.digest))
        decision = submission.decision
        assert decision.outcome is Outcome.PLACED, [
            m for m in decision.misses if m.site in ("press-7", "on-prem-leipzig")
        ]
        assert decision.sites == ("press-7",)
        assert {ranked.site for ranked in decision.ranked} == {"press-7", "on-prem-leipzig"}
        assert "plant-data-stays/camera-frames-stay-in-germany" in {
            miss.rule for miss in decision.misses if miss.site == "cloud-us-east"
        }
        assert any(view.phase == "running" for view in client.watch(submission.workload_id))
        assert client.infer("plus-one", {"x": ROW})["y"].tolist() == [[2, 3, 4, 5]]
        until(lambda: told_of_the_way(client), 30, "the client's word on its way to the device")

        fleet.daemons["broker"].kill()
        alone = [client.infer("plus-one", {"x": ROW}) for _ in range(20)]
        assert all(prediction["y"].tolist() == [[2, 3, 4, 5]] for prediction in alone)

        fleet.start_broker()
        until(lambda: spans_of(client, alone[-1].trace_id) == ["press-7"], 30, "the last prediction's span")
        assert client.replay().different == []

        learned = [e.recorded.event for e in client.events() if isinstance(e.recorded.event, ServiceTimeMeasured)]
        assert learned[-1].samples > 1 and 0 < learned[-1].p99_us <= learned[-1].bound_us

        moved = client.drain("press-7")
        assert [(one.name, one.sites) for one in moved] == [("plus-one", ("on-prem-leipzig",))]
        until(lambda: set(client.get("plus-one").statuses) == {"on-prem-leipzig"}, 30, "the move")
        assert client.infer("plus-one", {"x": ROW})["y"].tolist() == [[2, 3, 4, 5]]

        client.cancel("plus-one")
        assert [view.phase for view in client.watch("plus-one")][-1] == "cancelled"
        assert "ready" in "".join(piece.text for piece in client.logs("plus-one"))


def spans_of(client: Client, trace_id: str) -> list[str]:
    """The sites that the spans of one trace came from."""
    return [span.site for span in client.trace(trace_id=trace_id, linked=False).spans]


def told_of_the_way(client: Client) -> bool:
    """Whether the broker knows the round trip from the client's origin, which only the client can measure."""
    client.infer("plus-one", {"x": ROW})
    return "plant-leipzig" in {link.origin for link in client.site("press-7")[1]}
