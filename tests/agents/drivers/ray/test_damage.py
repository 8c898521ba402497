"""What the disk lost is told: of a cluster, and of a job, which has failed; what still runs of it is ended with it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agents.drivers.base import Task, TaskKind, TaskPhase, TrainingSpec
from agents.drivers.ray import driver as driving
from agents.drivers.ray.api import RayApi
from agents.drivers.ray.driver import RayDriver
from agents.drivers.ray.local import LocalProvider
from agents.drivers.ray.provider import Cluster
from tidegate.model.errors import Broken
from tidegate.model.quantity import Resources

CLUSTER = Cluster("c1", "http://ray.test:8265", "ray.test:6379", token="secret")


class LeftRunning:
    """A cluster that an earlier agent brought up."""

    shapes = ()

    async def current(self) -> Cluster:
        return CLUSTER

    async def down(self) -> None:
        return None


@pytest.mark.parametrize("content", [b"", b"\x81", b"[]", b"{}", b'{"namespace": null}', b'{"namespace": {"x": 1}}'])
async def test_a_journal_that_is_damaged_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "cluster.json").write_bytes(content)
    with pytest.raises(Broken, match=r"cluster\.json"):
        await LocalProvider(tmp_path, ()).current()


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The cluster's jobs by submission id, as statuses; one that is asked to stop does so."""
    known = {"w1-3-2": "RUNNING", "w1-2-1": "FAILED", "w11-3-2": "RUNNING"}

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.method == "GET" and path == "/api/jobs/":
            submitted: list[dict[str, Any]] = [{"submission_id": key, "status": known[key]} for key in known]
            return httpx.Response(200, json=[*submitted, {"submission_id": None, "status": "RUNNING"}])
        assert (request.method, path.rpartition("/")[2]) == ("POST", "stop")
        known[path.split("/")[3]] = "STOPPED"
        return httpx.Response(200, json={"stopped": True})

    monkeypatch.setattr(driving, "RayApi", lambda cluster: RayApi(cluster, httpx.MockTransport(answer)))
    yield known


async def test_it_has_failed_and_its_removal_ends_what_still_runs(jobs: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "w1"
    folder.mkdir()
    (folder / "ray.json").write_bytes(b'{"wanted": tr')
    spec = TrainingSpec("true", tmp_path, Resources(cpus_milli=1000, memory_bytes=1 << 30))
    task = Task("w1", "digits", TaskKind.TRAINING, 3, spec, folder)
    driver = RayDriver(LeftRunning(), now_ns=lambda: 1, leave_running=True)
    seen = await driver.observe(task)
    assert seen.phase is TaskPhase.FAILED
    assert "damaged" in seen.detail and str(folder / "ray.json") in seen.detail
    await driver.start(task)
    await driver.remove(task)
    assert jobs == {"w1-3-2": "STOPPED", "w1-2-1": "FAILED", "w11-3-2": "RUNNING"}
    assert not folder.exists()
    await driver.close()
