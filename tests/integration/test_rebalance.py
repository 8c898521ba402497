"""A real rebalance: a service that a new law forbids where it runs is planned elsewhere, moved, and answers throughout.

Real processes: a broker with its solver's worker, an on-prem agent, an edge agent, model servers, the command line.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_fleet import ROW, SERVICE
from tests.support.models import plus_one
from tests.support.until import until
from tidegate.cli.local.fleet import LocalFleet, member
from tidegate.cli.local.survivors import left_behind
from tidegate.client.client import Client
from tidegate.model.errors import Conflict
from tidegate.model.plan import Goal, Manner
from tidegate.model.registry import Artifact

NOT_AT_THE_EDGE = """
apiVersion: tidegate.dev/v1
kind: Policy
metadata: {name: indoors, version: 1}
spec:
  because: "the works council"
  rules:
  - name: not-at-the-edge
    when: [{key: data.classes, operator: ContainsAny, values: [pii]}]
    require: [{key: site.tier, operator: NotIn, values: [edge]}]
"""


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[LocalFleet]:
    fleet = LocalFleet(tmp_path, members=(member("on-prem-leipzig"), member("press-7")))
    try:
        fleet.start(lambda _: None)
        yield fleet
    finally:
        fleet.stop(lambda _: None)
    assert left_behind(tmp_path) == []


def rebalance(fleet: LocalFleet, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tidegate.cli.main", "--broker", fleet.broker_address, "rebalance", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_what_a_new_law_forbids_is_legal_again_and_never_stops_answering(fleet: LocalFleet, tmp_path: Path) -> None:
    model = plus_one()
    artifact = Artifact(hashlib.sha256(model).hexdigest(), len(model), "model.onnx")
    with Client(fleet.broker_address) as client:
        client.push_artifact(artifact, model)
        submission = client.submit(SERVICE.format(digest=artifact.digest))
        assert submission.decision.sites == ("press-7",)
        assert any(view.phase == "running" for view in client.watch(submission.workload_id))
        assert client.propose_plan().plan.moves == (), "nothing to gain while it stands where it should"

        assert client.apply(NOT_AT_THE_EDGE).outlawed == (submission.workload_id,)
        stale = client.propose_plan(Goal.LEGAL).plan
        (move,) = stale.moves
        assert (move.name, move.disruption.manner) == ("plus-one", Manner.MAKE_BEFORE_BREAK)
        assert move.outlawed_by == ("indoors/not-at-the-edge",)

        client.cordon("press-7")
        with pytest.raises(Conflict):
            client.adopt_plan(stale)

        told = rebalance(fleet, "--adopt", "-o", "json")
        assert told.returncode == 0, told.stderr
        answer = json.loads(told.stdout)
        assert [one["sites"] for one in answer["moved"]] == [["on-prem-leipzig"]]
        assert client.infer("plus-one", {"x": ROW})["y"].tolist() == [[2, 3, 4, 5]]
        until(lambda: set(client.get("plus-one").statuses) == {"on-prem-leipzig"}, 30, "the move")
        assert client.infer("plus-one", {"x": ROW})["y"].tolist() == [[2, 3, 4, 5]]
        assert client.get("plus-one").outlawed_by == ()
        assert client.replay().different == []
        kinds = [event.kind for event in client.events(about="plan")]
        assert kinds == ["plan_adopted"]

        assert "no moves worth making" in rebalance(fleet).stdout
        client.cancel("plus-one")
        assert [view.phase for view in client.watch("plus-one")][-1] == "cancelled"
